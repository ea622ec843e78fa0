//===- PriorityAdvisor.cpp - Who asks in which order to allocate ----------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "PriorityAdvisor.h"

using namespace llvm;
using namespace mlcompiler;

const policy::Kind &mlcompiler::priorityKind() {
  static const policy::Kind Priority = [] {
    policy::Kind K;
    K.Task = "regalloc_priority";
    K.High = LargestPriority;
    K.Heuristic.emplace();
    K.Heuristic->Feature = PriorityDefaultName;
    return K;
  }();
  return Priority;
}

unsigned PriorityAdvisor::heuristicPriority() const {
  // This function is public only in the base class.
  const RegAllocPriorityAdvisor &Advisor = Heuristic;
  return Advisor.getPriority(*VirtReg);
}

unsigned PriorityAdvisor::getPriority(const LiveInterval &LI) const {
  VirtReg = &LI;
  Listener.asked(*this);
  const unsigned Answer = Stock->getPriority(LI);
  // A float has 24 bits, and the heuristic's priority has 32. An agent that
  // gives back the priority that it was shown means the exact one.
  const unsigned Own = heuristicPriority();
  const auto Shown = static_cast<float>(std::min(Own, LargestPriority));
  return Answer == static_cast<unsigned>(Shown) ? Own : Answer;
}
