//===- Objective.cpp - Objectives by name ---------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Objective.h"
#include "CrashReport.h"
#include "RegistryLookup.h"

using namespace llvm;
using namespace mlcompiler;

Error mlcompiler::measure(
    Compilation &C,
    const google::protobuf::RepeatedPtrField<std::string> &Names,
    google::protobuf::RepeatedPtrField<proto::Measurement> &Out) {
  if (Names.empty())
    return Error::success();
  if (Error E = C.checkExports())
    return E;
  for (const std::string &Name : Names) {
    auto Entry = lookUp<ObjectiveRegistry>("objective", Name);
    if (!Entry)
      return Entry.takeError();
    crash::Activity Measuring(("measuring " + Name).c_str());
    auto Value = (*Entry)->instantiate()->measure(C);
    if (!Value)
      return Value.takeError();
    proto::Measurement &Measurement = *Out.Add();
    Measurement.set_objective(Name);
    Measurement.set_value(*Value);
  }
  return Error::success();
}

Error mlcompiler::checkObjectives(
    const google::protobuf::RepeatedPtrField<std::string> &Names) {
  for (const std::string &Name : Names)
    if (auto Entry = lookUp<ObjectiveRegistry>("objective", Name); !Entry)
      return Entry.takeError();
  return Error::success();
}
