//===- ResidentPolicy.cpp - Decisions without the client ------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "ResidentPolicy.h"
#include "Failure.h"
#include "Wire.h"
#include "policy/PolicyFile.h"
#include "tasks/Task.h"

using namespace llvm;
using namespace mlcompiler;

static Error refuse(const Twine &Why) {
  return fail(proto::INVALID_ARGUMENT, Why);
}

/// Where the elements of each input are among those of a decision.
static Expected<std::vector<size_t>> findInputs(const policy::Model &Model,
                                                const FeatureLayout &Layout) {
  std::vector<size_t> Offsets;
  for (const policy::Input &Input : Model.Inputs) {
    auto Found = Layout.find(Input.Feature);
    if (!Found)
      return Found.takeError();
    if (Found->Elements != Input.Elements)
      return refuse("the policy's '" + Input.Feature + "' has " +
                    Twine(Input.Elements) + " elements, and the feature has " +
                    Twine(Found->Elements));
    Offsets.push_back(Found->Offset);
  }
  return Offsets;
}

static Error checkHead(const policy::Model &Model,
                       const proto::TaskSpec &Spec) {
  const size_t Actions = Spec.action().meanings_size();
  const bool IsScalar = Model.Decides == policy::Head::Scalar;
  const size_t Decided =
      Model.Decides == policy::Head::Bernoulli ? 2 : Model.outputs();
  if (IsScalar != (Actions == 0) || (!IsScalar && Decided != Actions))
    return refuse("the policy decides " +
                  (IsScalar
                       ? std::string("a number")
                       : "one of " + std::to_string(Decided) + " actions") +
                  ", and " + Spec.name() + " asks for " +
                  (Actions ? "one of " + std::to_string(Actions)
                           : std::string("a number")));
  const proto::TensorSpec &Tensor = Spec.action().tensor();
  if (IsScalar && (Model.Low < Tensor.low() || Model.High > Tensor.high()))
    return refuse("the policy's numbers go beyond those that " + Spec.name() +
                  " asks for");
  return Error::success();
}

Expected<std::unique_ptr<ResidentPolicy>>
ResidentPolicy::create(const proto::Play &Request, const proto::TaskSpec &Spec,
                       const proto::Open &Options, const FeatureLayout &Layout,
                       const ActionChecker &Checker) {
  policy::Policy Read;
  std::string Why;
  if (!policy::readPolicy(Request.policy(), Read, Why))
    return refuse(Why);
  if (!Read.Task.empty() && Read.Task != Options.task())
    return refuse("the policy decides " + Read.Task + ", and this session " +
                  Options.task());
  auto Created = [&]() -> Expected<Deciding> {
    if (!Read.Builtin.empty())
      return NamedPolicy::create(Read.Builtin, Request.has_seed(), Spec,
                                 Options, Layout);
    if (Error E = checkHead(Read.Model, Spec))
      return E;
    auto Offsets = findInputs(Read.Model, Layout);
    if (!Offsets)
      return Offsets.takeError();
    return policy::Evaluator(std::move(Read.Model), std::move(*Offsets));
  }();
  if (!Created)
    return Created.takeError();
  return std::unique_ptr<ResidentPolicy>(
      new ResidentPolicy(Request, std::move(*Created), Checker));
}

ResidentPolicy::ResidentPolicy(const proto::Play &Request, Deciding Decider,
                               const ActionChecker &Checker)
    : Decider(std::move(Decider)), Checker(Checker),
      RecordFeatures(Request.features()) {
  if (Request.has_seed())
    Sample.emplace(Request.seed());
  if (Request.decisions())
    Left = Request.decisions();
  Action.resize(Checker.bytes());
}

StringRef ResidentPolicy::decide(const Tensors &Features) {
  if (Left && (*Left)-- == 0)
    return "";
  // The client can go on from here. A message that is too large would be lost.
  if (Record.features().size() >= MaxFrameBytes / 2)
    return "";
  Features.toFloats(Floats);
  const uint8_t *Mask = nullptr;
  if (Features.hasMask()) {
    Checker.writeLegal(Features, Legal);
    Mask = reinterpret_cast<const uint8_t *>(Legal.data());
  }
  policy::Decision Decision;
  const char *Why = std::visit(
      [&](auto &Policy) {
        return Policy.decide(reinterpret_cast<const float *>(Floats.data()),
                             Mask, Sample ? &*Sample : nullptr, Decision);
      },
      Decider);
  if (Why) {
    Record.set_stopped(Why);
    return "";
  }
  if (Checker.isDiscrete())
    std::memcpy(Action.data(), &Decision.Action, sizeof(Decision.Action));
  else
    std::memcpy(Action.data(), &Decision.Value, sizeof(Decision.Value));
  Record.mutable_actions()->append(Action);
  const float LogProbability = static_cast<float>(Decision.LogProbability);
  Record.mutable_log_probabilities()->append(
      reinterpret_cast<const char *>(&LogProbability), sizeof(LogProbability));
  if (RecordFeatures) {
    Record.mutable_features()->append(Floats);
    Record.mutable_legal()->append(Legal);
  }
  return Action;
}

void ResidentPolicy::takeRecord(proto::PlayReply &Reply) {
  if (Sample)
    Record.set_seed(Sample->state());
  Reply = std::move(Record);
}
