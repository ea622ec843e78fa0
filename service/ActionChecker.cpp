//===- ActionChecker.cpp - Which actions are legal ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "ActionChecker.h"
#include "TensorSpecs.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVectorExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FormatVariadic.h"

using namespace llvm;
using namespace mlcompiler;

/// Reads one element of an action.
static int64_t readInt(StringRef Action, size_t Element) {
  return static_cast<int64_t>(
      support::endian::read64le(Action.data() + Element * sizeof(int64_t)));
}

SmallVector<size_t, 1> mlcompiler::countValues(const proto::ActionSpec &Spec) {
  if (Spec.meanings_size())
    return {size_t(Spec.meanings_size())};
  return map_to_vector<1>(Spec.choices(), [](const proto::Choice &Choice) {
    return size_t(Choice.meanings_size());
  });
}

ActionChecker::ActionChecker(const proto::TaskSpec &Spec)
    : ActionBytes(tensorBytes(Spec.action().tensor())),
      Low(Spec.action().tensor().low()), High(Spec.action().tensor().high()) {
  for (auto [I, Count] : enumerate(countValues(Spec.action())))
    Choices.push_back({Spec.action().choices_size()
                           ? Spec.action().choices(I).name() + ": "
                           : "",
                       Count});
}

Error ActionChecker::check(StringRef Action) const {
  if (!isDiscrete())
    return checkContinuous(
        support::endian::read<float>(Action.data(), endianness::little));
  for (auto [I, Choice] : enumerate(Choices)) {
    const int64_t Value = readInt(Action, I);
    if (Value < 0 || Value >= int64_t(Choice.Count))
      return fail(proto::INVALID_ACTION, Choice.Name + "action " +
                                             Twine(Value) + " is not in 0.." +
                                             Twine(Choice.Count - 1));
  }
  return Error::success();
}

Error ActionChecker::check(StringRef Action, const Tensors &Decision) const {
  if (!Decision.hasMask())
    return Error::success();
  size_t First = 0;
  for (auto [I, Choice] : enumerate(Choices)) {
    const int64_t Value = readInt(Action, I);
    if (!Decision.isLegal(First + Value)) {
      std::string Legal;
      for (size_t V = 0; V != Choice.Count; ++V)
        if (Decision.isLegal(First + V))
          Legal += (Legal.empty() ? "" : ", ") + std::to_string(V);
      return fail(proto::INVALID_ACTION,
                  Choice.Name + "action " + Twine(Value) +
                      " is not legal here; legal are: " + Legal);
    }
    First += Choice.Count;
  }
  return Error::success();
}

std::vector<std::string> ActionChecker::all() const {
  std::vector<std::string> Result;
  for (int64_t A = 0; A != int64_t(Choices.front().Count); ++A) {
    std::string &Bytes = Result.emplace_back(sizeof(A), '\0');
    support::endian::write64le(Bytes.data(), A);
  }
  return Result;
}

void ActionChecker::writeLegal(const Tensors &Decision,
                               std::string &Legal) const {
  Legal.clear();
  for (const Choice &Each : Choices)
    for (size_t V = 0; V != Each.Count; ++V)
      Legal.push_back(Decision.isLegal(Legal.size()));
}

Error ActionChecker::checkContinuous(float Action) const {
  // A NaN fails this comparison, too.
  if (Action >= Low && Action <= High)
    return Error::success();
  return fail(
      proto::INVALID_ACTION,
      formatv("action {0} is not in {1}..{2}", Action, Low, High).str());
}
