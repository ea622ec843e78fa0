//===- MIR2Vec.cpp - MIR2Vec embeddings -----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "MachineSeeds.h"
#include "ObservationSource.h"
#include "SymbolNames.h"
#include "TensorSpecs.h"
#include "llvm/ADT/DepthFirstIterator.h"
#include "llvm/CodeGen/MachineFunction.h"
#include <limits>

using namespace llvm;
using namespace mlcompiler;

static constexpr size_t Dimension = MachineSeeds::Dimension;

namespace {

class MIR2Vec : public ObservationSource {
public:
  void describe(proto::ObservationSpec &Spec) const override;
  Error observe(const ObservationContext &Context,
                proto::Observation &Out) override;

private:
  struct Function {
    std::string Name;
    std::vector<double> Row;
  };

  Function embed(const MachineFunction &MF);

  MachineSeeds Seeds;
  /// When Known was computed, by Compilation::version().
  uint64_t Version = 0;
  std::vector<Function> Known;
};

} // namespace

static ObservationRegistry::Add<MIR2Vec>
    X("mir2vec",
      "MIR2Vec's symbolic embedding: the sum of the seed embeddings of opcode "
      "and operands of each machine instruction that can be reached. While the "
      "compiler is stopped in a machine function, it is that function's as it "
      "stands. Otherwise it is the module's with instructions selected, as "
      "`llc -stop-after=finalize-isel` has it. For x86-64 and "
      "AArch64. Source: VenkataKeerthy et al., CC 2023; "
      "llvm/CodeGen/MIR2Vec.h.");

void MIR2Vec::describe(proto::ObservationSpec &Spec) const {
  Spec.set_media("tensors");
  proto::TensorSpec &Tensor = *Spec.add_tensors();
  Tensor.set_name("vector");
  Tensor.set_dtype(proto::FLOAT32);
  Tensor.add_shape(Dimension);
  setBounds(Tensor, -std::numeric_limits<float>::max(),
            std::numeric_limits<float>::max());
  Tensor.set_doc("the embedding, of no unit and not normalised");
  Spec.add_scopes("module");
  Spec.add_scopes("function");
}

MIR2Vec::Function MIR2Vec::embed(const MachineFunction &MF) {
  Function Result{MF.getName().str(), std::vector<double>(Dimension)};
  for (const MachineBasicBlock *MBB : depth_first(&MF))
    for (const MachineInstr &MI : *MBB)
      Seeds.add(MI, Result.Row);
  return Result;
}

static void append(ArrayRef<double> Row, std::string &To) {
  for (double Element : Row) {
    const float Value = static_cast<float>(Element);
    To.append(reinterpret_cast<const char *>(&Value), sizeof(Value));
  }
}

Error MIR2Vec::observe(const ObservationContext &Context,
                       proto::Observation &Out) {
  Compilation &C = Context.Compile;
  if (Error E = Seeds.load(C.module().getTargetTriple()))
    return E;
  std::vector<Function> Current;
  const MachineFunction *MF =
      Context.Stopped ? Context.Stopped->machineFunction() : nullptr;
  if (MF) {
    Current.push_back(embed(*MF));
  } else if (Version != C.codeVersion()) {
    std::vector<Function> Selected;
    if (Error E = C.select(
            [&](const MachineFunction &MF) { Selected.push_back(embed(MF)); }))
      return E;
    Known = std::move(Selected);
    Version = C.codeVersion();
  }
  ArrayRef<Function> Functions = MF ? Current : Known;
  proto::Tensor &Tensor = *Out.add_tensors();
  Tensor.set_name("vector");
  Tensor.set_dtype(proto::FLOAT32);
  if (Context.Of == Scope::Function) {
    Tensor.add_shape(static_cast<int64_t>(Functions.size()));
    for (const Function &F : Functions) {
      append(F.Row, *Tensor.mutable_data());
      Out.add_rows(toText(F.Name));
    }
  } else {
    std::vector<double> Sum(Dimension);
    for (const Function &F : Functions)
      for (size_t I = 0; I != Dimension; ++I)
        Sum[I] += F.Row[I];
    append(Sum, *Tensor.mutable_data());
  }
  Tensor.add_shape(Dimension);
  return Error::success();
}
