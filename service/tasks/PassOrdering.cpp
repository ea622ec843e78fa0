//===- PassOrdering.cpp - Which pass runs next ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Compilation.h"
#include "DecisionPoint.h"
#include "PassSets.h"
#include "Task.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"

using namespace llvm;
using namespace mlcompiler;

namespace {

/// Runs whatever the agent names, on and on.
class PassOrdering : public Task {
public:
  void describe(proto::TaskSpec &Spec) const override;
  Error configure(const StringMap<std::string> &Options) override;
  bool isOpenEnded() const override { return true; }
  Error drive(Compilation &C) override;
  std::string pipeline() const override { return Pipeline; }
  json::Object describeDecision() const override;
  std::string decisionLabel() const override {
    return "pass " + std::to_string(Steps);
  }

private:
  std::vector<std::string> Actions;
  bool Repeats = true;
  /// For each action, whether it may be taken (int64).
  std::vector<int64_t> Legal;
  /// Everything that has been run.
  std::string Pipeline;
  uint64_t Steps = 0;
};

} // namespace

static TaskRegistry::Add<PassOrdering>
    X("pass_ordering",
      "Which pass or sequence of passes runs next, for as long "
      "as the agent likes.");

static constexpr char Mask[] = "legal";

void PassOrdering::describe(proto::TaskSpec &Spec) const {
  // What no compile may leave out, such as mandatory inlining.
  Spec.set_default_pipeline("default<O0>");
  Spec.set_default_objective("ir_instructions");
  Spec.set_open_ended(true);
  proto::TensorSpec &Action = *Spec.mutable_action()->mutable_tensor();
  describeTensor(TensorSpec::createSpec<int64_t>("pass", {1}), Action);
  setBounds(Action, 0, static_cast<double>(Actions.size()) - 1);
  Action.set_doc("index of the pipeline to run on the module as it stands");
  for (const std::string &Each : Actions)
    Spec.mutable_action()->add_meanings(Each);
  if (!Repeats) {
    Spec.mutable_action()->set_mask(Mask);
    proto::TensorSpec &Feature = *Spec.add_features();
    describeTensor(
        TensorSpec::createSpec<int64_t>(
            Mask, {static_cast<int64_t>(std::max<size_t>(Actions.size(), 1))}),
        Feature);
    setBounds(Feature, 0, 1);
    Feature.set_doc("1 for each action that has not been taken yet");
  }
  proto::OptionSpec &Set = *Spec.add_options();
  Set.set_name("actions");
  Set.set_default_value("llvm22");
  std::string Doc = "The actions: one pipeline a line, each as `opt -passes=` "
                    "takes it, or the name of a set.";
  for (const PassSet &Known : passSets())
    Doc += (" " + Known.Name + ": " + Known.Doc).str();
  Set.set_doc(Doc);
  proto::OptionSpec &Again = *Spec.add_options();
  Again.set_name("repeats");
  Again.set_default_value("true");
  Again.set_doc("Whether an action may be taken more than once.");
}

Error PassOrdering::configure(const StringMap<std::string> &Options) {
  auto MayRepeat = parseFlag("repeats", Options.lookup("repeats"));
  if (!MayRepeat)
    return MayRepeat.takeError();
  Repeats = *MayRepeat;
  const std::string Wanted = Options.lookup("actions");
  for (const PassSet &Set : passSets())
    if (Wanted == Set.Name)
      Actions.assign(Set.Actions.begin(), Set.Actions.end());
  if (Actions.empty())
    for (StringRef Line : split(Wanted, '\n'))
      if (!Line.trim().empty())
        Actions.push_back(Line.trim().str());
  if (Actions.empty())
    return fail(proto::INVALID_ARGUMENT,
                "option 'actions' names no pipeline to choose among");
  Legal.assign(Repeats ? 0 : Actions.size(), 1);
  return Error::success();
}

Error PassOrdering::drive(Compilation &C) {
  auto Texts = C.spellOut(Actions);
  if (!Texts)
    return Texts.takeError();
  Pipeline = C.pipeline().str();
  C.compareExactly();
  DecisionPoint &Agent = *DecisionPoint::Current;
  while (true) {
    StringRef Features(reinterpret_cast<const char *>(Legal.data()),
                       Legal.size() * sizeof(int64_t));
    const auto Action = support::endian::read64le(
        Agent.decide(Legal.empty() ? StringRef("") : Features).data());
    auto Changed = C.run((*Texts)[Action]);
    if (!Changed)
      return Changed.takeError();
    ++Steps;
    if (!Repeats)
      Legal[Action] = 0;
    Pipeline += "," + (*Texts)[Action];
    if (*Changed) {
      const std::string What = "pipeline '" + (*Texts)[Action] + "'";
      if (Error E = C.verify(What))
        return E;
      // Everything may be deleted once nothing is exported: no gain.
      if (Error E = C.checkExports(What, proto::BROKEN_MODULE))
        return E;
    }
  }
}

json::Object PassOrdering::describeDecision() const {
  return json::Object{{"steps", static_cast<int64_t>(Steps)},
                      {"pipeline", Pipeline}};
}
