//===- LoopDistributionDependence.cpp - Conflicts of accesses -------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "LoopDistributionDependence.h"
#include "llvm/Analysis/MemoryLocation.h"
#include "llvm/Analysis/ScalarEvolutionExpressions.h"
#include "llvm/IR/DataLayout.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/MathExtras.h"

using namespace llvm;
using namespace mlcompiler;

/// The largest steps and distances that are dealt with, so that nothing
/// overflows.
static constexpr int64_t Limit = int64_t(1) << 40;

/// The most bytes in the range of an access that not every iteration makes. Two
/// such ranges, and the largest gap between them whose difference is not
/// negative, fit into 64 bits together.
static constexpr uint64_t MaxSpan = uint64_t(1) << 61;

/// If two accesses are at least so many iterations apart, it pays to check at
/// run time whether the loop has that many.
static constexpr int64_t FarApart = 256;

DependenceTester::DependenceTester(Loop &L, ScalarEvolution &SE, AAResults &AA,
                                   DominatorTree &DT)
    : L(L), SE(SE), AA(AA), DT(DT) {
  this->AA.enableCrossIterationMode();
  const SCEV *Max = SE.getConstantMaxBackedgeTakenCount(&L);
  if (const auto *C = dyn_cast<SCEVConstant>(Max))
    if (C->getAPInt().ule(Limit))
      MaxBackedges = C->getAPInt().getZExtValue();
}

static std::optional<int64_t> constantOf(const SCEV *S) {
  const auto *C = dyn_cast<SCEVConstant>(S);
  if (!C || C->getAPInt().getSignificantBits() > 40)
    return std::nullopt;
  return C->getAPInt().getSExtValue();
}

bool DependenceTester::isInEveryIteration(Instruction &Access) const {
  return DT.dominates(Access.getParent(), L.getLoopLatch());
}

/// Whether the access would touch address 0, which it may not, before its
/// addresses could wrap. For that it must be made in every iteration, and leave
/// no gap between iterations.
bool DependenceTester::wouldTouchNull(Instruction &Access, int64_t Step,
                                      int64_t Bytes) const {
  const unsigned Space = getLoadStoreAddressSpace(&Access);
  return std::abs(Step) <= Bytes &&
         !NullPointerIsDefined(Access.getFunction(), Space) &&
         isInEveryIteration(Access);
}

const DependenceTester::Address &
DependenceTester::address(Instruction &Access) {
  auto [It, New] = Addresses.try_emplace(&Access);
  Address &A = It->second;
  if (!New)
    return A;
  Value *Pointer = getLoadStorePointerOperand(&Access);
  TypeSize Size =
      SE.getDataLayout().getTypeStoreSize(getLoadStoreType(&Access));
  A.Pointer = SE.getSCEV(Pointer);
  // A size that is known only at run time tells nothing.
  if (Size.isScalable() || Size.getFixedValue() > uint64_t(Limit) ||
      SE.getDataLayout().isNonIntegralPointerType(Pointer->getType()) ||
      SE.getTypeSizeInBits(Pointer->getType()) != 64)
    return A;
  A.Bytes = Size.getFixedValue();
  if (SE.isLoopInvariant(A.Pointer, &L)) {
    A.Start = A.Pointer;
    return A;
  }
  const auto *AR = dyn_cast<SCEVAddRecExpr>(A.Pointer);
  if (!AR || AR->getLoop() != &L || !AR->isAffine())
    return A;
  std::optional<int64_t> Step = constantOf(AR->getStepRecurrence(SE));
  if (!Step || !*Step)
    return A;
  // If addresses wrap, distances mean nothing.
  const bool Bounded = MaxBackedges && std::abs(*Step) < (int64_t(1) << 20);
  if (!Bounded && !AR->hasNoSelfWrap() && !AR->hasNoUnsignedWrap() &&
      !AR->hasNoSignedWrap() && !wouldTouchNull(Access, *Step, A.Bytes))
    return A;
  A.Start = AR->getStart();
  A.Step = *Step;
  return A;
}

std::optional<int64_t> DependenceTester::stride(Instruction &Access) {
  const Address &A = address(Access);
  if (!A.Start)
    return std::nullopt;
  return A.Step;
}

AccessRange DependenceTester::range(Instruction &Access) {
  const Address &A = address(Access);
  if (!A.Start)
    return {};
  Type *Index = SE.getEffectiveSCEVType(A.Pointer->getType());
  AccessRange Range;
  const SCEV *Last = A.Start;
  Range.Low = A.Start;
  if (A.Step) {
    const SCEV *Backedges = SE.getBackedgeTakenCount(&L);
    if (isa<SCEVCouldNotCompute>(Backedges) ||
        SE.getTypeSizeInBits(Backedges->getType()) >
            SE.getTypeSizeInBits(Index))
      return {};
    Backedges = SE.getNoopOrZeroExtend(Backedges, Index);
    Last = SE.getAddExpr(
        A.Start, SE.getMulExpr(Backedges, SE.getConstant(Index, A.Step,
                                                         /*isSigned=*/true)));
    if (A.Step < 0)
      std::swap(Range.Low, Last);
    Range.MayWrap = !isInEveryIteration(Access);
    Range.MostBackedges = MaxSpan / std::abs(A.Step);
    if (Range.MayWrap &&
        (!MaxBackedges || uint64_t(*MaxBackedges) > Range.MostBackedges))
      Range.Backedges = Backedges;
  }
  Range.High = SE.getAddExpr(Last, SE.getConstant(Index, A.Bytes));
  return Range;
}

bool DependenceTester::areDisjoint(const AccessRange &X, const AccessRange &Y) {
  if (!X || !Y || X.Backedges || Y.Backedges)
    return false;
  auto IsBelow = [&](const AccessRange &Lower, const AccessRange &Upper) {
    const SCEV *Gap = SE.getMinusSCEV(Upper.Low, Lower.High);
    return !isa<SCEVCouldNotCompute>(Gap) && SE.isKnownNonNegative(Gap);
  };
  return IsBelow(X, Y) || IsBelow(Y, X);
}

/// Both accesses step by the same number of bytes. The distances D, in
/// iterations, at which they overlap form an interval.
std::optional<Conflict> DependenceTester::byDistance(const Address &X,
                                                     const Address &Y,
                                                     bool SameAccess) {
  if (!X.Start || !Y.Start || X.Step != Y.Step)
    return std::nullopt;
  const SCEV *Gap = SE.getMinusSCEV(Y.Start, X.Start);
  if (isa<SCEVCouldNotCompute>(Gap))
    return std::nullopt;
  std::optional<int64_t> Bytes = constantOf(Gap);
  if (!Bytes)
    return std::nullopt;
  // They overlap if -Y.Bytes < Bytes + Step * D < X.Bytes.
  Conflict Found;
  int64_t Low = -*Bytes - Y.Bytes, High = -*Bytes + X.Bytes;
  if (!X.Step) {
    Found.Forward = Found.Backward = Low < 0 && 0 < High;
    return Found;
  }
  const int64_t Step = std::abs(X.Step);
  if (X.Step < 0) {
    std::swap(Low, High);
    Low = -Low;
    High = -High;
  }
  int64_t First = divideFloorSigned(Low, Step) + 1;
  int64_t Last = divideCeilSigned(High, Step) - 1;
  if (MaxBackedges) {
    First = std::max(First, -*MaxBackedges);
    Last = std::min(Last, *MaxBackedges);
  }
  if (First > Last)
    return Found;
  Found.Forward = Last > 0 || (!SameAccess && First <= 0 && Last >= 0);
  Found.Backward = First < 0;
  if (First == Last)
    Found.Distance = First;
  // Arrays far apart in one object conflict only if the loop runs from one into
  // the other.
  Found.Checkable = First >= FarApart || Last <= -FarApart;
  return Found;
}

Conflict DependenceTester::test(Instruction &First, Instruction &Second) {
  if (!First.mayWriteToMemory() && !Second.mayWriteToMemory())
    return {};
  const bool Same = &First == &Second;
  // The location covers all iterations.
  auto Everywhere = [](Instruction &I) {
    return MemoryLocation::getBeforeOrAfter(getLoadStorePointerOperand(&I),
                                            I.getAAMetadata());
  };
  if (!Same && AA.isNoAlias(Everywhere(First), Everywhere(Second)))
    return {};
  // This is a copy, because the second call may make the table grow.
  const Address X = address(First);
  const Address Y = address(Second);
  const AccessRange XRange = range(First), YRange = range(Second);
  // Addresses of different address spaces cannot be compared.
  const bool Comparable =
      !Same && XRange && YRange && X.Pointer->getType() == Y.Pointer->getType();
  if (std::optional<Conflict> Known = byDistance(X, Y, Same)) {
    Known->Checkable &= Comparable;
    return *Known;
  }
  if (Comparable && areDisjoint(XRange, YRange))
    return {};
  Conflict Unknown;
  Unknown.Forward = Unknown.Backward = true;
  Unknown.Checkable = Comparable;
  return Unknown;
}
