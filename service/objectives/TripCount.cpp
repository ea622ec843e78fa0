//===- TripCount.cpp - How often a loop may run ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "TripCount.h"
#include "LoopFlags.h"
#include "llvm/Analysis/ScalarEvolutionExpressions.h"
#include "llvm/IR/Instructions.h"
#include <algorithm>
#include <cmath>
#include <limits>

using namespace llvm;
using namespace mlcompiler;

namespace {

/// Evaluates an expression in which unknown numbers are NominalSize and unknown
/// addresses are 0.
class NominalValue {
public:
  explicit NominalValue(ScalarEvolution &SE) : SE(SE) {}

  /// The value of an expression; infinite if it is more than a double holds,
  /// and nullopt if it depends on an infinite one.
  std::optional<double> of(const SCEV *S) {
    if (Budget == 0)
      return std::nullopt;
    --Budget;
    std::optional<double> Value = compute(S);
    return Value && std::isnan(*Value) ? std::nullopt : Value;
  }

private:
  std::optional<double> compute(const SCEV *S) {
    switch (S->getSCEVType()) {
    case scConstant:
      return cast<SCEVConstant>(S)->getAPInt().signedRoundToDouble();
    case scTruncate:
    case scZeroExtend:
    case scSignExtend:
    case scPtrToInt:
      return of(S->operands()[0]);
    case scAddExpr:
      return sum(S);
    case scMulExpr:
      return fold(S, [](double A, double B) { return A * B; });
    case scUDivExpr:
      return fold(
          S, [](double A, double B) { return B == 0 ? A : std::floor(A / B); },
          /*IsUnsigned=*/true);
    case scUMaxExpr:
    case scSMaxExpr:
      return fold(
          S, [](double A, double B) { return std::max(A, B); },
          S->getSCEVType() == scUMaxExpr);
    case scUMinExpr:
    case scSMinExpr:
    case scSequentialUMinExpr:
      return fold(
          S, [](double A, double B) { return std::min(A, B); },
          S->getSCEVType() != scSMinExpr);
    case scAddRecExpr:
      return inTheMiddle(*cast<SCEVAddRecExpr>(S));
    case scUnknown:
      return S->getType()->isPointerTy() ? 0.0 : double(NominalSize);
    default:
      return std::nullopt;
    }
  }

  template <typename Function>
  std::optional<double> fold(const SCEV *S, Function F,
                             bool IsUnsigned = false) {
    auto ValueOf = [&](const SCEV *Operand) -> std::optional<double> {
      const auto *C = dyn_cast<SCEVConstant>(Operand);
      return C && IsUnsigned ? C->getAPInt().roundToDouble() : of(Operand);
    };
    std::optional<double> Result = ValueOf(S->operands()[0]);
    for (const SCEV *Operand : drop_begin(S->operands())) {
      std::optional<double> Value = ValueOf(Operand);
      if (!Result || !Value)
        return std::nullopt;
      Result = F(*Result, *Value);
    }
    return Result;
  }

  static bool isUnknownSize(const SCEV *S) {
    while (isa<SCEVCastExpr>(S) && !isa<SCEVPtrToIntExpr>(S))
      S = S->operands()[0];
    return isa<SCEVUnknown>(S) && S->getType()->isIntegerTy();
  }

  /// The difference of two unknown sizes is unknown as well, and not 0.
  std::optional<double> sum(const SCEV *S) {
    int Added = 0, Subtracted = 0;
    for (const SCEV *Operand : S->operands()) {
      const auto *Product = dyn_cast<SCEVMulExpr>(Operand);
      Added += isUnknownSize(Operand);
      Subtracted += Product && Product->getNumOperands() == 2 &&
                    Product->getOperand(0)->isAllOnesValue() &&
                    isUnknownSize(Product->getOperand(1));
    }
    std::optional<double> Result =
        fold(S, [](double A, double B) { return A + B; });
    if (Result)
      *Result += double(std::min(Added, Subtracted)) * NominalSize;
    return Result;
  }

  std::optional<double> inTheMiddle(const SCEVAddRecExpr &AR) {
    const SCEV *Backedges = SE.getBackedgeTakenCount(AR.getLoop());
    std::optional<double> Count = NominalSize;
    if (!isa<SCEVCouldNotCompute>(Backedges))
      Count = of(Backedges);
    std::optional<double> Start = of(AR.getStart());
    std::optional<double> Step = of(AR.getStepRecurrence(SE));
    if (!AR.isAffine() || !Count || !Start || !Step)
      return std::nullopt;
    return *Start + *Step * std::floor(*Count / 2);
  }

  ScalarEvolution &SE;
  unsigned Budget = 1000;
};

} // namespace

static bool hasVectors(const Loop &L) {
  return any_of(L.blocks(), [](const BasicBlock *B) {
    return any_of(*B, [](const Instruction &I) {
      return I.getType()->isVectorTy() ||
             any_of(I.operands(),
                    [](const Value *V) { return V->getType()->isVectorTy(); });
    });
  });
}

double mlcompiler::nominalTripCount(const Loop &L, ScalarEvolution &SE) {
  if (unsigned Known = SE.getSmallConstantTripCount(&L))
    return Known;
  double Most = SE.getSmallConstantMaxTripCount(&L);
  if (Most == 0)
    Most = std::numeric_limits<double>::infinity();
  const bool Vectorised = loopFlag(L, "llvm.loop.isvectorized").value_or(false);
  const SCEV *Backedges = SE.getBackedgeTakenCount(&L);
  std::optional<double> Count;
  if (!isa<SCEVCouldNotCompute>(Backedges))
    Count = NominalValue(SE).of(Backedges);
  if (Count && *Count >= 0 && *Count < NominalSize * NominalSize)
    return std::min(*Count + 1, Most);
  // Nothing is left over, because vectors divide the nominal size.
  if (Vectorised && ((Count && *Count < 0) || !hasVectors(L)))
    return 0;
  return std::min(Most, double(NominalSize));
}

NominalSizes::NominalSizes(const LoopInfo &LI, ScalarEvolution &SE) : SE(SE) {
  for (const Loop *L : LI.getLoopsInPreorder()) {
    const SCEV *Backedges = SE.getBackedgeTakenCount(L);
    if (isa<SCEVCouldNotCompute>(Backedges))
      continue;
    SCEVExprContains(Backedges, [&](const SCEV *S) {
      if (isa<SCEVUnknown>(S) && S->getType()->isIntegerTy())
        Sizes.insert(S);
      return false;
    });
  }
}

bool NominalSizes::isOfSizes(const SCEV *S) const {
  return !SCEVExprContains(S, [&](const SCEV *Part) {
    return isa<SCEVAddRecExpr, SCEVPtrToIntExpr, SCEVCouldNotCompute>(Part) ||
           (isa<SCEVUnknown>(Part) && !Sizes.contains(Part));
  });
}

/// Whether \p S contains a size that \p Other does not.
static bool hasSizeOfItsOwn(const SCEV *S, const SCEV *Other) {
  return SCEVExprContains(S, [&](const SCEV *Part) {
    return isa<SCEVUnknown>(Part) &&
           !SCEVExprContains(Other, [&](const SCEV *O) { return O == Part; });
  });
}

std::optional<bool> NominalSizes::decide(Value &Condition) {
  auto *Compare = dyn_cast<ICmpInst>(&Condition);
  if (!Compare || !Compare->getOperand(0)->getType()->isIntegerTy())
    return std::nullopt;
  const SCEV *Left = SE.getSCEV(Compare->getOperand(0));
  const SCEV *Right = SE.getSCEV(Compare->getOperand(1));
  if (!isOfSizes(Left) || !isOfSizes(Right))
    return std::nullopt;
  const std::optional<double> X = NominalValue(SE).of(Left);
  const std::optional<double> Y = NominalValue(SE).of(Right);
  if (!X || !Y || (Compare->isUnsigned() && (*X < 0 || *Y < 0)) ||
      (std::isinf(*X) && *X == *Y))
    return std::nullopt;
  // Two sizes are assumed to be equal, but that does not tell which is larger.
  if (*X == *Y && hasSizeOfItsOwn(Left, Right) && hasSizeOfItsOwn(Right, Left))
    return std::nullopt;
  switch (Compare->getPredicate()) {
  case ICmpInst::ICMP_EQ:
    return *X == *Y;
  case ICmpInst::ICMP_NE:
    return *X != *Y;
  case ICmpInst::ICMP_ULT:
  case ICmpInst::ICMP_SLT:
    return *X < *Y;
  case ICmpInst::ICMP_ULE:
  case ICmpInst::ICMP_SLE:
    return *X <= *Y;
  case ICmpInst::ICMP_UGT:
  case ICmpInst::ICMP_SGT:
    return *X > *Y;
  case ICmpInst::ICMP_UGE:
  case ICmpInst::ICMP_SGE:
    return *X >= *Y;
  default:
    return std::nullopt;
  }
}
