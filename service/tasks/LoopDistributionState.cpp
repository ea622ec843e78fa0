//===- LoopDistributionState.cpp - A loop that is being split -------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "LoopDistributionState.h"

using namespace llvm;
using namespace mlcompiler;

std::vector<unsigned> DistributionState::ready() const {
  std::vector<unsigned> Ready;
  for (unsigned N = 0; N != Groups.size(); ++N) {
    bool Waits = Groups[N].has_value();
    for (unsigned Before = 0; Before != Groups.size(); ++Before)
      Waits |= !Groups[Before] && G.mustPrecede(Before, N);
    if (!Waits)
      Ready.push_back(N);
  }
  return Ready;
}

bool DistributionState::mayDistribute() const {
  return Count == 0 || mlcompiler::mayDistribute(G, Groups);
}
