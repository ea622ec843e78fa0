//===- LoopFactorsReport.cpp - What LLVM made of the factors --------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "LoopFactorsReport.h"
#include "llvm/IR/DiagnosticHandler.h"
#include "llvm/IR/LLVMContext.h"
#include <algorithm>

using namespace llvm;
using namespace mlcompiler;

/// Passes remarks to the report, and to nothing else.
class LoopFactorsReport::Reader : public DiagnosticHandler {
public:
  Reader(LoopFactorsReport &Report, std::unique_ptr<DiagnosticHandler> Others)
      : Report(Report), Others(std::move(Others)) {}

  bool handleDiagnostics(const DiagnosticInfo &DI) override {
    if (const auto *Remark = dyn_cast<DiagnosticInfoOptimizationBase>(&DI)) {
      Report.read(*Remark);
      return true;
    }
    return Others->handleDiagnostics(DI);
  }

  // Remarks are enabled in general, but not for any pass by its name. If they
  // were enabled by name, passes would look further than without remarks.
  bool isAnyRemarkEnabled() const override { return true; }

private:
  LoopFactorsReport &Report;
  std::unique_ptr<DiagnosticHandler> Others;
};

void LoopFactorsReport::enter(Function &Next) {
  LLVMContext &Context = Next.getContext();
  if (!Listening)
    Context.setDiagnosticHandler(
        std::make_unique<Reader>(*this, Context.getDiagnosticHandler()));
  Listening = true;
  F = &Next;
  Owners.clear();
  Latest = SIZE_MAX;
  for (const BasicBlock &B : Next)
    Owners[&B] = {};
}

void LoopFactorsReport::leave() {
  F = nullptr;
  Owners.clear();
}

TakenFactors &LoopFactorsReport::add(const Loop &L, std::string Name) {
  Owners[L.getHeader()] = {Owner::Body, Loops.size()};
  if (const Loop *Parent = L.getParentLoop())
    Owners[Parent->getHeader()] = {Owner::Around, Loops.size()};
  TakenFactors &Added = Loops.emplace_back();
  Added.Loop = std::move(Name);
  return Added;
}

void LoopFactorsReport::claimNewBlocks() {
  for (const BasicBlock &B : *F)
    if (!Owners.count(&B))
      Owners[&B] = {Latest < Loops.size() ? Owner::Vector : Owner::Nothing,
                    Latest};
}

/// The number that a remark has under a name; 0 if there is none.
static int64_t number(const DiagnosticInfoOptimizationBase &Remark,
                      StringRef Name) {
  int64_t Value = 0;
  for (const auto &Argument : Remark.getArgs())
    if (Argument.Key == Name && StringRef(Argument.Val).getAsInteger(10, Value))
      return 0;
  return Value;
}

void LoopFactorsReport::read(const DiagnosticInfoOptimizationBase &Remark) {
  const auto *OfIR = dyn_cast<DiagnosticInfoIROptimization>(&Remark);
  if (!F || !OfIR || &Remark.getFunction() != F)
    return;
  const auto *Header = dyn_cast_or_null<BasicBlock>(OfIR->getCodeRegion());
  const StringRef Pass = Remark.getPassName();
  // If a width was asked for, the vectoriser does not name itself.
  const bool IsVectorizer = Pass.empty() || Pass == "loop-vectorize";
  if (!Header || !(IsVectorizer || Pass.starts_with("loop-unroll")))
    return;
  claimNewBlocks();
  auto It = Owners.find(Header);
  if (It == Owners.end() || It->second.Part == Owner::Nothing)
    return;
  const Owner Of = It->second;
  TakenFactors &Loop = Loops[Of.Index];
  if (IsVectorizer) {
    if (Of.Part == Owner::Body)
      readVectorizer(Remark, Loop);
    Latest = Of.Index;
    return;
  }
  const int64_t Count = number(Remark, "UnrollCount");
  int64_t *Factor = &Loop.Unroll;
  if (Pass != "loop-unroll")
    Factor = Of.Part == Owner::Around ? &Loop.UnrollAndJam : nullptr;
  else if (Of.Part == Owner::Around)
    Factor = nullptr;
  else if (Of.Part == Owner::Body && Loop.Width * Loop.Interleave > 1)
    Factor = &Loop.Remainder;
  if (Factor)
    *Factor = std::max(*Factor, Count);
}

void LoopFactorsReport::readVectorizer(
    const DiagnosticInfoOptimizationBase &Remark, TakenFactors &Of) {
  const StringRef Name = Remark.getRemarkName();
  if (Name == "Vectorized" || Name == "Interleaved") {
    Of.Width = std::max<int64_t>(1, number(Remark, "VectorizationFactor"));
    Of.Interleave = number(Remark, "InterleaveCount");
    Of.Why.clear();
    return;
  }
  if (!Of.Why.empty())
    return;
  const std::string Text = Remark.getMsg();
  StringRef Said = Text;
  Said.consume_front("loop not vectorized: ");
  Of.Why = Said.str();
}
