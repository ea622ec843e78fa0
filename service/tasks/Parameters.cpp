//===- Parameters.cpp - Which numbers LLVM compiles with ------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Compilation.h"
#include "DecisionPoint.h"
#include "Failure.h"
#include "ParameterTable.h"
#include "Task.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Passes/OptimizationLevel.h"
#include "llvm/Support/Endian.h"

using namespace llvm;
using namespace mlcompiler;

namespace {

/// Asks for values of LLVM's options, and sets the options that the agent does
/// not leave to LLVM.
class Parameters : public UpfrontTask {
public:
  void decide(Compilation &C, LLVMOptions &Process) override;
  void write(Tensors &To) const override;
  std::string pipeline() const override { return Pipeline; }
  json::Object describeDecision() const override;
  std::string decisionLabel() const override;

private:
  void declare(TaskOptions &Options) override;
  Error check() override;
  void describe(proto::TaskSpec &Spec) const override;
  void describeAll(proto::TaskSpec &Spec) const;
  void describeOne(proto::TaskSpec &Spec) const;

  size_t mostValues() const;

  struct Choice {
    const Parameter *What;
    SmallVector<StringRef, 8> Values;
  };

  std::string Wanted = "all";
  bool OneAtATime = false;
  /// The parameters that are decided, in the order of the table.
  std::vector<Choice> Choices;
  /// The values chosen so far, one for each parameter; 0 is LLVM's own.
  std::vector<int64_t> Chosen;
  /// The pipeline that will be run.
  std::string Pipeline;
  /// The parameter that is asked about now, if they come one at a time.
  size_t Asked = 0;
};

} // namespace

static TaskRegistry::Add<Parameters>
    X("parameters",
      "What LLVM's own thresholds, limits and switches are for one compile: "
      "each is left as it is or set.");

// Names of the features, and of the option that adds some of them.
static constexpr char Speed[] = "speed_level";
static constexpr char Size[] = "size_level";
static constexpr char AskedAbout[] = "asked";
static constexpr char Earlier[] = "chosen";
static constexpr char Legal[] = "legal";
static constexpr char Singly[] = "one_at_a_time";

void Parameters::declare(TaskOptions &Options) {
  SmallVector<StringRef> Groups{"all"};
  for (const Parameter &Each : parameterTable())
    if (Groups.back() != Each.Group)
      Groups.push_back(Each.Group);
  Options.text("parameters", Wanted, Groups,
               "Which parameters are decided: a name of one, or of a group, "
               "each line. The others are LLVM's.");
  Options.flag(Singly, OneAtATime,
               "Whether a decision is one parameter, in the order of the "
               "table, instead of all of them.");
}

Error Parameters::check() {
  StringMap<bool> Found;
  for (StringRef Line : split(Wanted, '\n'))
    if (!Line.trim().empty())
      Found[Line.trim()] = false;
  for (const Parameter &Each : parameterTable()) {
    bool Included = false;
    for (StringRef Name :
         {StringRef("all"), StringRef(Each.Group), StringRef(Each.Name)}) {
      auto Asked = Found.find(Name);
      if (Asked != Found.end())
        Included = Asked->second = true;
    }
    if (Included)
      Choices.push_back({&Each, to_vector<8>(split(Each.Values, ' '))});
  }
  for (const auto &[Name, IsKnown] : Found)
    if (!IsKnown)
      return fail(proto::INVALID_ARGUMENT,
                  "option 'parameters': there is no parameter and no group '" +
                      Name + "'");
  if (Choices.empty())
    return fail(proto::INVALID_ARGUMENT,
                "option 'parameters' names nothing to decide");
  return Error::success();
}

size_t Parameters::mostValues() const {
  size_t Most = 0;
  for (const Choice &Each : Choices)
    Most = std::max(Most, Each.Values.size() + 1);
  return Most;
}

void Parameters::describe(proto::TaskSpec &Spec) const {
  Spec.set_default_pipeline("default<Oz>");
  Spec.set_default_objective("text_size");
  Spec.set_default_programs("kernels");
  Spec.set_default_level("Oz");
  Spec.mutable_heuristic()->set_action(0);
  Spec.set_inactive_action(0);
  const auto Count = static_cast<int64_t>(Choices.size());
  const auto Most = static_cast<int64_t>(mostValues());
  const auto Add = [&](StringRef Name, int64_t Elements, int64_t High,
                       StringRef Doc) -> proto::TensorSpec & {
    proto::TensorSpec &Tensor = *Spec.add_features();
    describeTensor(TensorSpec::createSpec<int64_t>(Name.str(), {Elements}),
                   Tensor);
    setBounds(Tensor, 0, static_cast<double>(High));
    Tensor.set_doc(Doc.str());
    return Tensor;
  };
  Add(Speed, 1, 3, "how far the pipeline's level goes for speed: 3 at -O3");
  Add(Size, 1, 2, "how far it goes for size: 1 at -Os, 2 at -Oz");
  Add(AskedAbout, Count, 1, "1 for the parameter that is asked about")
      .set_option(Singly);
  Add(Earlier, Count, Most - 1, "which value each parameter has got so far")
      .set_option(Singly);
  Add(Legal, Most, 1, "1 for each value that the parameter has")
      .set_option(Singly);
  proto::TensorSpec &Action = *Spec.mutable_action()->mutable_tensor();
  describeTensor(
      TensorSpec::createSpec<int64_t>("value", {OneAtATime ? 1 : Count}),
      Action);
  setBounds(Action, 0, static_cast<double>(Most) - 1);
  if (OneAtATime) {
    Action.set_doc("which of its values the parameter that is asked about has");
    describeOne(Spec);
  } else {
    Action.set_doc("which of its values each parameter has");
    describeAll(Spec);
  }
}

void Parameters::describeAll(proto::TaskSpec &Spec) const {
  for (const Choice &Each : Choices) {
    proto::Choice &Described = *Spec.mutable_action()->add_choices();
    Described.set_name(Each.What->Name.str());
    Described.set_doc(Each.What->Doc.str());
    Described.set_default_value(Each.What->Default.str());
    Described.add_meanings("LLVM's own");
    for (StringRef Value : Each.Values)
      Described.add_meanings(Value.str());
  }
}

void Parameters::describeOne(proto::TaskSpec &Spec) const {
  Spec.mutable_action()->set_mask(Legal);
  Spec.mutable_action()->add_meanings("LLVM's own");
  for (size_t V = 1; V != mostValues(); ++V)
    Spec.mutable_action()->add_meanings("value " + std::to_string(V));
}

/// The level that a pipeline names first.
static OptimizationLevel levelOf(StringRef Pipeline) {
  const auto &[Before, Behind] = Pipeline.split("<O");
  return StringSwitch<OptimizationLevel>(
             Behind.take_until([](char C) { return C == '>' || C == ';'; }))
      .Case("1", OptimizationLevel::O1)
      .Case("2", OptimizationLevel::O2)
      .Case("3", OptimizationLevel::O3)
      .Case("s", OptimizationLevel::Os)
      .Case("z", OptimizationLevel::Oz)
      .Default(OptimizationLevel::O0);
}

void Parameters::decide(Compilation &C, LLVMOptions &Process) {
  Pipeline = C.pipeline().str();
  Chosen.assign(Choices.size(), 0);
  DecisionPoint &Agent = *DecisionPoint::Current;
  if (OneAtATime) {
    for (Asked = 0; Asked != Choices.size(); ++Asked)
      Chosen[Asked] = Agent.ask<int64_t>();
  } else {
    const StringRef Action = Agent.decide();
    for (size_t I = 0; I != Choices.size(); ++I)
      Chosen[I] =
          support::endian::read64le(Action.data() + I * sizeof(int64_t));
  }
  // Options are set at the end, so that a client that measures in between sees
  // LLVM's own values.
  for (auto [Each, Value] : zip_equal(Choices, Chosen))
    if (Value)
      Process.set(Each.What->Name, Each.Values[Value - 1]);
}

void Parameters::write(Tensors &To) const {
  const OptimizationLevel Level = levelOf(Pipeline);
  To.set<int64_t>(Speed, Level.getSpeedupLevel());
  To.set<int64_t>(Size, Level.getSizeLevel());
  if (!OneAtATime)
    return;
  std::vector<int64_t> Here(Choices.size());
  Here[Asked] = 1;
  To.set<int64_t>(AskedAbout, Here);
  To.set<int64_t>(Earlier, Chosen);
  std::vector<int64_t> Values(mostValues());
  std::fill_n(Values.begin(), Choices[Asked].Values.size() + 1, 1);
  To.set<int64_t>(Legal, Values);
}

json::Object Parameters::describeDecision() const {
  if (!OneAtATime)
    return json::Object{{"parameters", static_cast<int64_t>(Choices.size())}};
  const Choice &Now = Choices[Asked];
  return json::Object{{"parameter", Now.What->Name.str()},
                      {"meaning", Now.What->Doc.str()},
                      {"values", join(Now.Values, ", ")}};
}

std::string Parameters::decisionLabel() const {
  return OneAtATime ? Choices[Asked].What->Name.str() : "parameters";
}
