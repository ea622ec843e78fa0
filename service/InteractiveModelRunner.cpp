//===- InteractiveModelRunner.cpp - The seam into LLVM --------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Defines llvm::InteractiveModelRunner in place of LLVM's own: the class lives
/// alone in one member of libLLVMAnalysis.a, so the linker never looks for it
/// there once it is defined here. LLVM's advisors then talk to the session in
/// this process instead of to a pair of named pipes.
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

static size_t featureBytes(const std::vector<TensorSpec> &Specs) {
  size_t Bytes = 0;
  for (const TensorSpec &Spec : Specs)
    Bytes += Spec.getTotalTensorBufferSize();
  return Bytes;
}

InteractiveModelRunner::InteractiveModelRunner(
    LLVMContext &Ctx, const std::vector<TensorSpec> &Inputs,
    const TensorSpec &Advice, StringRef OutboundName, StringRef InboundName)
    : MLModelRunner(Ctx, MLModelRunner::Kind::Interactive, Inputs.size()),
      InputSpecs(Inputs), OutputSpec(Advice) {
  if (!DecisionPoint::Current)
    reportFatalInternalError("a model runner was made outside a session");
  // switchContext, inline in the header, writes to a logger unconditionally.
  Log =
      std::make_unique<Logger>(std::make_unique<raw_null_ostream>(), InputSpecs,
                               Advice, /*IncludeReward=*/false, Advice);
  // The tensors lie one behind the other, so that a decision is sent without
  // being gathered first; the action comes after them. One buffer serves for
  // both, since LLVM's header leaves room for one.
  OutputBuffer.resize(featureBytes(InputSpecs) +
                      OutputSpec.getTotalTensorBufferSize());
  char *Tensor = OutputBuffer.data();
  for (size_t I = 0; I != InputSpecs.size(); ++I) {
    setUpBufferForTensor(I, InputSpecs[I], Tensor);
    Tensor += InputSpecs[I].getTotalTensorBufferSize();
  }
}

InteractiveModelRunner::~InteractiveModelRunner() = default;

void *InteractiveModelRunner::evaluateUntyped() {
  size_t ActionBytes = OutputSpec.getTotalTensorBufferSize();
  StringRef Features(OutputBuffer.data(), OutputBuffer.size() - ActionBytes);
  StringRef Action = DecisionPoint::Current->decide(Features);
  char *Answer = OutputBuffer.data() + Features.size();
  std::memcpy(Answer, Action.data(), ActionBytes);
  return Answer;
}
