//===- TaskOptions.cpp - What a task can be told --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "TaskOptions.h"
#include "Failure.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

using namespace llvm;
using namespace mlcompiler;

TaskOptions::Declared &TaskOptions::add(proto::OptionSpec::Type Type,
                                        StringRef Name, std::string Default,
                                        const Twine &Doc) {
  Declared &Option = All.emplace_back();
  Option.Spec.set_type(Type);
  Option.Spec.set_name(Name.str());
  Option.Spec.set_default_value(std::move(Default));
  Option.Spec.set_doc(Doc.str());
  return Option;
}

void TaskOptions::flag(StringRef Name, bool &Field, const Twine &Doc) {
  Declared &Option =
      add(proto::OptionSpec::BOOL, Name, Field ? "true" : "false", Doc);
  Option.Accepted = "true or false";
  Option.Assign = [&Field](StringRef Value) {
    Field = Value == "true";
    return Field || Value == "false";
  };
}

void TaskOptions::integer(StringRef Name, int64_t &Field, int64_t Low,
                          int64_t High, const Twine &Doc) {
  Declared &Option =
      add(proto::OptionSpec::INT, Name, std::to_string(Field), Doc);
  Option.Spec.set_low(static_cast<double>(Low));
  Option.Spec.set_high(static_cast<double>(High));
  Option.Accepted = formatv("an integer in {0}..{1}", Low, High);
  Option.Assign = [&Field, Low, High](StringRef Value) {
    return !Value.getAsInteger(10, Field) && Low <= Field && Field <= High;
  };
}

void TaskOptions::number(StringRef Name, double &Field, double Low, double High,
                         const Twine &Doc) {
  Declared &Option =
      add(proto::OptionSpec::FLOAT, Name, formatv("{0:g}", Field), Doc);
  Option.Spec.set_low(Low);
  Option.Spec.set_high(High);
  Option.Accepted = formatv("a number in {0:g}..{1:g}", Low, High);
  Option.Assign = [&Field, Low, High](StringRef Value) {
    // A NaN is not in between either.
    return Value.find_first_not_of("0123456789.eE+-") == StringRef::npos &&
           !Value.getAsDouble(Field) && Low <= Field && Field <= High;
  };
}

void TaskOptions::choice(StringRef Name, std::string &Field,
                         ArrayRef<StringRef> Values, const Twine &Doc) {
  Declared &Option = add(proto::OptionSpec::ENUM, Name, Field, Doc);
  for (StringRef Value : Values)
    Option.Spec.add_values(Value.str());
  Option.Accepted = "one of " + join(Values, ", ");
  Option.Assign = [&Field, Spec = Option.Spec](StringRef Value) {
    Field = Value.str();
    return is_contained(Spec.values(), Value);
  };
}

void TaskOptions::text(StringRef Name, std::string &Field,
                       ArrayRef<StringRef> Known, const Twine &Doc) {
  Declared &Option = add(proto::OptionSpec::TEXT, Name, Field, Doc);
  for (StringRef Value : Known)
    Option.Spec.add_values(Value.str());
  Option.Assign = [&Field](StringRef Value) {
    Field = Value.str();
    return true;
  };
}

Error TaskOptions::assign(
    StringRef Task,
    const google::protobuf::RepeatedPtrField<proto::Option> &Values) {
  for (const proto::Option &Value : Values) {
    auto Option = find_if(All, [&](const Declared &Each) {
      return Each.Spec.name() == Value.name();
    });
    if (Option == All.end()) {
      std::string Known;
      for (const Declared &Each : All)
        Known += " " + Each.Spec.name();
      return fail(proto::INVALID_ARGUMENT,
                  "task '" + Task + "' has no option '" + Value.name() +
                      "'; it has:" + Known);
    }
    if (!Option->Assign(Value.value()))
      return fail(proto::INVALID_ARGUMENT, "option '" + Value.name() + "' is " +
                                               Option->Accepted + ", not '" +
                                               Value.value() + "'");
  }
  return Error::success();
}

void TaskOptions::describe(proto::TaskSpec &Spec) const {
  for (const Declared &Option : All)
    *Spec.add_options() = Option.Spec;
}
