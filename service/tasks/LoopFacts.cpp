//===- LoopFacts.cpp - What is known of a loop before it is vectorised ----===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "LoopFacts.h"
#include "llvm/Analysis/AliasAnalysis.h"
#include "llvm/Analysis/AssumptionCache.h"
#include "llvm/Analysis/OptimizationRemarkEmitter.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/Analysis/TargetTransformInfo.h"
#include "llvm/IR/DataLayout.h"
#include "llvm/IR/DiagnosticHandler.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/Transforms/Vectorize/LoopVectorizationLegality.h"
#include <algorithm>

using namespace llvm;
using namespace mlcompiler;

namespace {

/// Listens to LLVM's remarks while it lives, and keeps the first one.
class FirstRemark {
public:
  explicit FirstRemark(LLVMContext &Context)
      : Context(Context), Before(Context.getDiagnosticHandler()) {
    Context.setDiagnosticHandler(std::make_unique<Handler>(Text));
  }

  ~FirstRemark() { Context.setDiagnosticHandler(std::move(Before)); }

  /// The text of the remark; empty if there was none.
  StringRef text() const { return Text; }

private:
  struct Handler : DiagnosticHandler {
    explicit Handler(std::string &Text) : Text(Text) {}

    bool handleDiagnostics(const DiagnosticInfo &DI) override {
      const auto *Remark = dyn_cast<DiagnosticInfoOptimizationBase>(&DI);
      if (Remark && Text.empty())
        Text = Remark->getMsg();
      return true;
    }

    // Remarks are enabled in general, but not for any pass by its name. If they
    // were enabled by name, passes would look further than without remarks.
    bool isAnyRemarkEnabled() const override { return true; }

    std::string &Text;
  };

  LLVMContext &Context;
  std::unique_ptr<DiagnosticHandler> Before;
  std::string Text;
};

/// Gives the numbers of the loop by name.
class NamedNumbers {
public:
  explicit NamedNumbers(LoopNumbers &Numbers) : Numbers(Numbers) {}

  float &operator[](StringRef Name) {
    for (auto [Feature, Number] : zip_equal(LoopFeatures, Numbers))
      if (Name == Feature.Name)
        return Number;
    llvm_unreachable("no such number of a loop");
  }

private:
  LoopNumbers &Numbers;
};

} // namespace

LoopAnalyst::LoopAnalyst(Function &F, FunctionAnalysisManager &FAM)
    : F(F), TTI(FAM.getResult<TargetIRAnalysis>(F)),
      TLI(FAM.getResult<TargetLibraryAnalysis>(F)),
      AC(FAM.getResult<AssumptionAnalysis>(F)),
      DT(FAM.getResult<DominatorTreeAnalysis>(F)),
      LI(FAM.getResult<LoopAnalysis>(F)), AA(FAM.getResult<AAManager>(F)),
      SE(F, TLI, AC, DT, LI), Accesses(SE, AA, DT, LI, &TTI, &TLI, &AC),
      Bits(F, AC, DT) {}

/// The widths of the elements that a vector of the loop would hold.
static std::pair<float, float> elementBits(Loop &L,
                                           const LoopVectorizationLegality &LVL,
                                           const DataLayout &Layout) {
  float Narrowest = 0, Widest = 0;
  auto Add = [&](Type *Ty) {
    const float Bits = Layout.getTypeSizeInBits(Ty).getKnownMinValue();
    Narrowest = Narrowest ? std::min(Narrowest, Bits) : Bits;
    Widest = std::max(Widest, Bits);
  };
  for (BasicBlock *B : L.blocks())
    for (Instruction &I : *B)
      if (isa<LoadInst, StoreInst>(I))
        Add(getLoadStoreType(&I));
  for (const auto &[Phi, Reduction] : LVL.getReductionVars())
    Add(Reduction.getRecurrenceType());
  return {Narrowest, Widest};
}

LoopFacts LoopAnalyst::examine(Loop &L) {
  LoopFacts Facts;
  NamedNumbers Of(Facts.Loop);
  BodyMeter Body(L, SE);
  for (BasicBlock *B : L.blocks())
    for (Instruction &I : *B)
      Body.count(I);
  Facts.Body = Body.numbers();

  Facts.MostIterations = SE.getSmallConstantMaxTripCount(&L);
  Of["trip_count"] = SE.getSmallConstantTripCount(&L);
  Of["most_iterations"] = Facts.MostIterations;
  Of["trip_multiple"] = SE.getSmallConstantTripMultiple(&L);
  Of["counted"] = SE.hasLoopInvariantBackedgeTakenCount(&L);
  Of["depth"] = L.getLoopDepth();
  SmallVector<BasicBlock *> Exiting;
  L.getExitingBlocks(Exiting);
  Of["exits"] = Exiting.size();
  Of["register_bits"] =
      TTI.getRegisterBitWidth(TargetTransformInfo::RGK_FixedWidthVector)
          .getKnownMinValue();
  Of["registers"] =
      TTI.getNumberOfRegisters(TTI.getRegisterClassForType(/*Vector=*/true));

  FirstRemark Remark(F.getContext());
  OptimizationRemarkEmitter ORE(&F);
  PredicatedScalarEvolution PSE(SE, L);
  LoopVectorizationRequirements Requirements;
  LoopVectorizeHints Hints(&L, /*InterleaveOnlyWhenForced=*/false, ORE, &TTI);
  LoopVectorizationLegality LVL(&L, PSE, &DT, &TTI, &TLI, &F, Accesses, &LI,
                                &ORE, &Requirements, &Hints, &Bits, &AC,
                                /*AllowRuntimeSCEVChecks=*/!F.hasOptSize(),
                                &AA);
  Facts.Legal = Hints.allowVectorization(&F, &L, /*OnlyWhenForced=*/false) &&
                LVL.canVectorize(/*UseVPlanNativePath=*/false);
  if (Facts.Legal && !LVL.getPotentiallyFaultingLoads().empty()) {
    Facts.Legal = false;
    Facts.Why = "a load that a later iteration makes may fault";
  } else if (Facts.Legal &&
             !LVL.canVectorizeFPMath(TTI.enableOrderedReductions())) {
    Facts.Legal = false;
    Facts.Why = "floating-point operations would be reordered";
  } else if (Facts.Legal && F.hasFnAttribute(Attribute::NoImplicitFloat)) {
    Facts.Legal = false;
    Facts.Why = "the function has the attribute noimplicitfloat";
  } else if (!Facts.Legal) {
    StringRef Said = Remark.text();
    Said.consume_front("loop not vectorized: ");
    Facts.Why = Said.str();
  }

  auto [Narrowest, Widest] = elementBits(L, LVL, F.getDataLayout());
  if (Facts.Legal && !LVL.isSafeForAnyVectorWidth()) {
    const uint64_t Safe =
        std::min(LVL.getMaxSafeVectorWidthInBits(),
                 LVL.getMaxStoreLoadForwardSafeDistanceInBits());
    Facts.SafeElements =
        std::max<uint64_t>(1, Widest ? Safe / uint64_t(Widest) : 1);
  }
  Of["narrowest_bits"] = Narrowest;
  Of["widest_bits"] = Widest;
  Of["legal"] = Facts.Legal;
  Of["safe_elements"] = Facts.SafeElements;
  Of["checks"] = LVL.getLAI() ? LVL.getLAI()->getNumRuntimePointerChecks() : 0;
  Of["reductions"] = LVL.getReductionVars().size();
  for (const auto &[Phi, Reduction] : LVL.getReductionVars())
    Of["exact_reductions"] += Reduction.getExactFPMathInst() != nullptr;
  Of["carried"] = LVL.getFixedOrderRecurrences().size();
  return Facts;
}
