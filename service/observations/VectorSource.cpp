//===- VectorSource.cpp - Numbers of a piece of the program ---------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "VectorSource.h"
#include "SymbolNames.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/InstrTypes.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Module.h"

using namespace llvm;
using namespace mlcompiler;

/// A name that is unique within the module, even if the function has none.
static std::string nameOf(const Function &F) {
  if (F.hasName())
    return F.getName().str();
  std::string Name;
  raw_string_ostream OS(Name);
  F.printAsOperand(OS, /*PrintType=*/false);
  return Name;
}

static constexpr char VectorName[] = "vector";

void VectorSource::describe(proto::ObservationSpec &Spec) const {
  Spec.set_media("tensors");
  proto::TensorSpec &Tensor = *Spec.add_tensors();
  Tensor.set_name(VectorName);
  describeVector(Tensor);
  Spec.add_scopes("module");
  Spec.add_scopes("function");
  if (hasLoops())
    Spec.add_scopes("loop");
  if (hasCallSites())
    Spec.add_scopes("callsite");
}

ArrayRef<double> VectorSource::functionRow(Compilation &C, Function &F) {
  Known &Row = Functions[&F];
  const uint64_t Version = isLocal() ? C.version(F) : C.version();
  if (Row.Version != Version) {
    Row.Version = Version;
    Row.Row.assign(Size, 0);
    addFunction(F, Row.Row);
  }
  return Row.Row;
}

ArrayRef<double> VectorSource::moduleRow(Compilation &C) {
  if (Module.Version == C.version())
    return Module.Row;
  Module.Version = C.version();
  Module.Row.assign(Size, 0);
  for (Function &F : C.module()) {
    if (F.isDeclaration())
      continue;
    ArrayRef<double> Row = functionRow(C, F);
    for (size_t I = 0; I != Size; ++I)
      Module.Row[I] += Row[I];
  }
  addModule(C.module(), Module.Row);
  return Module.Row;
}

template <typename T>
static void appendAs(ArrayRef<double> Row, std::string &To) {
  const size_t Before = To.size();
  To.resize(Before + Row.size() * sizeof(T));
  char *At = To.data() + Before;
  for (double Element : Row) {
    const T Value = static_cast<T>(Element);
    memcpy(At, &Value, sizeof(T));
    At += sizeof(T);
  }
}

void VectorSource::append(ArrayRef<double> Row, proto::Observation &Out,
                          std::string Name) {
  std::string &Data = *Out.mutable_tensors(0)->mutable_data();
  if (Vector.dtype() == proto::INT64)
    appendAs<int64_t>(Row, Data);
  else
    appendAs<float>(Row, Data);
  if (!Name.empty())
    Out.add_rows(toText(Name));
}

Error VectorSource::observe(const ObservationContext &Context,
                            proto::Observation &Out) {
  if (!Size) {
    Vector.set_name(VectorName);
    describeVector(Vector);
    Size = Vector.shape(0);
  }
  Compilation &C = Context.Compile;
  if (Error E = prepare(C))
    return E;
  proto::Tensor &Tensor = *Out.add_tensors();
  Tensor.set_name(Vector.name());
  Tensor.set_dtype(Vector.dtype());
  switch (Context.Of) {
  case Scope::Module:
    append(moduleRow(C), Out);
    break;
  case Scope::Function:
    for (Function &F : C.module())
      if (!F.isDeclaration())
        append(functionRow(C, F), Out, nameOf(F));
    break;
  case Scope::Loop:
    addLoopRows(C, Out);
    break;
  case Scope::CallSite:
    addCallSiteRows(C, Out);
    break;
  }
  if (Context.Of != Scope::Module)
    Tensor.add_shape(Out.rows_size());
  Tensor.add_shape(static_cast<int64_t>(Size));
  return Error::success();
}

void VectorSource::addLoopRows(Compilation &C, proto::Observation &Out) {
  std::vector<double> Row;
  for (Function &F : C.module()) {
    if (F.isDeclaration())
      continue;
    DominatorTree DT(F);
    LoopInfo LI(DT);
    size_t Number = 0;
    for (Loop *L : LI.getLoopsInPreorder()) {
      Row.assign(Size, 0);
      addLoop(*L, Row);
      append(Row, Out,
             (Twine(nameOf(F)) + ":loop" + Twine(Number++) + ":depth" +
              Twine(L->getLoopDepth()))
                 .str());
    }
  }
}

void VectorSource::addCallSiteRows(Compilation &C, proto::Observation &Out) {
  std::vector<double> Row;
  for (Function &F : C.module()) {
    size_t Number = 0;
    for (Instruction &I : instructions(F)) {
      auto *Call = dyn_cast<CallBase>(&I);
      if (!Call || isa<IntrinsicInst>(Call))
        continue;
      Row.assign(Size, 0);
      addCallSite(*Call, Row);
      const Function *Callee = Call->getCalledFunction();
      append(Row, Out,
             (Twine(nameOf(F)) + ":call" + Twine(Number++) + ":" +
              (Callee ? Callee->getName() : "indirect"))
                 .str());
    }
  }
}
