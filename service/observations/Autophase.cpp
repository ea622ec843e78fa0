//===- Autophase.cpp - The 56 counts of AutoPhase -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
//
// The features of Haj-Ali et al., "AutoPhase: Juggling HLS Phase Orderings in
// Random Forests with Deep Reinforcement Learning", 2020. They have the order
// that published policies expect. docs/observations.md says what is counted
// where the names leave it open.
//
//===----------------------------------------------------------------------===//

#include "VectorSource.h"
#include "llvm/Analysis/CFG.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/IR/CFG.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/Instructions.h"

using namespace llvm;
using namespace mlcompiler;

// An OPCODE is the number of instructions with one opcode. Every other count is
// an X.
#define FEATURES(X, OPCODE)                                                    \
  X(BBNumArgsHi)                                                               \
  X(BBNumArgsLo)                                                               \
  X(onePred)                                                                   \
  X(onePredOneSuc)                                                             \
  X(onePredTwoSuc)                                                             \
  X(oneSuccessor)                                                              \
  X(twoPred)                                                                   \
  X(twoPredOneSuc)                                                             \
  X(twoEach)                                                                   \
  X(twoSuccessor)                                                              \
  X(morePreds)                                                                 \
  X(BB03Phi)                                                                   \
  X(BBHiPhi)                                                                   \
  X(BBNoPhi)                                                                   \
  X(BeginPhi)                                                                  \
  X(BranchCount)                                                               \
  X(returnInt)                                                                 \
  X(CriticalCount)                                                             \
  X(NumEdges)                                                                  \
  X(const32Bit)                                                                \
  X(const64Bit)                                                                \
  X(numConstZeroes)                                                            \
  X(numConstOnes)                                                              \
  X(UncondBranches)                                                            \
  X(binaryConstArg)                                                            \
  OPCODE(AShr)                                                                 \
  OPCODE(Add)                                                                  \
  OPCODE(Alloca)                                                               \
  OPCODE(And)                                                                  \
  X(BlockMid)                                                                  \
  X(BlockLow)                                                                  \
  OPCODE(BitCast)                                                              \
  OPCODE(Br)                                                                   \
  OPCODE(Call)                                                                 \
  OPCODE(GetElementPtr)                                                        \
  OPCODE(ICmp)                                                                 \
  OPCODE(LShr)                                                                 \
  OPCODE(Load)                                                                 \
  OPCODE(Mul)                                                                  \
  OPCODE(Or)                                                                   \
  OPCODE(PHI)                                                                  \
  OPCODE(Ret)                                                                  \
  OPCODE(SExt)                                                                 \
  OPCODE(Select)                                                               \
  OPCODE(Shl)                                                                  \
  OPCODE(Store)                                                                \
  OPCODE(Sub)                                                                  \
  OPCODE(Trunc)                                                                \
  OPCODE(Xor)                                                                  \
  OPCODE(ZExt)                                                                 \
  X(TotalBlocks)                                                               \
  X(TotalInsts)                                                                \
  X(TotalMemInst)                                                              \
  X(TotalFuncs)                                                                \
  X(ArgsPhi)                                                                   \
  X(testUnary)

namespace {

enum Feature {
#define X(Name) Name,
#define OPCODE(Name) Num##Name##Inst,
  FEATURES(X, OPCODE)
#undef X
#undef OPCODE
      NumFeatures
};

static_assert(NumFeatures == 56);

constexpr char Columns[] =
#define X(Name) ", " #Name
#define OPCODE(Name) ", Num" #Name "Inst"
    FEATURES(X, OPCODE)
#undef X
#undef OPCODE
    ;

/// Counts the features of some blocks.
class Counter {
public:
  void addBlock(const BasicBlock &BB);
  void addFunction() { ++Counts[TotalFuncs]; }
  void addTo(MutableArrayRef<double> Row) const;

private:
  void addShape(const BasicBlock &BB);
  void addInstruction(const Instruction &I);
  void addConstant(const ConstantInt &C);

  uint64_t Counts[NumFeatures] = {};
  uint64_t Opcodes[Instruction::OtherOpsEnd] = {};
};

} // namespace

void Counter::addConstant(const ConstantInt &C) {
  const unsigned Bits = C.getBitWidth();
  Counts[const32Bit] += Bits == 32;
  Counts[const64Bit] += Bits == 64;
  Counts[numConstZeroes] += C.isZero();
  Counts[numConstOnes] += C.isOne();
}

void Counter::addInstruction(const Instruction &I) {
  ++Opcodes[I.getOpcode()];
  for (const Use &Operand : I.operands())
    if (const auto *C = dyn_cast<ConstantInt>(&*Operand))
      addConstant(*C);
  Counts[testUnary] += isa<UnaryInstruction>(I);
  if (isa<BinaryOperator>(I)) {
    Counts[binaryConstArg] +=
        isa<Constant>(I.getOperand(0)) || isa<Constant>(I.getOperand(1));
  } else if (const auto *Call = dyn_cast<CallInst>(&I)) {
    const Function *Callee = Call->getCalledFunction();
    Counts[returnInt] += Callee && Callee->getReturnType()->isIntegerTy();
  } else if (const auto *Branch = dyn_cast<BranchInst>(&I)) {
    Counts[UncondBranches] += Branch->isUnconditional();
  } else if (const auto *Switch = dyn_cast<SwitchInst>(&I)) {
    // When the features were defined, the values of cases were operands like
    // others.
    for (const auto &Case : Switch->cases())
      addConstant(*Case.getCaseValue());
  }
}

void Counter::addShape(const BasicBlock &BB) {
  const Instruction &Last = *BB.getTerminator();
  const unsigned Succs = Last.getNumSuccessors();
  Counts[NumEdges] += Succs;
  for (unsigned I = 0; I != Succs; ++I)
    Counts[CriticalCount] += isCriticalEdge(&Last, I);
  const size_t Preds = pred_size(&BB);
  Counts[oneSuccessor] += Succs == 1;
  Counts[twoSuccessor] += Succs == 2;
  Counts[onePred] += Preds == 1;
  Counts[twoPred] += Preds == 2;
  Counts[morePreds] += Preds > 2;
  Counts[onePredOneSuc] += Preds == 1 && Succs == 1;
  Counts[onePredTwoSuc] += Preds == 1 && Succs == 2;
  Counts[twoPredOneSuc] += Preds == 2 && Succs == 1;
  Counts[twoEach] += Preds == 2 && Succs == 2;
}

void Counter::addBlock(const BasicBlock &BB) {
  ++Counts[TotalBlocks];
  addShape(BB);
  uint64_t Insts = 0;
  for (const Instruction &I : BB) {
    ++Insts;
    addInstruction(I);
  }
  uint64_t Phis = 0;
  uint64_t Args = 0;
  for (const PHINode &Phi : BB.phis()) {
    ++Phis;
    Args += Phi.getNumIncomingValues();
  }
  Counts[BeginPhi] += Phis > 0;
  Counts[BBNoPhi] += Phis == 0;
  Counts[BB03Phi] += Phis >= 1 && Phis <= 3;
  Counts[BBHiPhi] += Phis > 3;
  Counts[ArgsPhi] += Args;
  Counts[BBNumArgsLo] += Args >= 1 && Args <= 5;
  Counts[BBNumArgsHi] += Args > 5;
  Counts[TotalInsts] += Insts;
  Counts[BlockLow] += Insts < 15;
  Counts[BlockMid] += Insts >= 15 && Insts <= 500;
}

void Counter::addTo(MutableArrayRef<double> Row) const {
  for (size_t I = 0; I != NumFeatures; ++I)
    Row[I] += static_cast<double>(Counts[I]);
#define X(Name)
#define OPCODE(Name)                                                           \
  Row[Num##Name##Inst] += static_cast<double>(Opcodes[Instruction::Name]);
  FEATURES(X, OPCODE)
#undef X
#undef OPCODE
  Row[BranchCount] += static_cast<double>(Opcodes[Instruction::Br]);
  static constexpr unsigned Memory[] = {
      Instruction::GetElementPtr, Instruction::Load,   Instruction::Store,
      Instruction::Call,          Instruction::Invoke, Instruction::Alloca};
  for (unsigned Opcode : Memory)
    Row[TotalMemInst] += static_cast<double>(Opcodes[Opcode]);
}

namespace {

class Autophase : public VectorSource {
  void describeVector(proto::TensorSpec &Spec) const override {
    Spec.set_dtype(proto::INT64);
    Spec.add_shape(NumFeatures);
    Spec.set_high(std::numeric_limits<float>::max());
    Spec.set_doc(std::string("Counts; columns: ") + (Columns + 2));
  }

  void addFunction(Function &F, Row To) override {
    Counter Count;
    Count.addFunction();
    for (const BasicBlock &BB : F)
      Count.addBlock(BB);
    Count.addTo(To);
  }

  bool hasLoops() const override { return true; }

  void addLoop(Loop &L, Row To) override {
    Counter Count;
    for (const BasicBlock *BB : L.blocks())
      Count.addBlock(*BB);
    Count.addTo(To);
  }
};

} // namespace

static ObservationRegistry::Add<Autophase>
    X("autophase", "The 56 counts of AutoPhase (Haj-Ali et al., 2020).");
