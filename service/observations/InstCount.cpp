//===- InstCount.cpp - A histogram of opcodes -----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "VectorSource.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/IR/Instructions.h"

using namespace llvm;
using namespace mlcompiler;

// The two opcodes that passes may use for themselves are left out: no
// instruction of a valid module has one of them.
static constexpr unsigned Opcodes[] = {
#define HANDLE_INST(Number, Opcode, Class) Instruction::Opcode,
#define HANDLE_USER_INST(Number, Opcode, Class)
#include "llvm/IR/Instruction.def"
};
static constexpr size_t Total = std::size(Opcodes);

namespace {

class InstCount : public VectorSource {
  using Counts = std::array<uint64_t, Instruction::OtherOpsEnd>;

  void describeVector(proto::TensorSpec &Spec) const override {
    Spec.set_dtype(proto::INT64);
    Spec.add_shape(Total + 1);
    Spec.set_high(std::numeric_limits<float>::max());
    std::string Doc = "Numbers of instructions; columns: ";
    for (unsigned Opcode : Opcodes)
      Doc += std::string(Instruction::getOpcodeName(Opcode)) + ", ";
    Spec.set_doc(Doc + "total");
  }

  static void addBlock(const BasicBlock &BB, Counts &Count) {
    for (const Instruction &I : BB)
      ++Count[I.getOpcode()];
  }

  static void addTo(Row To, const Counts &Count) {
    for (size_t I = 0; I != Total; ++I) {
      const auto Number = static_cast<double>(Count[Opcodes[I]]);
      To[I] += Number;
      To[Total] += Number;
    }
  }

  void addFunction(Function &F, Row To) override {
    Counts Count = {};
    for (const BasicBlock &BB : F)
      addBlock(BB, Count);
    addTo(To, Count);
  }

  bool hasLoops() const override { return true; }

  void addLoop(Loop &L, Row To) override {
    Counts Count = {};
    for (const BasicBlock *BB : L.blocks())
      addBlock(*BB, Count);
    addTo(To, Count);
  }
};

} // namespace

static ObservationRegistry::Add<InstCount>
    X("inst_count",
      "Number of instructions of each of LLVM's opcodes, and of all of them.");
