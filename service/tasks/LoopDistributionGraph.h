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

/// Two accesses of a loop that may touch the same bytes, by their places in the
/// body.
struct MemoryEdge {
  unsigned First;
  unsigned Second;
  Conflict How;
};

/// Instructions that have to stay in one loop: a strongly connected component
/// of the dependence graph that has an effect. An effect is a store, or a value
/// that is used after the loop.
struct LoopNode {
  /// The places in the body of the stores, and of the values used later.
  std::vector<unsigned> Roots;
};

/// A store whose value nothing in the loop overwrites, so that a later loop can
/// load the value instead of computing it again.
struct Reload {
  llvm::StoreInst *From;
  /// The conversion that undoes the truncation before the store, if the
  /// truncation loses nothing.
  std::optional<llvm::Instruction::CastOps> Widen;
  /// The instructions of the store's address that have to be moved up.
  llvm::SmallVector<unsigned, 4> Moved;
};

/// The dependence graph of an innermost loop (Ferrante, Ottenstein and Warren
/// 1987). Its vertices are the instructions. An edge goes to an instruction
/// from each instruction whose value it uses, from each that must come before
/// it because of memory, and from each branch that decides whether it is
/// executed.
///
/// Groups of nodes become loops that run one after the other. Each loop has the
/// instructions that its nodes need, so that an instruction without an effect
/// may be in several. The branch at the end of the body, and what it needs,
/// belong to no node and are in every loop.
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

  /// Returns null if \p L cannot be split; \p Reason then says why. Arrays of
  /// its values may take \p ArrayBytes of the stack.
  static std::unique_ptr<LoopGraph> build(llvm::Loop &L, const Analyses &A,
                                          uint64_t ArrayBytes,
                                          std::string &Reason);

  llvm::Loop &loop() const { return L; }
  /// All instructions, in an order that every path through the body follows.
  llvm::ArrayRef<llvm::Instruction *> body() const { return Body; }
  llvm::ArrayRef<MemoryEdge> memoryEdges() const { return Memory; }
  /// Pairs that are assumed not to conflict. If it matters, a check of their
  /// ranges has to confirm that before the loop.
  llvm::ArrayRef<MemoryEdge> checkablePairs() const { return Checkable; }
  /// The nodes in the order in which they are decided on. It is a topological
  /// order. Where there is a choice, it avoids overwriting what a later node
  /// reads, and then follows the source.
  llvm::ArrayRef<LoopNode> nodes() const { return Nodes; }
  /// Whether the loop of node \p To must not come before the loop of node
  /// \p From.
  bool mustPrecede(unsigned From, unsigned To) const {
    return NodeEdges[From].test(To);
  }
  /// The node that an instruction is a root of; -1 if there is none.
  int nodeOf(const llvm::Instruction *I) const { return NodeOf[indexOf(I)]; }

  bool contains(const llvm::Value *V) const;
  unsigned indexOf(const llvm::Instruction *I) const { return Index.at(I); }
  /// Whether \p I is needed by the branch at the end of the body.
  bool isControl(unsigned I) const { return Control.test(I); }

  /// The places in the body of \p Roots, and of everything that they need.
  llvm::BitVector neededBy(llvm::ArrayRef<unsigned> Roots) const;
  /// Calls \p Visit with the place of each instruction that must be in a loop
  /// with instruction \p I. Operands are left out if \p ControlOnly.
  void forEachNeed(unsigned I, bool ControlOnly,
                   llvm::function_ref<void(unsigned)> Visit) const;
  /// Calls \p Visit with the places of those operands of \p I that lie in the
  /// loop.
  void forEachOperand(const llvm::Instruction *I,
                      llvm::function_ref<void(unsigned)> Visit) const;

  /// Where the value of \p I can be loaded from after its loop; null if
  /// nowhere.
  const Reload *reloadOf(unsigned I) const {
    auto It = Reloads.find(I);
    return It == Reloads.end() ? nullptr : &It->second;
  }

  /// Elements of an array with a value for each iteration, which is the most
  /// iterations that there can be. 0 if that is unknown or too many, or if the
  /// function may recurse.
  uint64_t arrayElements() const { return ArrayElements; }
  /// Bytes of the stack that all arrays together may take.
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
  /// The places that can be reached from \p From along the edges.
  llvm::BitVector reach(unsigned From) const;

  llvm::Loop &L;
  const Analyses A;
  const uint64_t ArrayBytes;
  DependenceTester Tester;
  std::vector<llvm::Instruction *> Body;
  llvm::DenseMap<const llvm::Value *, unsigned> Index;
  /// The branches that decide whether a block is executed.
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
