//===- ObservationSource.cpp - Observations by name -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "ObservationSource.h"
#include "RegistryLookup.h"

using namespace llvm;
using namespace mlcompiler;

Error mlcompiler::observe(
    const ObservationContext &Context,
    const google::protobuf::RepeatedPtrField<std::string> &Names, bool Strict,
    google::protobuf::RepeatedPtrField<proto::Observation> &Out) {
  for (const std::string &Name : Names) {
    auto Entry = lookUp<ObservationRegistry>("observation", Name);
    if (!Entry)
      return Entry.takeError();
    std::unique_ptr<ObservationSource> Source = (*Entry)->instantiate();
    if (Source->needsDecision() && !Context.Stopped) {
      if (!Strict)
        continue;
      return fail(proto::FAILED_PRECONDITION,
                  "observation '" + Name +
                      "' exists only while the compiler is stopped at a "
                      "decision");
    }
    proto::Observation &Observation = *Out.Add();
    Observation.set_name(Name);
    Observation.set_text(json::fixUTF8(Source->observe(Context)));
  }
  return Error::success();
}
