//===- Session.cpp - One compile and the client that steers it ------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Session.h"
#include "CrashReport.h"
#include "Sandbox.h"
#include "SymbolNames.h"
#include "objectives/Objective.h"
#include "llvm/CodeGen/MachineFunction.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include <cerrno>
#include <cstring>
#include <sys/resource.h>
#include <unistd.h>

using namespace llvm;
using namespace mlcompiler;

void Session::run(const proto::Request &Request, StringRef Program) {
  Current = this;
  Options = Request.open();
  crash::install();
  Client.setDeadline(Options.limits().deadline_ms());
  Client.begin(Request);
  Client.answer().mutable_open();
  if (Optimized < 0)
    start(open(Program));
  // The task comes later, because it changes this process.
  if (Error E = optimize(Program))
    start(std::move(E));
  parkOptimized();
  Error E = configure();
  start(E ? std::move(E) : generate());
}

void Session::start(Error Failed) {
  if (!Failed && !isFinished())
    Failed = finish();
  if (Failed)
    refuse(std::move(Failed));
  if (std::exchange(Stage, Phase::Finished) == Phase::NeedsCode)
    dispatch(Client.request());
  else
    replyState();
  while (true)
    serve();
}

Error Session::open(StringRef Program) {
  if (Error E = configure())
    return E;
  if (Error E = optimize(Program))
    return E;
  if (auto *Open = dyn_cast_if_present<OpenEndedTask>(Decider.get()))
    return Open->drive(*Compile);
  return generate();
}

Error Session::configure() {
  if (Error E = checkObjectives(Options.objectives()))
    return E;
  if (!Options.task().empty()) {
    auto Created = Task::create(Options.task(), Options.options());
    if (!Created)
      return Created.takeError();
    Decider = std::move(*Created);
    LLVMOptions Process;
    Decider->apply(Process);
    Checker = ActionChecker(Decider->spec());
    Features = Tensors(FeatureLayout(Decider->spec(), Options));
    if (Options.pipeline().empty())
      Options.set_pipeline(Decider->spec().default_pipeline());
  }
  if (Error E = Observations.check(Options.observations()))
    return E;
  if (Decider) {
    const auto Fixed = Observations.tensors(Options.observations());
    PolicyLayout = FeatureLayout(Decider->spec(), Options, Fixed);
    for (const proto::TensorSpec &Each : Fixed)
      *Watched.Add() = Each.name();
  }
  return Error::success();
}

Error Session::optimize(StringRef Program) {
  if (uint64_t Bytes = Options.limits().memory_bytes()) {
    rlimit Limit{Bytes, Bytes};
    if (setrlimit(RLIMIT_DATA, &Limit))
      return fail(proto::INVALID_ARGUMENT,
                  Twine("memory limit: ") + strerror(errno));
  }
  if (Error E = sandbox::enterSession())
    return E;
  if (Options.pipeline().empty())
    return fail(proto::INVALID_ARGUMENT,
                "without a task, Open must name a pipeline");
  auto Loaded = Compilation::load(Program, Options);
  if (!Loaded)
    return Loaded.takeError();
  Compile = std::move(*Loaded);
  if (Error E = Compile->parsePipeline(Options.pipeline()))
    return E;
  if (auto *T = dyn_cast_if_present<UpfrontTask>(Decider.get())) {
    LLVMOptions Process;
    T->decide(*Compile, Process);
  }
  if (Error E =
          Compile->optimize([&](PassBuilder &PB, ModuleAnalysisManager &MAM) {
            if (auto *T = dyn_cast_if_present<PipelineTask>(Decider.get()))
              T->install(PB, MAM);
          }))
    return E;
  if (!isOpenEnded())
    Compile->endPasses();
  return Error::success();
}

Error Session::generate() {
  auto *InCodegen = dyn_cast_if_present<CodegenTask>(Decider.get());
  if (!InCodegen)
    return Error::success();
  Compile->setCodegenPasses([this, InCodegen](legacy::PassManagerBase &PM) {
    Repeated = 0;
    InCodegen->install(PM);
  });
  if (!Options.function().empty() && areSumsOverFunctions(Options.objectives()))
    Compile->setAllocatedCallback([this] { finishWithAllocation(); });
  return Compile->object().takeError();
}

void Session::finishWithAllocation() {
  if (isFinished())
    return;
  Stage = Phase::Finished;
  measureFunction(Compile->allocated().back(), Options.objectives(),
                  *Outcome.add_functions());
  *Outcome.mutable_measurements() = Outcome.functions(0).measurements();
  replyState();
  while (Stage != Phase::NeedsCode)
    serve();
}

Error Session::finish() {
  Stage = Phase::Finished;
  if (Error E = Measured.measure(*Compile, Options.objectives(),
                                 *Outcome.mutable_measurements()))
    return E;
  for (const AllocatedFunction &F : Compile->allocated()) {
    proto::FunctionOutcome Function;
    measureFunction(F, Options.objectives(), Function);
    if (Function.measurements_size())
      *Outcome.add_functions() = std::move(Function);
  }
  return Error::success();
}

void Session::refuse(Error Why) {
  Client.replyError(std::move(Why), /*SessionEnded=*/true);
  Conversation::leave();
}

StringRef Session::decide() {
  // Features are also written when a decision comes up again. LLVM caches what
  // it is asked for here, so it must be asked the same.
  Decider->write(Features);
  if (isFinished())
    return Taken[Repeated++].Action;
  if (Taken.empty())
    Features.checkWritten();
  Features.makeFinite();
  noteFinished();
  if (!isOpenEnded())
    Compile->changed();
  Stage = Phase::AtDecision;
  Label = Decider->decisionLabel();
  StringRef Action = nextAction();
  Taken.push_back({std::move(Label), Action.str()});
  Stage = Phase::Compiling;
  return Action;
}

StringRef Session::nextAction() {
  if (Given.empty() && !Resident)
    // Replies to the Open or Step that brought the compiler here. At a first
    // decision, this process may park; a fork of it then replies to another
    // client.
    replyState();
  while (true) {
    if (Resident) {
      Expected<StringRef> Action = isExplored() ? exploreHere() : askPolicy();
      if (!Action)
        Resident->stop(toString(Action.takeError()));
      else if (!Action->empty())
        return *Action;
      replyState();
      continue;
    }
    if (Given.empty()) {
      serve();
      continue;
    }
    Expected<StringRef> Action = Given.take(Checker, Features);
    if (Action)
      return *Action;
    Client.replyError(Action.takeError(), /*SessionEnded=*/false);
  }
}

void Session::dispatch(const proto::Request &Request) {
  Error E = Error::success();
  if (isFinished() && Compile->isGenerating() &&
      (Request.has_measure() ||
       (Request.has_emit() &&
        Request.emit().format() != proto::Emit::BITCODE))) {
    Stage = Phase::NeedsCode;
    return;
  }
  proto::Reply &Answer = Client.answer();
  switch (Request.request_case()) {
  case proto::Request::kStep:
    E = takeActions(Request.step().actions());
    // Actions are replied to when LLVM stops again. Without actions, it has not
    // moved.
    if (!E && Given.empty())
      replyState();
    if (!E)
      return;
    break;
  case proto::Request::kPlay:
    E = play(Request.play());
    // As with actions, the reply comes later.
    if (!E)
      return;
    break;
  case proto::Request::kExplore:
    E = explore(Request.explore());
    if (!E)
      return;
    break;
  case proto::Request::kFork:
    E = fork();
    break;
  case proto::Request::kObserve:
    E = Observations.observe(seen(), Request.observe().names(), /*Strict=*/true,
                             *Answer.mutable_observe()->mutable_observations());
    break;
  case proto::Request::kMeasure:
    E = Measured.measure(*Compile, Request.measure().objectives(),
                         *Answer.mutable_measure()->mutable_measurements());
    break;
  case proto::Request::kEmit: {
    if (!proto::Emit::Format_IsValid(Request.emit().format()) ||
        Request.emit().format() == proto::Emit::FORMAT_UNSPECIFIED) {
      E = fail(proto::INVALID_ARGUMENT,
               "Emit needs a format: BITCODE, ASSEMBLY or OBJECT");
      break;
    }
    auto Code = Compile->emit(Request.emit().format());
    if (Code)
      Answer.mutable_emit()->set_data(Code->data(), Code->size());
    else
      E = Code.takeError();
    break;
  }
  case proto::Request::kClose:
    Answer.mutable_close();
    Client.reply();
    Conversation::leave();
  case proto::Request::kDescribe:
  case proto::Request::kUpload:
  case proto::Request::kOpen:
  case proto::Request::kAttach:
    E = fail(proto::FAILED_PRECONDITION,
             "this session is open; open another stream for that");
    break;
  case proto::Request::REQUEST_NOT_SET:
    E = fail(proto::INVALID_ARGUMENT, "the request is empty");
    break;
  }
  if (E)
    Client.replyError(std::move(E), /*SessionEnded=*/false);
  else if (Answer.reply_case() != proto::Reply::REPLY_NOT_SET)
    Client.reply();
}

Error Session::takeActions(const std::string &Bytes) {
  if (Bytes.empty())
    return Error::success();
  if (isFinished())
    return fail(proto::FAILED_PRECONDITION,
                "the compile is finished; there is nothing left to decide");
  return Given.give(Bytes, Checker);
}

Expected<std::unique_ptr<ResidentPolicy>>
Session::createResident(const proto::Play &Request) {
  if (isFinished())
    return fail(proto::FAILED_PRECONDITION,
                "the compile is finished; there is nothing left to decide");
  if (isOpenEnded() && !Request.decisions())
    return fail(proto::INVALID_ARGUMENT,
                Options.task() + " has no end of its own; say how many "
                                 "decisions the policy is to answer");
  return ResidentPolicy::create(Request, Decider->spec(), Options, PolicyLayout,
                                Checker);
}

Error Session::play(const proto::Play &Request) {
  auto Created = createResident(Request);
  if (!Created)
    return Created.takeError();
  if (Request.episodes()) {
    playCopies(Request, std::move(*Created));
    return Error::success();
  }
  Resident = std::move(*Created);
  Client.answer().mutable_play();
  return Error::success();
}

Expected<StringRef> Session::askPolicy() {
  if (isOpenEnded() && Resident->hasActed()) {
    ResidentPolicy::Measurements Values;
    if (Error E = Measured.measure(*Compile, Options.objectives(), Values))
      return E;
    Resident->keepMeasured(Values);
  }
  ResidentPolicy::Observations Observed;
  if (Resident->needsObserved())
    if (Error E =
            Observations.observe(seen(), Watched, /*Strict=*/true, Observed))
      return E;
  return Resident->decide(Features, Observed);
}

void Session::noteFinished() {
  while (FinishedAt.size() < Compile->allocated().size())
    FinishedAt.push_back(Taken.size());
}

Error Session::explore(const proto::Explore &Request) {
  if (isOpenEnded())
    return tryActions(Request);
  // The client does not ask for what the policy decides on the way.
  proto::Play Policy = Request.policy();
  Policy.clear_features();
  auto Created = createResident(Policy);
  if (!Created)
    return Created.takeError();
  auto Explored = Exploration::create(Request, Taken.size(), Features, Checker);
  if (!Explored)
    return Explored.takeError();
  Resident = std::move(*Created);
  Exploring = std::move(*Explored);
  Client.answer().mutable_explore();
  return Error::success();
}

Error Session::fillState(proto::State &State) {
  State.set_decisions(Taken.size());
  if (isFinished()) {
    *State.mutable_outcome() = Outcome;
    fillTaken(State);
  } else {
    fillDecision(State);
  }
  if (auto *InCodegen = dyn_cast_if_present<CodegenTask>(Decider.get())) {
    const MachineFunction *MF = InCodegen->machineFunction();
    if (MF && !isFinished())
      State.set_function(toText(MF->getName()));
    noteFinished();
    for (; Finishes < Compile->allocated().size(); ++Finishes) {
      proto::FunctionOutcome &Finished = *State.add_finished();
      measureFunction(Compile->allocated()[Finishes], Options.objectives(),
                      Finished);
      Finished.set_decisions(FinishedAt[Finishes]);
    }
  }
  if (isOpenEnded()) {
    State.set_no_effect(Compile->version() == KnownVersion);
    KnownVersion = Compile->version();
  }
  return fillComputed(State);
}

void Session::fillDecision(proto::State &State) {
  if (Options.features_as_float32())
    Features.toFloats(*State.mutable_features());
  else
    State.set_features(Features.bytes().data(), Features.bytes().size());
  if (Features.hasMask())
    Checker.writeLegal(Features, *State.mutable_legal());
  if (!isOpenEnded())
    State.set_label(toText(Label));
}

void Session::fillTaken(proto::State &State) {
  json::Array Made = Decider ? Decider->taken() : json::Array();
  if (Made.empty())
    return;
  proto::Observation &Taken = *State.add_observations();
  Taken.set_name("taken");
  Taken.set_text(formatv("{0}", json::Value(std::move(Made))));
}

Error Session::fillComputed(proto::State &State) {
  if (isOpenEnded())
    if (Error E = Measured.measure(*Compile, Options.objectives(),
                                   *State.mutable_measurements()))
      return E;
  return Observations.observe(seen(), Options.observations(), /*Strict=*/false,
                              *State.mutable_observations());
}

void Session::replyState() {
  if (Exploring && IsCopy)
    reportTried();
  if (Exploring)
    replyExplored();
  if (Parking >= 0) {
    // This is computed once, and every session that is forked from here then
    // knows it.
    proto::State Known;
    consumeError(fillComputed(Known));
    park();
  }
  proto::Reply &Answer = Client.answer();
  const bool IsOpen = Answer.has_open();
  if (IsOpen)
    Answer.mutable_open()->set_pid(getpid());
  if (Resident)
    Resident->takeRecord(*Answer.mutable_play());
  Resident.reset();
  if (Error E = fillState(
          IsOpen                 ? *Answer.mutable_open()->mutable_state()
          : Answer.has_play()    ? *Answer.mutable_play()->mutable_state()
          : Answer.has_explore() ? *Answer.mutable_explore()->mutable_state()
                                 : *Answer.mutable_step())) {
    Client.replyError(std::move(E), /*SessionEnded=*/false);
  } else {
    Given.clear();
    Client.reply();
  }
  if (IsCopy)
    Conversation::leave();
}
