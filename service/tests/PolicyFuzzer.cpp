//===- PolicyFuzzer.cpp - Any bytes at all as a policy --------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
//
// The entry of libFuzzer. Every input is either refused, or is a policy that
// takes a legal action for any features, and the same one each time.
//
//===----------------------------------------------------------------------===//

#include "policy/Evaluator.h"
#include "policy/PolicyFile.h"
#include <cmath>
#include <cstdlib>
#include <cstring>

using namespace mlcompiler::policy;

static void play(Evaluator &E) {
  std::vector<float> Features(E.model().elements());
  std::vector<uint8_t> Legal(E.actions());
  const float Values[] = {0.0f, 1.0f, -3.5f, 3e38f, INFINITY, NAN};
  for (size_t Round = 0; Round != 3; ++Round) {
    for (size_t I = 0; I != Features.size(); ++I)
      Features[I] = Values[(I + Round) % 6];
    for (size_t I = 0; I != Legal.size(); ++I)
      Legal[I] = (I + Round) % 3 == 0;
    Random Sample(Round), Again(Round);
    Decision A, B;
    const char *WhyA = E.decide(Features.data(), Legal.data(), &Sample, A);
    const char *WhyB = E.decide(Features.data(), Legal.data(), &Again, B);
    if (WhyA != WhyB)
      abort();
    if (WhyA)
      continue;
    if (A.Action != B.Action || std::memcmp(&A.Value, &B.Value, 4) ||
        std::memcmp(&A.LogProbability, &B.LogProbability, 8))
      abort();
    if (E.actions() ? !Legal.at(A.Action)
                    : !(A.Value >= E.model().Low && A.Value <= E.model().High))
      abort();
  }
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *Data, size_t Size) {
  // The input follows a header that fits, because a fuzzer would hardly find
  // one.
  std::string File = "MLCGPOL1";
  for (int I = 0; I != 4; ++I)
    File += static_cast<char>(Size >> (8 * I));
  File.append(reinterpret_cast<const char *>(Data), Size);
  Policy P;
  std::string Why;
  if (!readPolicy(File, P, Why)) {
    if (Why.empty())
      abort();
    return 0;
  }
  if (!P.Builtin.empty())
    return 0;
  Evaluator E(std::move(P.Model));
  play(E);
  return 0;
}
