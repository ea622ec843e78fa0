//===- PassOrdering.cpp - Which pass runs next ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Compilation.h"
#include "DecisionPoint.h"
#include "Failure.h"
#include "PassSets.h"
#include "Task.h"
#include "llvm/ADT/StringExtras.h"

using namespace llvm;
using namespace mlcompiler;

namespace {

/// Runs the pass that the agent names, again and again.
class PassOrdering : public OpenEndedTask {
public:
  Error drive(Compilation &C) override;
  void write(Tensors &To) const override;
  std::string pipeline() const override { return Pipeline; }
  json::Object describeDecision() const override;
  std::string decisionLabel() const override {
    return "pass " + std::to_string(Steps);
  }

private:
  void declare(TaskOptions &Options) override;
  Error check() override;
  void describe(proto::TaskSpec &Spec) const override;

  /// The actions as the client names them, and as a list.
  std::string Wanted = "llvm22";
  std::vector<std::string> Actions;
  bool Repeats = true;
  /// For each action, 1 if it has not been taken yet, otherwise 0.
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

static constexpr char ActionsName[] = "actions";
static constexpr char Mask[] = "legal";

void PassOrdering::describe(proto::TaskSpec &Spec) const {
  // This pipeline runs what no compile may leave out, such as mandatory
  // inlining.
  Spec.set_default_pipeline("default<O0>");
  Spec.set_default_objective("ir_instructions");
  Spec.set_default_programs("kernels");
  Spec.set_default_level("Oz");
  proto::Heuristic &Heuristic = *Spec.mutable_heuristic();
  proto::Option &Whole = *Heuristic.add_options();
  Whole.set_name(ActionsName);
  Whole.set_value("default<Oz>");
  Heuristic.set_action(0);
  Heuristic.set_decisions(1);
  proto::TensorSpec &Action = *Spec.mutable_action()->mutable_tensor();
  describeTensor(TensorSpec::createSpec<int64_t>("pass", {1}), Action);
  setBounds(Action, 0, static_cast<double>(Actions.size()) - 1);
  Action.set_doc("index of the pipeline to run on the module as it stands");
  for (const std::string &Each : Actions)
    Spec.mutable_action()->add_meanings(Each);
  if (!Repeats) {
    Spec.mutable_action()->set_mask(Mask);
    proto::TensorSpec &Feature = *Spec.add_features();
    describeTensor(TensorSpec::createSpec<int64_t>(
                       Mask, {static_cast<int64_t>(Actions.size())}),
                   Feature);
    setBounds(Feature, 0, 1);
    Feature.set_doc("1 for each action that has not been taken yet");
  }
}

void PassOrdering::declare(TaskOptions &Options) {
  std::string Doc = "The actions: one pipeline a line, each as `opt -passes=` "
                    "takes it, or the name of a set.";
  SmallVector<StringRef> Names;
  for (const PassSet &Known : passSets()) {
    Names.push_back(Known.Name);
    Doc += (" " + Known.Name + ": " + Known.Doc).str();
  }
  Options.text(ActionsName, Wanted, Names, Doc);
  Options.flag("repeats", Repeats,
               "Whether an action may be taken more than once.");
}

Error PassOrdering::check() {
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
  Legal.assign(Actions.size(), 1);
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
    const auto Action = Agent.ask<int64_t>();
    auto Changed = C.run((*Texts)[Action]);
    if (!Changed)
      return Changed.takeError();
    ++Steps;
    Legal[Action] = 0;
    Pipeline += "," + (*Texts)[Action];
    if (*Changed) {
      const std::string What = "pipeline '" + (*Texts)[Action] + "'";
      if (Error E = C.verify(What))
        return E;
      // A module without exports could be deleted entirely, which is no gain.
      if (Error E = C.checkExports(What, proto::BROKEN_MODULE))
        return E;
    }
  }
}

void PassOrdering::write(Tensors &To) const {
  if (!Repeats)
    To.set<int64_t>(Mask, Legal);
}

json::Object PassOrdering::describeDecision() const {
  return json::Object{{"steps", static_cast<int64_t>(Steps)},
                      {"pipeline", Pipeline}};
}
