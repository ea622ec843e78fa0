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

/// One compile, and the client that steers it. This is the whole life of a
/// session process.
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
  /// \p Parking is a socket on which the nursery sends further clients with the
  /// same Open; -1 if this session does not park. \p Optimized is a socket for
  /// clients whose Opens differ only in the function that they generate code
  /// for; -1 if the optimised module does not park.
  Session(Channel Client, int Parking, int Optimized)
      : Client(std::move(Client)), Parking(Parking), Optimized(Optimized) {}

  /// Carries out \p Request, which is an Open of \p Program. Then serves the
  /// client's further requests, and ends the process.
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
    /// The same, but code generation was stopped in the middle, and the request
    /// under way needs the code.
    NeedsCode,
  };

  llvm::Error open(llvm::StringRef Program);
  /// Sets up the task, objectives and observations that Options names.
  llvm::Error configure();
  /// Confines this process, and runs the pipeline.
  llvm::Error optimize(llvm::StringRef Program);
  /// Generates code, if decisions come up there.
  llvm::Error generate();
  /// Serves the client, after its Open has been carried out or has \p Failed.
  [[noreturn]] void start(llvm::Error Failed);
  llvm::Error finish();
  /// Ends the episode as soon as the one function that is compiled has its
  /// registers, if nothing more is measured. The rest of the code is generated
  /// only for a client that asks for it.
  void finishWithAllocation();

  /// Serves one request.
  void serve() { dispatch(Client.receive()); }
  void dispatch(const proto::Request &Request);
  /// Stops at a decision until the next action is there, and legal.
  llvm::StringRef nextAction();
  llvm::Error takeActions(const std::string &Bytes);
  llvm::Error play(const proto::Play &Request);
  /// Lets copies play the episodes, and replies with their results. In a copy,
  /// the policy decides from here on.
  void playCopies(const proto::Play &Request,
                  std::unique_ptr<ResidentPolicy> Policy);
  /// What the resident policy answers; empty where it stops.
  llvm::Expected<llvm::StringRef> askPolicy();
  /// Notes after how many decisions functions were done.
  void noteFinished();
  llvm::Expected<std::unique_ptr<ResidentPolicy>>
  createResident(const proto::Play &Request);
  llvm::Error explore(const proto::Explore &Request);
  /// The same for a task without an end, in which an action is worth what the
  /// objectives come to after it.
  llvm::Error tryActions(const proto::Explore &Request);
  /// Whether the Explore under way wants actions tried at this decision.
  bool isExplored() const {
    return Exploring && !IsCopy && Exploring->isDue(Taken.size());
  }
  /// Tries actions at this decision. Returns the policy's answer in the
  /// session, and in each copy the action that the copy tries. Empty if the
  /// session stays at this decision.
  llvm::Expected<llvm::StringRef> exploreHere();
  void replyExplored();
  /// In a copy, reports what the action that it tried came to.
  [[noreturn]] void reportTried();
  /// Makes this fork one of several copies, which reports to \p Pipe and ends.
  void becomeCopy(int Pipe);
  llvm::Error fork();
  llvm::Error fillState(proto::State &State);
  /// Fills in what the client decides from.
  void fillDecision(proto::State &State);
  /// Fills in what became of the decisions, if the task knows.
  void fillTaken(proto::State &State);
  /// Fills in the measurements and observations of the module as it stands.
  llvm::Error fillComputed(proto::State &State);
  bool isOpenEnded() const {
    return llvm::isa_and_present<OpenEndedTask>(Decider.get());
  }
  /// The reply of Open, and of every Step, Play and Explore.
  void replyState();
  bool isFinished() const {
    return Stage == Phase::Finished || Stage == Phase::NeedsCode;
  }
  /// What observations may look at.
  ObservationContext seen() const {
    return {*Compile, Stage == Phase::AtDecision ? Decider.get() : nullptr,
            Taken};
  }

  /// Forks. Returns true in the process that parks on \p Socket, and false in
  /// the session, which closes \p Socket. If the fork fails, this process is
  /// the session.
  bool staysBehind(int Socket);
  /// Turns this process into a parked one and its fork into the session.
  void park();
  /// Parks the optimised module. Returns in the session, and in forks of the
  /// parked process, whose Options are those of their clients.
  void parkOptimized();
  /// Tells the nursery that this process is ready, and forks for each client
  /// that the nursery sends. Returns in the forks only, where Client and
  /// Parking are those of the new client.
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
  /// What a policy decides from: the features, followed by the observations
  /// that are one tensor of a fixed shape.
  FeatureLayout PolicyLayout;
  ObservationSet::Names Watched;
  ObservationSet Observations;
  Measurements Measured;
  /// The version of the module that the client heard of last.
  uint64_t KnownVersion = 0;
  Phase Stage = Phase::Compiling;
  /// What the decision that the compiler is stopped at is about.
  std::string Label;
  std::vector<TakenDecision> Taken;
  /// How many of Taken have been decided again, while code is generated once
  /// more after the end.
  size_t Repeated = 0;
  /// How many functions the client knows to be done.
  size_t Finishes = 0;
  /// For each function that is done, how many decisions had been answered by
  /// then.
  std::vector<uint64_t> FinishedAt;
  /// Decides in the client's place while a Play is under way.
  std::unique_ptr<ResidentPolicy> Resident;
  /// Tries actions while an Explore is under way.
  std::unique_ptr<Exploration> Exploring;
  /// This process is a copy, which tries one action or plays one episode, and
  /// then ends.
  bool IsCopy = false;
  GivenActions Given;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_SESSION_H
