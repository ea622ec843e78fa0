//===- LoopDistributionTransform.cpp - One loop becomes several -----------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// The loops are copies of the original loop, from which everything that they
/// do not need is deleted. The original is the last of them.
///
//===----------------------------------------------------------------------===//

#include "LoopDistributionTransform.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/MDBuilder.h"
#include "llvm/Transforms/Utils/BasicBlockUtils.h"
#include "llvm/Transforms/Utils/Cloning.h"
#include "llvm/Transforms/Utils/Local.h"
#include "llvm/Transforms/Utils/ScalarEvolutionExpander.h"
#include <array>
#include <set>

using namespace llvm;
using namespace mlcompiler;

/// Copies a loop's metadata. It is the loop's identity, so each loop needs its
/// own.
static void copyLoopID(MDNode *ID, BasicBlock *Latch) {
  if (!ID)
    return;
  SmallVector<Metadata *> Operands{nullptr};
  for (const MDOperand &Operand : drop_begin(ID->operands()))
    Operands.push_back(Operand);
  MDNode *Copy = MDNode::getDistinct(ID->getContext(), Operands);
  Copy->replaceOperandWith(0, Copy);
  Latch->getTerminator()->setMetadata(LLVMContext::MD_loop, Copy);
}

namespace {

/// One of the loops. It maps the original body's instructions and blocks to its
/// own.
class Copy {
public:
  Copy(const LoopGraph &G, const LoopGroup &Group, ArrayRef<Value *> Arrays,
       ValueToValueMapTy *Map)
      : G(G), Group(Group), Arrays(Arrays), Map(Map) {}

  template <typename T> T *of(T *Original) const {
    return Map ? cast<T>((*Map)[Original]) : Original;
  }
  /// Deletes what the group does not need.
  void prune();

private:
  Value *insertLoad(unsigned I, const Reload &R);
  PHINode *insertCounter();
  void insertArrayAccesses();
  void foldBranch(BasicBlock *B);

  const LoopGraph &G;
  const LoopGroup &Group;
  /// The arrays, by the place of the load whose values they hold.
  const ArrayRef<Value *> Arrays;
  ValueToValueMapTy *const Map;
};

class Distributor {
public:
  Distributor(LoopGraph &G, const LoopPlan &Plan, LoopInfo &LI,
              DominatorTree &DT, ScalarEvolution &SE)
      : G(G), L(G.loop()), Plan(Plan), LI(LI), DT(DT), SE(SE) {}

  void run();

private:
  Value *expandCheck(Instruction *Before);
  void version();
  void makeArrays();
  void boundLifetimes();
  void rewireUsesBehind();

  LoopGraph &G;
  Loop &L;
  const LoopPlan &Plan;
  LoopInfo &LI;
  DominatorTree &DT;
  ScalarEvolution &SE;
  std::vector<std::unique_ptr<ValueToValueMapTy>> Maps;
  std::vector<Value *> Arrays;
  std::vector<Copy> Copies;
  /// The preheader of each loop.
  std::vector<BasicBlock *> Preheaders;
};

} // namespace

Value *Copy::insertLoad(unsigned I, const Reload &R) {
  Instruction *V = of(G.body()[I]);
  IRBuilder<> Builder(V);
  if (isa<PHINode>(V))
    Builder.SetInsertPoint(V->getParent()->getFirstInsertionPt());
  DenseMap<Value *, Value *> Moved;
  for (unsigned M : R.Moved) {
    Instruction *Original = of(G.body()[M]);
    Instruction *Ahead = Original->clone();
    for (Use &Operand : Ahead->operands())
      if (Value *New = Moved.lookup(Operand))
        Operand = New;
    Builder.Insert(Ahead, Original->getName());
    Moved[Original] = Ahead;
  }
  StoreInst *From = of(R.From);
  Value *Address = From->getPointerOperand();
  if (Value *New = Moved.lookup(Address))
    Address = New;
  LoadInst *Load =
      Builder.CreateAlignedLoad(From->getValueOperand()->getType(), Address,
                                From->getAlign(), V->getName());
  Load->setAAMetadata(From->getAAMetadata());
  return R.Widen ? Builder.CreateCast(*R.Widen, Load, V->getType()) : Load;
}

/// Inserts a counter of iterations.
PHINode *Copy::insertCounter() {
  BasicBlock *Header = of(G.loop().getHeader());
  BasicBlock *Latch = of(G.loop().getLoopLatch());
  IRBuilder<> Builder(Header, Header->begin());
  Type *Ty = Builder.getInt64Ty();
  PHINode *Counter = Builder.CreatePHI(Ty, 2, "iteration");
  for (BasicBlock *From : predecessors(Header)) {
    Value *Number = ConstantInt::get(Ty, 0);
    if (From == Latch) {
      Builder.SetInsertPoint(Latch->getTerminator());
      Number = Builder.CreateAdd(Counter, ConstantInt::get(Ty, 1),
                                 "iteration.next", /*HasNUW=*/true,
                                 /*HasNSW=*/true);
    }
    Counter->addIncoming(Number, From);
  }
  return Counter;
}

void Copy::insertArrayAccesses() {
  if (Group.Kept.empty() && Group.Taken.empty())
    return;
  PHINode *Counter = insertCounter();
  IRBuilder<> Builder(Counter->getContext());
  auto Element = [&](unsigned I, Instruction *At) {
    Builder.SetInsertPoint(At);
    return Builder.CreateInBoundsGEP(G.body()[I]->getType(), Arrays[I],
                                     Counter);
  };
  for (unsigned I : Group.Kept) {
    Instruction *V = of(G.body()[I]);
    Builder.CreateStore(V, Element(I, V->getNextNode()));
  }
  for (unsigned I : Group.Taken) {
    Instruction *V = of(G.body()[I]);
    Value *Address = Element(I, V);
    LoadInst *Load = Builder.CreateLoad(V->getType(), Address, V->getName());
    V->replaceAllUsesWith(Load);
    V->eraseFromParent();
  }
}

/// Leaves out the blocks between a branch that nothing depends on and the block
/// in which all its ways meet.
void Copy::foldBranch(BasicBlock *B) {
  BasicBlock *Here = of(B);
  BasicBlock *Join = of(G.postDominator(B));
  for (BasicBlock *S : successors(Here))
    S->removePredecessor(Here, /*KeepOneInputPHIs=*/true);
  Instruction *Old = Here->getTerminator();
  BranchInst *New = BranchInst::Create(Join, Old->getIterator());
  New->setDebugLoc(Old->getDebugLoc());
  Old->eraseFromParent();
}

void Copy::prune() {
  insertArrayAccesses();
  SmallVector<std::pair<Instruction *, Value *>> Loads;
  for (const auto &[I, R] : Group.Reloads)
    Loads.push_back({of(G.body()[I]), insertLoad(I, *R)});
  // Loads are replaced when all are there, because one may be in the address of
  // another. The map would follow the replacement.
  for (auto [V, Load] : Loads) {
    V->replaceAllUsesWith(Load);
    V->eraseFromParent();
  }
  SmallVector<BasicBlock *> Unneeded;
  for (unsigned I = G.body().size(); I-- != 0;) {
    if (Group.Needed.test(I))
      continue;
    Instruction *Original = G.body()[I];
    if (Original->isTerminator()) {
      if (Original->getNumSuccessors() > 1)
        Unneeded.push_back(Original->getParent());
      continue;
    }
    Instruction *Here = of(Original);
    // The users of the instruction are not needed either.
    Here->replaceAllUsesWith(PoisonValue::get(Here->getType()));
    Here->eraseFromParent();
  }
  for (BasicBlock *B : Unneeded)
    foldBranch(B);
}

/// Emits a check whether any pair of ranges overlaps, or may overlap because
/// one wraps.
Value *Distributor::expandCheck(Instruction *Before) {
  SCEVExpander Expander(SE, "distribution");
  IRBuilder<> Builder(Before);
  Value *Overlap = nullptr;
  std::set<std::array<const SCEV *, 4>> Done;
  std::set<std::array<const SCEV *, 2>> Ordered;
  auto Expand = [&](const SCEV *S) {
    return Expander.expandCodeFor(S, S->getType(), Before);
  };
  // Each pair is frozen by itself. If an address is poison, its access is never
  // executed. That must not hide that other ranges overlap.
  auto AddTo = [&](Value *Meet) {
    Meet = Builder.CreateFreeze(Meet);
    Overlap = Overlap ? Builder.CreateOr(Overlap, Meet) : Meet;
  };
  auto AddWrap = [&](const AccessRange &R, Value *Low, Value *High) {
    if (!R.MayWrap || !Ordered.insert({R.Low, R.High}).second)
      return;
    AddTo(Builder.CreateICmpULT(High, Low));
    if (!R.Backedges)
      return;
    Value *Backedges = Expand(R.Backedges);
    Builder.SetInsertPoint(Before);
    AddTo(Builder.CreateICmpUGT(
        Backedges, ConstantInt::get(Backedges->getType(), R.MostBackedges)));
  };
  for (const MemoryEdge &E : Plan.Checks) {
    const AccessRange X = G.tester().range(*G.body()[E.First]);
    const AccessRange Y = G.tester().range(*G.body()[E.Second]);
    if (!Done.insert({X.Low, X.High, Y.Low, Y.High}).second)
      continue;
    Value *XLow = Expand(X.Low), *XHigh = Expand(X.High);
    Value *YLow = Expand(Y.Low), *YHigh = Expand(Y.High);
    Builder.SetInsertPoint(Before);
    AddTo(Builder.CreateAnd(Builder.CreateICmpULT(XLow, YHigh),
                            Builder.CreateICmpULT(YLow, XHigh)));
    AddWrap(X, XLow, XHigh);
    AddWrap(Y, YLow, YHigh);
  }
  return Overlap;
}

/// Keeps a copy of the original loop beside the one that is split, for when the
/// check fails.
void Distributor::version() {
  BasicBlock *Check = L.getLoopPreheader();
  BasicBlock *Exit = L.getExitBlock();
  BasicBlock *Latch = L.getLoopLatch();
  BasicBlock *Preheader = SplitBlock(Check, Check->getTerminator(), &DT, &LI);
  Value *Overlap = expandCheck(Check->getTerminator());
  // The values of both loops meet in a block behind the exit.
  BasicBlock *Join = SplitBlock(Exit, Exit->getFirstNonPHIIt(), &DT, &LI);
  BasicBlock *OtherExit = BasicBlock::Create(
      Exit->getContext(), Exit->getName() + ".whole", Exit->getParent(), Join);
  ValueToValueMapTy Map;
  SmallVector<BasicBlock *> Blocks;
  Loop *Whole = cloneLoopWithPreheader(Preheader, Check, &L, Map, ".whole", &LI,
                                       &DT, Blocks);
  Map[Exit] = OtherExit;
  remapInstructionsInBlocks(Blocks, Map);
  copyLoopID(L.getLoopID(), cast<BasicBlock>(Map[Latch]));
  IRBuilder<> Builder(OtherExit);
  for (PHINode &Phi : make_early_inc_range(Exit->phis())) {
    Builder.SetInsertPoint(OtherExit);
    Value *V = Phi.getIncomingValueForBlock(Latch);
    PHINode *Other = Builder.CreatePHI(Phi.getType(), 1, Phi.getName());
    if (Value *Mapped = Map.lookup(V))
      V = Mapped;
    Other->addIncoming(V, cast<BasicBlock>(Map[Latch]));
    Builder.SetInsertPoint(Join, Join->begin());
    PHINode *Both = Builder.CreatePHI(Phi.getType(), 2, Phi.getName());
    Phi.replaceAllUsesWith(Both);
    Both->addIncoming(&Phi, Exit);
    Both->addIncoming(Other, OtherExit);
  }
  Builder.SetInsertPoint(OtherExit);
  Builder.CreateBr(Join);
  Check->getTerminator()->eraseFromParent();
  Builder.SetInsertPoint(Check);
  Builder.CreateCondBr(
      Overlap, Whole->getLoopPreheader(), Preheader,
      MDBuilder(Check->getContext()).createUnlikelyBranchWeights());
  DT.recalculate(*Exit->getParent());
}

/// Makes the arrays on the stack for values that cross loops.
void Distributor::makeArrays() {
  Arrays.resize(G.body().size());
  Function &F = *L.getHeader()->getParent();
  IRBuilder<> Builder(&F.getEntryBlock(),
                      F.getEntryBlock().getFirstInsertionPt());
  for (const LoopGroup &Group : Plan.Groups)
    for (unsigned I : Group.Kept) {
      Type *Of = G.body()[I]->getType();
      Arrays[I] = Builder.CreateAlloca(ArrayType::get(Of, Plan.ArrayElements),
                                       /*ArraySize=*/nullptr,
                                       G.body()[I]->getName() + ".crossing");
    }
}

/// Lets the arrays live from before the loops to behind them, so that arrays of
/// other loops may have the same place. This is done when all loops are there,
/// because the preheader is copied with them.
void Distributor::boundLifetimes() {
  IRBuilder<> Builder(Preheaders.front()->getTerminator());
  for (Value *Array : Arrays)
    if (Array)
      Builder.CreateLifetimeStart(Array);
  BasicBlock *Exit = L.getExitBlock();
  Builder.SetInsertPoint(Exit, Exit->getFirstInsertionPt());
  for (Value *Array : Arrays)
    if (Array)
      Builder.CreateLifetimeEnd(Array);
}

/// Rewires the values that are used after the loops, and that the last loop
/// does not compute.
void Distributor::rewireUsesBehind() {
  for (PHINode &Phi : L.getExitBlock()->phis()) {
    auto *V =
        dyn_cast<Instruction>(Phi.getIncomingValueForBlock(L.getLoopLatch()));
    if (!V || !G.contains(V) || Plan.Groups.back().Needed.test(G.indexOf(V)))
      continue;
    const unsigned From = Plan.computedBy(G.indexOf(V));
    BasicBlock *Exit = Preheaders[From + 1];
    auto *Out = PHINode::Create(V->getType(), 1, V->getName() + ".lcssa",
                                Exit->begin());
    Out->addIncoming(Copies[From].of<Instruction>(V),
                     Copies[From].of(L.getLoopLatch()));
    Phi.setIncomingValueForBlock(L.getLoopLatch(), Out);
  }
}

void Distributor::run() {
  if (!Plan.Checks.empty())
    version();
  makeArrays();
  BasicBlock *Before = L.getLoopPreheader();
  BasicBlock *Preheader = SplitBlock(Before, Before->getTerminator(), &DT, &LI);
  BasicBlock *Exit = L.getExitBlock();
  const size_t Count = Plan.Groups.size();
  Preheaders.assign(Count, Preheader);
  Maps.resize(Count);
  for (size_t Group = Count - 1; Group-- != 0;) {
    Maps[Group] = std::make_unique<ValueToValueMapTy>();
    ValueToValueMapTy &Map = *Maps[Group];
    SmallVector<BasicBlock *> Blocks;
    Loop *New =
        cloneLoopWithPreheader(Preheaders[Group + 1], Before, &L, Map,
                               ".part" + Twine(Group), &LI, &DT, Blocks);
    Map[Exit] = Preheaders[Group + 1];
    remapInstructionsInBlocks(Blocks, Map);
    Preheaders[Group] = New->getLoopPreheader();
    copyLoopID(L.getLoopID(), cast<BasicBlock>(Map[L.getLoopLatch()]));
  }
  Before->getTerminator()->replaceUsesOfWith(Preheader, Preheaders.front());
  for (size_t Group = 0; Group != Count; ++Group)
    Copies.emplace_back(G, Plan.Groups[Group], Arrays, Maps[Group].get());
  rewireUsesBehind();
  for (Copy &C : Copies)
    C.prune();
  boundLifetimes();
  removeUnreachableBlocks(*Exit->getParent());
}

void mlcompiler::distributeLoop(LoopGraph &G, const LoopPlan &Plan,
                                LoopInfo &LI, DominatorTree &DT,
                                ScalarEvolution &SE) {
  Distributor(G, Plan, LI, DT, SE).run();
}
