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
#include <cmath>
#include <cstring>
#include <limits>

using namespace llvm;
using namespace mlcompiler;

DecisionPoint *DecisionPoint::Current = nullptr;

/// Of the extra features. LLVM's header leaves no room for it in the class, and
/// a process makes one runner.
static size_t ExtraBytes = 0;

static size_t featureBytes(const std::vector<TensorSpec> &Specs) {
  size_t Bytes = 0;
  for (const TensorSpec &Spec : Specs)
    Bytes += Spec.getTotalTensorBufferSize();
  return Bytes;
}

/// A live range that must not be spilled has an infinite weight, and relative
/// to another one like it, none that is a number. No network takes either.
static void makeFinite(ArrayRef<TensorSpec> Specs, char *Tensor) {
  for (const TensorSpec &Spec : Specs) {
    if (Spec.isElementType<float>()) {
      // Tensors lie one behind the other, wherever that is.
      for (size_t I = 0; I != Spec.getElementCount(); ++I) {
        float Value;
        char *At = Tensor + I * sizeof(float);
        std::memcpy(&Value, At, sizeof(float));
        if (std::isfinite(Value))
          continue;
        Value = std::isnan(Value) ? 1.0f : std::numeric_limits<float>::max();
        std::memcpy(At, &Value, sizeof(float));
      }
    }
    Tensor += Spec.getTotalTensorBufferSize();
  }
}

/// The session's own features go behind LLVM's.
static std::vector<TensorSpec>
withExtraFeatures(const std::vector<TensorSpec> &Inputs) {
  if (!DecisionPoint::Current)
    reportFatalInternalError("a model runner was made outside a session");
  std::vector<TensorSpec> All = Inputs;
  append_range(All, DecisionPoint::Current->extraFeatures());
  return All;
}

InteractiveModelRunner::InteractiveModelRunner(
    LLVMContext &Ctx, const std::vector<TensorSpec> &Inputs,
    const TensorSpec &Advice, StringRef OutboundName, StringRef InboundName)
    : MLModelRunner(Ctx, MLModelRunner::Kind::Interactive,
                    withExtraFeatures(Inputs).size()),
      InputSpecs(withExtraFeatures(Inputs)), OutputSpec(Advice) {
  // switchContext, inline in the header, writes to a logger unconditionally.
  Log =
      std::make_unique<Logger>(std::make_unique<raw_null_ostream>(), InputSpecs,
                               Advice, /*IncludeReward=*/false, Advice);
  DecisionPoint::Current->announce(InputSpecs);
  ExtraBytes = featureBytes(DecisionPoint::Current->extraFeatures());
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
  if (ExtraBytes)
    DecisionPoint::Current->computeExtraFeatures(
        OutputBuffer.data(),
        OutputBuffer.data() + Features.size() - ExtraBytes);
  makeFinite(InputSpecs, OutputBuffer.data());
  StringRef Action = DecisionPoint::Current->decide(Features);
  char *Answer = OutputBuffer.data() + Features.size();
  std::memcpy(Answer, Action.data(), ActionBytes);
  return Answer;
}
