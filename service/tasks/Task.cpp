//===- Task.cpp - What all tasks share ------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Task.h"
#include "RegistryLookup.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace mlcompiler;

static proto::TaskSpec describe(const TaskRegistry::entry &Entry,
                                const Task &T) {
  proto::TaskSpec Spec;
  Spec.set_name(Entry.getName().str());
  Spec.set_doc(Entry.getDesc().str());
  T.describe(Spec);
  return Spec;
}

proto::TaskSpec mlcompiler::describeTask(const TaskRegistry::entry &Entry) {
  return cantFail(describeTask(Entry.getName(), {}));
}

Expected<proto::TaskSpec> mlcompiler::describeTask(
    StringRef Name,
    const google::protobuf::RepeatedPtrField<proto::Option> &Options) {
  auto T = createTask(Name, Options);
  if (!T)
    return T.takeError();
  return describe(**lookUp<TaskRegistry>("task", Name), **T);
}

Expected<std::unique_ptr<Task>> mlcompiler::createTask(
    StringRef Name,
    const google::protobuf::RepeatedPtrField<proto::Option> &Options) {
  auto Entry = lookUp<TaskRegistry>("task", Name);
  if (!Entry)
    return Entry.takeError();
  StringMap<std::string> Values;
  std::string Known;
  const proto::TaskSpec Spec = describe(**Entry, *(*Entry)->instantiate());
  for (const proto::OptionSpec &Option : Spec.options()) {
    Values[Option.name()] = Option.default_value();
    Known += " " + Option.name();
  }
  for (const proto::Option &Option : Options) {
    auto It = Values.find(Option.name());
    if (It == Values.end())
      return fail(proto::INVALID_ARGUMENT,
                  "task '" + Name + "' has no option '" + Option.name() +
                      "'; it has:" + Known);
    It->second = Option.value();
  }
  std::unique_ptr<Task> T = (*Entry)->instantiate();
  if (Error E = T->configure(Values))
    return E;
  return T;
}

void mlcompiler::describeTensor(const TensorSpec &Spec,
                                proto::TensorSpec &Out) {
  Out.set_name(Spec.name());
  Out.set_dtype(Spec.isElementType<float>() ? proto::FLOAT32 : proto::INT64);
  for (int64_t Dimension : Spec.shape())
    Out.add_shape(Dimension);
}

size_t mlcompiler::elementBytes(proto::DType Type) {
  return Type == proto::FLOAT32 ? sizeof(float) : sizeof(int64_t);
}

size_t mlcompiler::tensorBytes(const proto::TensorSpec &Spec) {
  size_t Bytes = elementBytes(Spec.dtype());
  for (int64_t Dimension : Spec.shape())
    Bytes *= Dimension;
  return Bytes;
}

Error mlcompiler::setOption(StringRef Name, StringRef Value) {
  auto &Registered = cl::getRegisteredOptions();
  auto It = Registered.find(Name);
  if (It == Registered.end())
    return fail(proto::INVALID_ARGUMENT,
                "LLVM has no option '-" + Name + "' in this build");
  // The parser of an option reports on stderr; all that is known here is
  // whether it liked the value.
  if (It->second->addOccurrence(0, Name, Value))
    return fail(proto::INVALID_ARGUMENT, "'" + Value +
                                             "' is not a value for LLVM's "
                                             "option '-" +
                                             Name + "'");
  return Error::success();
}

Expected<bool> mlcompiler::parseFlag(StringRef Name, StringRef Value) {
  if (Value != "true" && Value != "false")
    return fail(proto::INVALID_ARGUMENT,
                "option '" + Name + "' is true or false, not '" + Value + "'");
  return Value == "true";
}

bool mlcompiler::isSent(const proto::TensorSpec &Feature,
                        const proto::Open &Options) {
  return Feature.option().empty() ||
         any_of(Options.options(), [&](const proto::Option &O) {
           return O.name() == Feature.option() && O.value() == "true";
         });
}

void mlcompiler::setBounds(proto::TensorSpec &Tensor, double Low, double High) {
  Tensor.set_low(Low);
  Tensor.set_high(High);
}
