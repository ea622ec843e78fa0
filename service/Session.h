//===- Session.h - One compile and the client that steers it ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_SESSION_H
#define MLCOMPILER_GYM_SERVICE_SESSION_H

#include "Arrival.h"
#include "Compilation.h"
#include "Conversation.h"
#include "DecisionPoint.h"
#include "Exploration.h"
#include "GivenActions.h"
#include "ResidentPolicy.h"
#include "Tensors.h"
#include "objectives/Objective.h"
#include "observations/ObservationSource.h"
#include "tasks/Task.h"

namespace mlcompiler {

/// One compile and the client that steers it: the whole life of a session
/// process.
///
/// Contract: there is one thread. Requests are served either in serve(), before
/// the pipeline starts and after it has ended, or in decide(), which LLVM calls
/// from the middle of a pass and which returns when a Step arrives. Because of
/// that, fork(2) copies a session wherever it stands.
/// Failure mode: an error of a request is its reply, and the session stays
/// where it was. What LLVM does not survive ends this process and no other; the
/// client is told what happened (CrashReport.h).
class Session : public DecisionPoint {
public:
  /// \p Parking is a socket on which the nursery sends further clients for the
  /// same Open, or -1 if this session is not to be parked. \p Optimized is one
  /// for clients that differ only in what they generate code for, or -1; what
  /// they have optimised is then parked, too.
  Session(Channel Client, int Parking, int Optimized)
      : Client(std::move(Client)), Parking(Parking), Optimized(Optimized) {}

  /// Serves \p Request, which is an Open, on \p Program, and then the client's
  /// further requests. Ends the process.
  [[noreturn]] void run(const proto::Request &Request, llvm::StringRef Program);

  Tensors &tensors() override { return Features; }
  llvm::StringRef decide() override;
  [[noreturn]] void refuse(llvm::Error Why) override;

private:
  enum class Phase {
    /// LLVM runs.
    Compiling,
    /// LLVM waits for an action.
    AtDecision,
    /// The outcome is known. Decisions come up again if code is generated once
    /// more, and are decided as before.
    Finished,
    /// The same, and the request that has been begun waits for code whose
    /// generation has been stopped in the middle.
    NeedsCode,
  };

  llvm::Error open(llvm::StringRef Program);
  /// Takes what Options say of task, objectives and observations.
  llvm::Error configure();
  /// Confines this process, and runs the pipeline.
  llvm::Error optimize(llvm::StringRef Program);
  /// Generates code, if decisions come up there.
  llvm::Error generate();
  /// Serves the client, once what its Open asks for has been done or \p Failed.
  [[noreturn]] void start(llvm::Error Failed);
  llvm::Error finish();
  /// Ends the episode as soon as the one function that is compiled has its
  /// registers, if that is all that is measured. The code is generated to its
  /// end only for a client that asks for it.
  void finishWithAllocation();

  /// Serves one request.
  void serve() { dispatch(Client.receive()); }
  void dispatch(const proto::Request &Request);
  /// Stops at a decision until the next action is there, and legal.
  llvm::StringRef nextAction();
  llvm::Error takeActions(const std::string &Bytes);
  llvm::Error play(const proto::Play &Request);
  /// Has copies play the episodes, and replies with what comes of that. In the
  /// copies, the policy decides from here on.
  void playCopies(const proto::Play &Request,
                  std::unique_ptr<ResidentPolicy> Policy);
  /// What the resident policy answers; empty where it stops.
  llvm::Expected<llvm::StringRef> askPolicy();
  /// Remembers when functions were done.
  void noteFinished();
  llvm::Expected<std::unique_ptr<ResidentPolicy>>
  createResident(const proto::Play &Request);
  llvm::Error explore(const proto::Explore &Request);
  /// The same in a task without an end, in which an action is worth what the
  /// objectives come to after it.
  llvm::Error tryActions(const proto::Explore &Request);
  /// Whether actions are to be tried at the decision at hand.
  bool isExplored() const {
    return Exploring && !IsCopy && Exploring->isDue(Taken.size());
  }
  /// What the policy answers at a decision at which actions are to be tried,
  /// and in each of the copies that do so, the action that it tries. Empty if
  /// the session stays at this decision.
  llvm::Expected<llvm::StringRef> exploreHere();
  void replyExplored();
  /// Says, in a copy that tries an action, what that has come to.
  [[noreturn]] void reportTried();
  /// Makes this fork one of several copies, which reports to \p Pipe and ends.
  void becomeCopy(int Pipe);
  llvm::Error fork();
  llvm::Error fillState(proto::State &State);
  /// Fills in what the client decides from.
  void fillDecision(proto::State &State);
  /// Fills in what became of the decisions, if the task says so.
  void fillTaken(proto::State &State);
  /// Fills in what is computed of the module as it stands.
  llvm::Error fillComputed(proto::State &State);
  bool isOpenEnded() const {
    return llvm::isa_and_present<OpenEndedTask>(Decider.get());
  }
  /// The reply of Open, and of every Step, Play and Explore.
  void replyState();
  bool isFinished() const {
    return Stage == Phase::Finished || Stage == Phase::NeedsCode;
  }
  /// What observations are told of.
  ObservationContext seen() const {
    return {*Compile, Stage == Phase::AtDecision ? Decider.get() : nullptr,
            Taken};
  }

  /// Forks. True in the process that is to be parked on \p Socket, false in
  /// the session, which closes it, and which there is without a fork, too.
  bool staysBehind(int Socket);
  /// Turns this process into a parked one and its fork into the session.
  void park();
  /// Parks the optimised module, and returns in the forks that are to generate
  /// code from it, Options being their client's.
  void parkOptimized();
  /// Tells the nursery that this process is ready, and forks for each client
  /// that it sends. Returns in the forks only, which serve that client: Client
  /// and Parking are its own.
  void awaitClients();

  Conversation Client;
  int Parking;
  int Optimized;
  proto::Open Options;
  proto::Outcome Outcome;

  std::unique_ptr<Compilation> Compile;
  std::unique_ptr<Task> Decider;
  ActionChecker Checker;
  Tensors Features;
  /// What a policy decides from: the features, and behind them what is observed
  /// as one tensor of a fixed shape.
  FeatureLayout PolicyLayout;
  ObservationSet::Names Watched;
  ObservationSet Observations;
  Measurements Measured;
  /// What the module was when the client heard of it last.
  uint64_t KnownVersion = 0;
  Phase Stage = Phase::Compiling;
  /// What the decision that the compiler is stopped at is about.
  std::string Label;
  std::vector<TakenDecision> Taken;
  /// While code is generated once more after the end, how many of Taken have
  /// been decided again.
  size_t Repeated = 0;
  /// How many of the functions that code was generated for the client knows.
  size_t Finishes = 0;
  /// For each of them, how many decisions had been answered when it was done.
  std::vector<uint64_t> FinishedAt;
  /// Decides in the client's place while a Play is under way.
  std::unique_ptr<ResidentPolicy> Resident;
  /// Tries actions while an Explore is under way.
  std::unique_ptr<Exploration> Exploring;
  /// This is a copy that tries one of them, or plays an episode, and then ends.
  bool IsCopy = false;
  GivenActions Given;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_SESSION_H
