//===- FunctionProperties.cpp - LLVM's own features of functions ----------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "VectorSource.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Analysis/FunctionPropertiesAnalysis.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/IR/Dominators.h"
#include "llvm/Support/CommandLine.h"

using namespace llvm;
using namespace mlcompiler;

namespace llvm {
// llvm/lib/Analysis/FunctionPropertiesAnalysis.cpp; no header has it.
extern cl::opt<bool> EnableDetailedFunctionProperties;
} // namespace llvm

namespace {

struct Property {
  StringLiteral Name;
  int64_t FunctionPropertiesInfo::*Value;
};

} // namespace

// In the order of llvm/Analysis/FunctionPropertiesAnalysis.h.
#define PROPERTY(Name) {#Name, &FunctionPropertiesInfo::Name}
static constexpr Property Properties[] = {
    PROPERTY(BasicBlockCount),
    PROPERTY(BlocksReachedFromConditionalInstruction),
    PROPERTY(Uses),
    PROPERTY(DirectCallsToDefinedFunctions),
    PROPERTY(LoadInstCount),
    PROPERTY(StoreInstCount),
    PROPERTY(MaxLoopDepth),
    PROPERTY(TopLevelLoopCount),
    PROPERTY(TotalInstructionCount),
    PROPERTY(BasicBlocksWithSingleSuccessor),
    PROPERTY(BasicBlocksWithTwoSuccessors),
    PROPERTY(BasicBlocksWithMoreThanTwoSuccessors),
    PROPERTY(BasicBlocksWithSinglePredecessor),
    PROPERTY(BasicBlocksWithTwoPredecessors),
    PROPERTY(BasicBlocksWithMoreThanTwoPredecessors),
    PROPERTY(BigBasicBlocks),
    PROPERTY(MediumBasicBlocks),
    PROPERTY(SmallBasicBlocks),
    PROPERTY(CastInstructionCount),
    PROPERTY(FloatingPointInstructionCount),
    PROPERTY(IntegerInstructionCount),
    PROPERTY(ConstantIntOperandCount),
    PROPERTY(ConstantFPOperandCount),
    PROPERTY(ConstantOperandCount),
    PROPERTY(InstructionOperandCount),
    PROPERTY(BasicBlockOperandCount),
    PROPERTY(GlobalValueOperandCount),
    PROPERTY(InlineAsmOperandCount),
    PROPERTY(ArgumentOperandCount),
    PROPERTY(UnknownOperandCount),
    PROPERTY(CriticalEdgeCount),
    PROPERTY(ControlFlowEdgeCount),
    PROPERTY(UnconditionalBranchCount),
    PROPERTY(ConditionalBranchCount),
    PROPERTY(BranchInstructionCount),
    PROPERTY(BranchSuccessorCount),
    PROPERTY(SwitchInstructionCount),
    PROPERTY(SwitchSuccessorCount),
    PROPERTY(IntrinsicCount),
    PROPERTY(DirectCallCount),
    PROPERTY(IndirectCallCount),
    PROPERTY(CallReturnsIntegerCount),
    PROPERTY(CallReturnsFloatCount),
    PROPERTY(CallReturnsPointerCount),
    PROPERTY(CallReturnsVectorIntCount),
    PROPERTY(CallReturnsVectorFloatCount),
    PROPERTY(CallReturnsVectorPointerCount),
    PROPERTY(CallWithManyArgumentsCount),
    PROPERTY(CallWithPointerArgumentCount),
};
#undef PROPERTY

namespace {

class FunctionProperties : public VectorSource {
  void describeVector(proto::TensorSpec &Spec) const override {
    Spec.set_dtype(proto::INT64);
    Spec.add_shape(std::size(Properties));
    Spec.set_high(std::numeric_limits<float>::max());
    std::string Doc = "Counts; columns: ";
    ListSeparator Comma;
    for (const Property &P : Properties)
      (Doc += StringRef(Comma)) += P.Name;
    Spec.set_doc(Doc);
  }

  /// Functions that use a function change its row.
  bool isLocal() const override { return false; }

  void addFunction(Function &F, Row To) override {
    // Most properties need this option. LLVM's advisors also read it, so it is
    // on only here.
    const bool Was = EnableDetailedFunctionProperties;
    EnableDetailedFunctionProperties = true;
    scope_exit Restore([&] { EnableDetailedFunctionProperties = Was; });
    // These are not the pipeline's analyses. Computing one of those could
    // change what later passes do.
    const DominatorTree DT(F);
    const LoopInfo LI(DT);
    const auto Info =
        FunctionPropertiesInfo::getFunctionPropertiesInfo(F, DT, LI, nullptr);
    for (auto [Element, P] : zip_equal(To, Properties))
      Element += static_cast<double>(Info.*P.Value);
  }
};

} // namespace

static ObservationRegistry::Add<FunctionProperties>
    X("function_properties",
      "LLVM's FunctionPropertiesAnalysis with its detailed properties; of the "
      "module, sums over its functions.");
