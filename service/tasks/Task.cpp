//===- Task.cpp - What all tasks share ------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Task.h"
#include "RegistryLookup.h"

using namespace llvm;
using namespace mlcompiler;

Expected<std::unique_ptr<Task>>
Task::create(StringRef Name,
             const google::protobuf::RepeatedPtrField<proto::Option> &Values) {
  auto Entry = lookUp<TaskRegistry>("task", Name);
  if (!Entry)
    return Entry.takeError();
  std::unique_ptr<Task> T = (*Entry)->instantiate();
  TaskOptions Options;
  T->declare(Options);
  if (Error E = Options.assign(Name, Values))
    return E;
  if (Error E = T->check())
    return E;
  T->Spec.set_name(Name.str());
  T->Spec.set_doc((*Entry)->getDesc().str());
  Options.describe(T->Spec);
  T->describe(T->Spec);
  return T;
}

void mlcompiler::setHeuristicFeature(proto::TaskSpec &Spec, StringRef Name) {
  proto::Heuristic &Heuristic = *Spec.mutable_heuristic();
  proto::Option &Shown = *Heuristic.add_options();
  Shown.set_name(Name.str());
  Shown.set_value("true");
  Heuristic.set_feature(Name.str());
}
