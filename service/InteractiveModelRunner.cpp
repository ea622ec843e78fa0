//===- InteractiveModelRunner.cpp - The seam into LLVM --------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Defines llvm::InteractiveModelRunner in place of LLVM's own class. That
/// class is alone in a member of libLLVMAnalysis.a, so the linker does not take
/// that member when the class is defined here. LLVM's advisors then talk to the
/// session in this process, instead of to a pair of named pipes.
///
//===----------------------------------------------------------------------===//

#include "llvm/Analysis/InteractiveModelRunner.h"
#include "DecisionPoint.h"
#include "llvm/Analysis/Utils/TrainingLogger.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/raw_ostream.h"
#include <cstring>

using namespace llvm;
using namespace mlcompiler;

DecisionPoint *DecisionPoint::Current = nullptr;

InteractiveModelRunner::InteractiveModelRunner(
    LLVMContext &Ctx, const std::vector<TensorSpec> &Inputs,
    const TensorSpec &Advice, StringRef OutboundName, StringRef InboundName)
    : MLModelRunner(Ctx, MLModelRunner::Kind::Interactive, Inputs.size()),
      InputSpecs(Inputs), OutputSpec(Advice),
      OutputBuffer(Advice.getTotalTensorBufferSize()) {
  if (!DecisionPoint::Current)
    reportFatalInternalError("a model runner was made outside a session");
  // switchContext() is inline in LLVM's header, and always writes to a logger.
  Log =
      std::make_unique<Logger>(std::make_unique<raw_null_ostream>(), InputSpecs,
                               Advice, /*IncludeReward=*/false, Advice);
  // LLVM writes directly into the buffer that is sent.
  for (auto [I, Spec] : enumerate(InputSpecs))
    setUpBufferForTensor(I, Spec, DecisionPoint::Current->tensors().bind(Spec));
}

InteractiveModelRunner::~InteractiveModelRunner() = default;

void *InteractiveModelRunner::evaluateUntyped() {
  // LLVM reads the answer from aligned memory.
  std::memcpy(OutputBuffer.data(), DecisionPoint::Current->decide().data(),
              OutputBuffer.size());
  return OutputBuffer.data();
}
