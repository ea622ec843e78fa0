//===- Exploration.cpp - What actions are worth ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Exploration.h"
#include "CrashReport.h"
#include "Wire.h"
#include "llvm/ADT/STLExtras.h"
#include <malloc.h>

using namespace llvm;
using namespace mlcompiler;

static Error refuse(const Twine &Why) {
  return fail(proto::INVALID_ARGUMENT, Why);
}

Expected<std::unique_ptr<Exploration>>
Exploration::create(const proto::Explore &Request, uint64_t Decision,
                    const Tensors &Features, const ActionChecker &Checker) {
  if (Request.policy().decisions())
    return refuse("in an Explore the policy answers to the end, and takes no "
                  "number of decisions");
  if (Request.policy().episodes())
    return refuse("an Explore has no number of episodes");
  if (Request.actions().empty() && !Checker.hasList())
    return refuse("actions that are numbers, or several choices at once, "
                  "cannot all be tried; say which");
  const auto &Decisions = Request.decisions();
  for (int I = 1; I < Decisions.size(); ++I)
    if (Decisions[I] <= Decisions[I - 1])
      return refuse("the decisions are not in ascending order");
  const size_t Size = Checker.bytes();
  if (Request.actions().size() % Size)
    return fail(proto::INVALID_ACTION, "an action has " + Twine(Size) +
                                           " bytes, and " +
                                           Twine(Request.actions().size()) +
                                           " bytes are not a number of them");
  const bool Here = Decisions.empty() || Decisions[0] == 0;
  for (size_t I = 0; I != Request.actions().size(); I += Size) {
    const StringRef Action = StringRef(Request.actions()).substr(I, Size);
    if (Error E = Checker.check(Action))
      return E;
    if (Here)
      if (Error E = Checker.check(Action, Features))
        return E;
  }
  return std::unique_ptr<Exploration>(
      new Exploration(Request, Decision, Checker));
}

Exploration::Exploration(const proto::Explore &Request, uint64_t Decision,
                         const ActionChecker &Checker)
    : Request(Request), Checker(Checker),
      Trying(Request.parallel(), [this](size_t Tag, proto::Reply Report) {
        take(Tag, std::move(Report));
      }) {
  for (uint64_t Each : Request.decisions())
    Due.push_back(Decision + Each);
  if (Due.empty())
    Due.push_back(Decision);
}

bool Exploration::isDone() const {
  // A message that is too large would be lost, and the client can go on from
  // here.
  return Next == Due.size() || Bytes >= MaxFrameBytes / 2 || Trying.isLate();
}

std::vector<std::string>
Exploration::candidates(StringRef Own, const Tensors &Features) const {
  std::vector<std::string> Result;
  auto Add = [&](StringRef Candidate) {
    if (errorToBool(Checker.check(Candidate, Features)) ||
        (Request.others_only() && Candidate == Own))
      return;
    Result.push_back(Candidate.str());
  };
  const size_t Size = Checker.bytes();
  for (size_t I = 0; I != Request.actions().size(); I += Size)
    Add(StringRef(Request.actions()).substr(I, Size));
  if (Request.actions().empty())
    for (const std::string &Each : Checker.all())
      Add(Each);
  return Result;
}

std::optional<int> Exploration::explore(uint64_t Decision, StringRef Own,
                                        const Tensors &Features) {
  crash::DeadlineHold Hold;
  ++Next;
  const int Index = Found.decisions_size();
  proto::Explored &Here = *Found.add_decisions();
  Here.set_decision(Decision);
  Here.set_action(Own.str());
  if (Request.policy().features()) {
    Features.toFloats(*Here.mutable_features());
    if (Features.hasMask())
      Checker.writeLegal(Features, *Here.mutable_legal());
    Bytes += Here.features().size() + Here.legal().size();
  }
  const std::vector<std::string> Candidates = candidates(Own, Features);
  for (const std::string &Each : Candidates)
    Here.add_alternatives()->set_action(Each);
  // Memory that is not in use takes time to copy, as in Session::fork().
  malloc_trim(0);
  for (size_t I = 0; I != Candidates.size(); ++I) {
    Action = Candidates[I];
    const size_t Tag = Places.size();
    Places.push_back({Index, static_cast<int>(I)});
    if (std::optional<int> Pipe = Trying.start(Tag))
      return Pipe;
  }
  return std::nullopt;
}

void Exploration::take(size_t Tag, proto::Reply Report) {
  const auto [Decision, Index] = Places[Tag];
  proto::Alternative &Known =
      *Found.mutable_decisions(Decision)->mutable_alternatives(Index);
  if (Report.has_error()) {
    *Known.mutable_error() = std::move(*Report.mutable_error());
    // The copy has ended, but this session has not.
    Known.mutable_error()->set_session_ended(false);
  } else if (Report.explore().decisions_size() == 1) {
    Known.MergeFrom(Report.explore().decisions(0).alternatives(0));
  }
  Bytes += Known.ByteSizeLong();
}

void Exploration::finish(const proto::PlayReply &Record,
                         proto::ExploreReply &Reply) {
  {
    crash::DeadlineHold Hold;
    Trying.finish();
  }
  Found.set_seed(StaysWith.value_or(Record.seed()));
  Found.set_stopped(Record.stopped());
  Reply = std::move(Found);
}
