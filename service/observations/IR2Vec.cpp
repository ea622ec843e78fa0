//===- IR2Vec.cpp - IR2Vec embeddings -------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Computes what LLVM's ir2vec::Embedder computes, except for rounding. LLVM
/// makes a vector for each instruction. But the result is linear in the seed
/// embeddings. So this counts how often each entity enters, and multiplies
/// once.
///
//===----------------------------------------------------------------------===//

#include "IR2VecCounts.h"
#include "VectorSource.h"
#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/DepthFirstIterator.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/IR/CFG.h"
#include "llvm/IR/InstrTypes.h"
#include "llvm/IR/IntrinsicInst.h"
#include <limits>

using namespace llvm;
using namespace mlcompiler;

namespace {

/// The blocks that a walk has reached, by their numbers.
class BlockSet {
public:
  explicit BlockSet(const Function &F) : Seen(F.getMaxBlockNumber()) {}

  std::pair<unsigned, bool> insert(const BasicBlock *BB) {
    const unsigned Number = BB->getNumber();
    if (Seen.test(Number))
      return {Number, false};
    Seen.set(Number);
    return {Number, true};
  }
  void completed(const BasicBlock *) {}

private:
  BitVector Seen;
};

class IR2Vec : public VectorSource {
protected:
  explicit IR2Vec(size_t Dimension) : Dimension(Dimension) {}

  void describeVector(proto::TensorSpec &Spec) const final;
  Error prepare(Compilation &C) final {
    return Seed.isLoaded() ? Error::success() : Seed.load(Dimension);
  }
  bool hasLoops() const final { return true; }
  bool hasCallSites() const final { return true; }

  const size_t Dimension;
  Seeds Seed;
};

class Symbolic : public IR2Vec {
protected:
  using IR2Vec::IR2Vec;

  void addFunction(Function &F, Row To) final;
  void addLoop(Loop &L, Row To) final;
  void addCallSite(CallBase &Call, Row To) final;
};

class FlowAware : public IR2Vec {
protected:
  using IR2Vec::IR2Vec;

  void addFunction(Function &F, Row To) final;
  void addLoop(Loop &L, Row To) final;
  void addCallSite(CallBase &Call, Row To) final;
};

template <typename Kind, size_t Dimension> class Sized final : public Kind {
public:
  Sized() : Kind(Dimension) {}
};

} // namespace

static ObservationRegistry::Add<Sized<Symbolic, 75>>
    X75("ir2vec",
        "IR2Vec's symbolic embedding: the sum of the seed embeddings of the "
        "opcode, type, operands and predicate of each instruction that can be "
        "reached, weighted 1, 0.5, 0.2 and 0.2. Source: VenkataKeerthy et al., "
        "TACO 2020; llvm/Analysis/IR2Vec.h.");
static ObservationRegistry::Add<Sized<Symbolic, 300>>
    X300("ir2vec-300d", "As ir2vec, with seed embeddings of 300 dimensions.");
static ObservationRegistry::Add<Sized<FlowAware, 75>>
    F75("ir2vec-flow-aware",
        "IR2Vec's flow-aware embedding as LLVM simplifies it: as ir2vec, but "
        "an operand that an earlier instruction computes counts with that "
        "instruction's vector. It may be huge, or infinite, where much is "
        "computed from little. Source: VenkataKeerthy et al., TACO 2020; "
        "llvm/Analysis/IR2Vec.h.");
static ObservationRegistry::Add<Sized<FlowAware, 300>>
    F300("ir2vec-flow-aware-300d",
         "As ir2vec-flow-aware, with seed embeddings of 300 dimensions.");

void IR2Vec::describeVector(proto::TensorSpec &Spec) const {
  Spec.set_dtype(proto::FLOAT32);
  Spec.add_shape(static_cast<int64_t>(Dimension));
  setBounds(Spec, -std::numeric_limits<float>::max(),
            std::numeric_limits<float>::max());
  Spec.set_doc("the embedding, of no unit and not normalised");
}

/// Whether LLVM leaves out an instruction.
static bool isSkipped(const Instruction &I) {
  return isa<DbgInfoIntrinsic, PseudoProbeInst>(I);
}

//===----------------------------------------------------------------------===//
// Symbolic
//===----------------------------------------------------------------------===//

static void countBlock(const BasicBlock &BB, Counts<unsigned> &To) {
  for (const Instruction &I : BB)
    if (!isSkipped(I))
      countInstruction(I, To);
}

void Symbolic::addFunction(Function &F, Row To) {
  Counts<unsigned> Found;
  BlockSet Reached(F);
  for (const BasicBlock *BB : depth_first_ext(&F, Reached))
    countBlock(*BB, Found);
  Found.multiply(Seed, To);
}

void Symbolic::addLoop(Loop &L, Row To) {
  Counts<unsigned> Found;
  for (const BasicBlock *BB : L.blocks())
    countBlock(*BB, Found);
  Found.multiply(Seed, To);
}

void Symbolic::addCallSite(CallBase &Call, Row To) {
  Counts<unsigned> Found;
  countInstruction(Call, Found);
  Found.multiply(Seed, To);
}

//===----------------------------------------------------------------------===//
// Flow-aware
//===----------------------------------------------------------------------===//

namespace {

/// Counts how often entities enter the vectors of instructions, which LLVM
/// computes block by block. It goes backwards through the instructions: how
/// often one counts is known once all instructions that use it have been seen.
class Flow {
public:
  explicit Flow(const Function &F) : Positions(F.getMaxBlockNumber()) {}

  void append(const BasicBlock &BB) {
    Blocks.push_back(&BB);
    Positions[BB.getNumber()] = Blocks.size();
  }

  /// Asks for the vector of an instruction to be counted.
  void want(const Instruction &I) { Times[&I] += 1; }
  /// The same for all instructions of a block.
  void want(const BasicBlock &BB) {
    for (const Instruction &I : BB)
      if (!isSkipped(I))
        want(I);
  }

  void countWanted(Counts<double> &To);
  /// Counts all instructions. The blocks must be the reachable ones, in the
  /// order of a depth-first walk.
  void countAll(Counts<double> &To);

private:
  /// Whether \p Operand has a vector when that of \p I is computed. If not,
  /// LLVM treats it like any other operand.
  bool isBefore(const Instruction &Operand, const Instruction &I) const;
  template <typename Before>
  void count(const Instruction &I, double Often, Before IsBefore,
             Counts<double> &To);

  SmallVector<const BasicBlock *, 32> Blocks;
  /// The place of each block by its number: 1 for the first of Blocks, 0 for a
  /// block that is not among them.
  SmallVector<unsigned, 32> Positions;
  DenseMap<const Instruction *, double> Times;
};

} // namespace

bool Flow::isBefore(const Instruction &Operand, const Instruction &I) const {
  const BasicBlock *Of = Operand.getParent();
  if (Of == I.getParent())
    return Operand.comesBefore(&I);
  const unsigned Position = Positions[Of->getNumber()];
  return Position && Position < Positions[I.getParent()->getNumber()];
}

template <typename Before>
void Flow::count(const Instruction &I, double Often, Before IsBefore,
                 Counts<double> &To) {
  To.add(I, Often);
  for (const Use &Use : I.operands()) {
    const auto *Operand = dyn_cast<Instruction>(Use);
    if (Operand && IsBefore(*Operand, I))
      Times[Operand] += Often;
    else
      To.addOperand(*Use, Often);
  }
}

void Flow::countWanted(Counts<double> &To) {
  for (const BasicBlock *BB : reverse(Blocks))
    for (const Instruction &I : reverse(*BB))
      if (auto Found = Times.find(&I); Found != Times.end())
        count(
            I, double(Found->second),
            [this](const Instruction &Operand, const Instruction &I) {
              return isBefore(Operand, I);
            },
            To);
}

void Flow::countAll(Counts<double> &To) {
  for (const BasicBlock *BB : reverse(Blocks))
    for (const Instruction &I : reverse(*BB)) {
      if (isSkipped(I))
        continue;
      count(
          I, 1 + (I.use_empty() ? 0 : Times.lookup(&I)),
          [this](const Instruction &Operand, const Instruction &I) {
            // An instruction comes before the instructions that it dominates.
            return !isa<PHINode>(I) || isBefore(Operand, I);
          },
          To);
    }
}

void FlowAware::addFunction(Function &F, Row To) {
  Flow All(F);
  BlockSet Reached(F);
  for (const BasicBlock *BB : depth_first_ext(&F, Reached))
    All.append(*BB);
  Counts<double> Found;
  All.countAll(Found);
  Found.multiply(Seed, To);
}

/// Goes through the blocks in the order of the function, as llvm-ir2vec does.
void FlowAware::addLoop(Loop &L, Row To) {
  const Function &F = *L.getHeader()->getParent();
  Flow All(F);
  for (const BasicBlock &BB : F) {
    All.append(BB);
    if (L.contains(&BB))
      All.want(BB);
  }
  Counts<double> Found;
  All.countWanted(Found);
  Found.multiply(Seed, To);
}

void FlowAware::addCallSite(CallBase &Call, Row To) {
  Flow All(*Call.getFunction());
  for (const BasicBlock &BB : *Call.getFunction()) {
    All.append(BB);
    if (&BB == Call.getParent())
      break;
  }
  All.want(Call);
  Counts<double> Found;
  All.countWanted(Found);
  Found.multiply(Seed, To);
}
