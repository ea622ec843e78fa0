//===- GivenActions.cpp - Actions that wait for their decisions -----------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "GivenActions.h"

using namespace llvm;
using namespace mlcompiler;

Error GivenActions::give(const std::string &Given,
                         const ActionChecker &Checker) {
  if (Given.size() % Checker.bytes())
    return fail(proto::INVALID_ACTION,
                "an action has " + Twine(Checker.bytes()) + " bytes, and " +
                    Twine(Given.size()) + " bytes are not a number of them");
  for (size_t I = 0; I != Given.size(); I += Checker.bytes())
    if (Error E = Checker.check(StringRef(Given).substr(I, Checker.bytes())))
      return E;
  Bytes = Given;
  Next = 0;
  return Error::success();
}

Expected<StringRef> GivenActions::take(const ActionChecker &Checker,
                                       const Tensors &Decision) {
  StringRef Action = StringRef(Bytes).substr(Next, Checker.bytes());
  if (Error E = Checker.check(Action, Decision)) {
    clear();
    return std::move(E);
  }
  Next += Action.size();
  return Action;
}
