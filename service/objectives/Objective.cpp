//===- Objective.cpp - Objectives by name ---------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Objective.h"
#include "CrashReport.h"
#include "RegistryLookup.h"
#include "SymbolNames.h"

using namespace llvm;
using namespace mlcompiler;

Error Measurements::measure(
    Compilation &C,
    const google::protobuf::RepeatedPtrField<std::string> &Names,
    google::protobuf::RepeatedPtrField<proto::Measurement> &Out) {
  if (Names.empty())
    return Error::success();
  if (Error E = C.checkExports("the pipeline", proto::FAILED_PRECONDITION))
    return E;
  for (const std::string &Name : Names) {
    auto Value = measure(C, Name);
    if (!Value)
      return Value.takeError();
    proto::Measurement &Measurement = *Out.Add();
    Measurement.set_objective(Name);
    Measurement.set_value(*Value);
  }
  return Error::success();
}

Expected<double> Measurements::measure(Compilation &C, StringRef Name) {
  Known &Value = Values[Name];
  if (Value.Version == (Value.OfCode ? C.codeVersion() : C.version()))
    return Value.Value;
  auto Entry = lookUp<ObjectiveRegistry>("objective", Name);
  if (!Entry)
    return Entry.takeError();
  crash::Activity Measuring(("measuring " + Name).str());
  const std::unique_ptr<Objective> Measured = (*Entry)->instantiate();
  auto Result = Measured->measure(C);
  if (!Result)
    return Result.takeError();
  const bool OfCode = Measured->isOfCode();
  if (Measured->isDeterministic())
    Value = {OfCode ? C.codeVersion() : C.version(), *Result, OfCode};
  return *Result;
}

bool mlcompiler::areSumsOverFunctions(
    const google::protobuf::RepeatedPtrField<std::string> &Names) {
  return all_of(Names, [](const std::string &Name) {
    auto Entry = cantFail(lookUp<ObjectiveRegistry>("objective", Name));
    return Entry->instantiate()->ofFunction(AllocatedFunction()).has_value();
  });
}

void mlcompiler::measureFunction(
    const AllocatedFunction &F,
    const google::protobuf::RepeatedPtrField<std::string> &Names,
    proto::FunctionOutcome &Out) {
  Out.set_function(toText(F.Name));
  for (const std::string &Name : Names) {
    auto Entry = cantFail(lookUp<ObjectiveRegistry>("objective", Name));
    if (auto Value = Entry->instantiate()->ofFunction(F)) {
      proto::Measurement &Measurement = *Out.add_measurements();
      Measurement.set_objective(Name);
      Measurement.set_value(*Value);
    }
  }
}

Error mlcompiler::checkObjectives(
    const google::protobuf::RepeatedPtrField<std::string> &Names) {
  for (const std::string &Name : Names)
    if (auto Entry = lookUp<ObjectiveRegistry>("objective", Name); !Entry)
      return Entry.takeError();
  return Error::success();
}
