//===- LoopDistributionGraph.h - What of a loop needs what ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_TASKS_LOOPDISTRIBUTIONGRAPH_H
#define MLCOMPILER_GYM_SERVICE_TASKS_LOOPDISTRIBUTIONGRAPH_H

#include "LoopDistributionDependence.h"
#include "llvm/ADT/BitVector.h"
#include "llvm/Analysis/PostDominators.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/Instructions.h"
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mlcompiler {

/// Two accesses of a loop that may touch the same bytes, by their place in
/// the body.
struct MemoryEdge {
  unsigned First;
  unsigned Second;
  Conflict How;
};

/// What has to stay in one loop: a strongly connected component of the
/// dependence graph that has an effect, which is a store or a value that is
/// used after the loop.
struct LoopNode {
  /// Places in the body of the stores and of the values used later.
  std::vector<unsigned> Roots;
};

/// A store that leaves a value that nothing in the loop overwrites, so that a
/// later loop can load it instead of computing it again.
struct Reload {
  llvm::StoreInst *From;
  /// The conversion that undoes the truncation before the store, if there is
  /// one that loses nothing.
  std::optional<llvm::Instruction::CastOps> Widen;
  /// What of the store's address has to be computed ahead of its place.
  llvm::SmallVector<unsigned, 4> Moved;
};

/// The dependence graph of an innermost loop (Ferrante, Ottenstein and Warren
/// 1987): its vertices are the instructions, its edges go to an instruction
/// from those whose value it uses, from those it has to come after because of
/// memory, and from the branches that decide whether it is executed.
///
/// Groups of nodes become loops that run one after the other, each with the
/// instructions that its nodes need; what only computes is done again in
/// each. The branch at the end of the body and what it needs belong to no node
/// and are in every loop.
class LoopGraph {
public:
  struct Analyses {
    llvm::LoopInfo &LI;
    llvm::DominatorTree &DT;
    llvm::PostDominatorTree &PDT;
    llvm::ScalarEvolution &SE;
    llvm::AAResults &AA;
    const llvm::TargetLibraryInfo &TLI;
  };

  /// Null if \p L cannot be split, and \p Reason says why. Arrays of its values
  /// may take \p ArrayBytes of the stack.
  static std::unique_ptr<LoopGraph> build(llvm::Loop &L, const Analyses &A,
                                          uint64_t ArrayBytes,
                                          std::string &Reason);

  llvm::Loop &loop() const { return L; }
  /// All instructions, in an order that every path through the body follows.
  llvm::ArrayRef<llvm::Instruction *> body() const { return Body; }
  llvm::ArrayRef<MemoryEdge> memoryEdges() const { return Memory; }
  /// Pairs that are taken not to conflict, which a check of their ranges has
  /// to confirm before the loop if it matters.
  llvm::ArrayRef<MemoryEdge> checkablePairs() const { return Checkable; }
  /// In the order in which they are decided on: a topological one; where there
  /// is a choice, such that little is overwritten that is still to be read, and
  /// that of the source.
  llvm::ArrayRef<LoopNode> nodes() const { return Nodes; }
  /// Whether node \p To must not come in a loop before that of \p From.
  bool mustPrecede(unsigned From, unsigned To) const {
    return NodeEdges[From].test(To);
  }
  /// The node that an instruction is a root of; -1 if none.
  int nodeOf(const llvm::Instruction *I) const { return NodeOf[indexOf(I)]; }

  bool contains(const llvm::Value *V) const;
  unsigned indexOf(const llvm::Instruction *I) const { return Index.at(I); }
  /// Whether \p I is needed by the branch at the end of the body.
  bool isControl(unsigned I) const { return Control.test(I); }

  /// All that \p Roots need, and they themselves: places in the body.
  llvm::BitVector neededBy(llvm::ArrayRef<unsigned> Roots) const;
  /// Calls \p Visit with what must be in a loop that has instruction \p I:
  /// places in the body. Its operands are left out if \p ControlOnly.
  void forEachNeed(unsigned I, bool ControlOnly,
                   llvm::function_ref<void(unsigned)> Visit) const;
  /// Calls it with the operands of one instruction that lie in the loop.
  void forEachOperand(const llvm::Instruction *I,
                      llvm::function_ref<void(unsigned)> Visit) const;

  /// Where \p I can be loaded from after its loop; null if nowhere.
  const Reload *reloadOf(unsigned I) const {
    auto It = Reloads.find(I);
    return It == Reloads.end() ? nullptr : &It->second;
  }

  /// Elements of an array that holds a value of each iteration: the most
  /// iterations that there can be. 0 if that is not known or many, or if the
  /// function may recurse.
  uint64_t arrayElements() const { return ArrayElements; }
  /// What all arrays together may take of the stack.
  uint64_t arrayBytes() const { return ArrayBytes; }
  /// Bytes of one element for the value of \p Load.
  uint64_t elementBytes(unsigned Load) const;

  /// The block that every path from \p B goes through next.
  llvm::BasicBlock *postDominator(llvm::BasicBlock *B) const;

  DependenceTester &tester() { return Tester; }

private:
  LoopGraph(llvm::Loop &L, const Analyses &A, uint64_t ArrayBytes)
      : L(L), A(A), ArrayBytes(ArrayBytes), Tester(L, A.SE, A.AA, A.DT) {}

  std::string collectBody();
  bool bodyEndsInLatch() const;
  std::string refuse(llvm::Instruction &I);
  std::string findControl();
  void findControlDependences();
  void findMemoryEdges();
  void takeAsIndependent(std::vector<MemoryEdge> Pairs);
  void findNodes();
  void findReloads();
  void findArrays();
  void addReload(llvm::Value *V, Reload R, llvm::BitVector &Moved);
  std::vector<llvm::BitVector>
  findOverwrites(llvm::ArrayRef<LoopNode> Found) const;
  void orderNodes(std::vector<LoopNode> Found,
                  llvm::ArrayRef<llvm::BitVector> Reached);
  bool canMoveTo(const llvm::Value *V, const llvm::Instruction *Before,
                 llvm::BitVector &Moved) const;
  bool isCheap(unsigned I) const;
  /// What is reached from \p From along the edges.
  llvm::BitVector reach(unsigned From) const;

  llvm::Loop &L;
  const Analyses A;
  const uint64_t ArrayBytes;
  DependenceTester Tester;
  std::vector<llvm::Instruction *> Body;
  llvm::DenseMap<const llvm::Value *, unsigned> Index;
  /// Branches that decide whether a block is executed.
  llvm::DenseMap<const llvm::BasicBlock *, llvm::SmallVector<unsigned, 2>>
      ControlledBy;
  std::vector<MemoryEdge> Memory;
  std::vector<MemoryEdge> Checkable;
  std::vector<llvm::SmallVector<unsigned, 4>> Edges;
  llvm::BitVector Control;
  std::vector<LoopNode> Nodes;
  std::vector<int> NodeOf;
  std::vector<llvm::BitVector> NodeEdges;
  std::map<unsigned, Reload> Reloads;
  uint64_t ArrayElements = 0;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_LOOPDISTRIBUTIONGRAPH_H
