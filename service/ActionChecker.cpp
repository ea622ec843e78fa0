//===- ActionChecker.cpp - Which actions are legal ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "ActionChecker.h"
#include "TensorSpecs.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FormatVariadic.h"

using namespace llvm;
using namespace mlcompiler;

static int64_t readInt(StringRef Action) {
  return static_cast<int64_t>(support::endian::read64le(Action.data()));
}

ActionChecker::ActionChecker(const proto::TaskSpec &Spec)
    : ActionBytes(tensorBytes(Spec.action().tensor())),
      Count(Spec.action().meanings_size()), Low(Spec.action().tensor().low()),
      High(Spec.action().tensor().high()) {}

Error ActionChecker::check(StringRef Action) const {
  if (Count)
    return checkDiscrete(readInt(Action));
  return checkContinuous(
      support::endian::read<float>(Action.data(), endianness::little));
}

Error ActionChecker::check(StringRef Action, const Tensors &Decision) const {
  if (!Decision.hasMask() || Decision.isLegal(readInt(Action)))
    return Error::success();
  std::string Legal;
  for (int64_t A = 0; A != Count; ++A)
    if (Decision.isLegal(A))
      Legal += (Legal.empty() ? "" : ", ") + std::to_string(A);
  return fail(proto::INVALID_ACTION,
              "action " + Twine(readInt(Action)) +
                  " is not legal here; legal are: " + Legal);
}

void ActionChecker::writeLegal(const Tensors &Decision,
                               std::string &Legal) const {
  Legal.resize(Count);
  for (int64_t A = 0; A != Count; ++A)
    Legal[A] = Decision.isLegal(A);
}

Error ActionChecker::checkDiscrete(int64_t Action) const {
  if (Action >= 0 && Action < Count)
    return Error::success();
  return fail(proto::INVALID_ACTION,
              "action " + Twine(Action) + " is not in 0.." + Twine(Count - 1));
}

Error ActionChecker::checkContinuous(float Action) const {
  // Not a number is not in between either.
  if (Action >= Low && Action <= High)
    return Error::success();
  return fail(
      proto::INVALID_ACTION,
      formatv("action {0} is not in {1}..{2}", Action, Low, High).str());
}
