//===- Session.h - One compile and the client that steers it ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_SESSION_H
#define MLCOMPILER_GYM_SERVICE_SESSION_H

#include "ActionChecker.h"
#include "Compilation.h"
#include "DecisionPoint.h"
#include "FeatureLayout.h"
#include "Wire.h"
#include "objectives/Objective.h"
#include "observations/ObservationSource.h"
#include "tasks/Task.h"

namespace mlcompiler {

/// One compile and the client that steers it: the whole life of a session
/// process.
///
/// There is one thread. Requests are served either in serve(), before the
/// pipeline starts and after it has ended, or in decide(), which LLVM calls
/// from the middle of a pass and which returns when a Step arrives. Because of
/// that, fork(2) copies a session wherever it stands.
class Session : public DecisionPoint {
public:
  /// \p Parking is a socket on which the nursery sends further clients for the
  /// same Open, or -1 if this session is not to be parked. \p Optimized is one
  /// for clients that differ only in what they generate code for, or -1; what
  /// they have optimised is then parked, too.
  Session(Channel Client, int Parking, int Optimized)
      : Client(std::move(Client)), Parking(Parking), Optimized(Optimized) {}

  /// The most bytes that a client brings when it is sent to a parked session.
  static constexpr size_t MaxArrivalBytes = 64 << 10;

  /// Serves \p Request, which is an Open, on \p Program, and then the client's
  /// further requests. Ends the process.
  [[noreturn]] void run(const proto::Request &Request, llvm::StringRef Program);

  llvm::StringRef decide(llvm::StringRef Features) override;
  std::vector<llvm::TensorSpec> extraFeatures() const override;
  void computeExtraFeatures(const char *Features, char *To) override;
  void announce(llvm::ArrayRef<llvm::TensorSpec> Features) override;
  [[noreturn]] void refuse(llvm::Error Why) override;

private:
  /// Leaves without running destructors: there is nothing to save, and freeing
  /// a module takes longer than leaving it to the kernel.
  [[noreturn]] static void leave();

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

  /// Serves requests until a Step brings actions, which is possible only at a
  /// decision; ends the process when the client closes.
  void serve();
  /// Reads a request, its time running; ends the process at the end of stream.
  const proto::Request &receive();
  /// Lets the time of a request run; 0 stands for the session's own deadline.
  void startRequest(unsigned DeadlineMs);
  /// Sends Answer, the time of the request no longer running.
  void reply();
  void replyError(llvm::Error E, bool SessionEnded);

  void dispatch(const proto::Request &Request);
  /// Stops at a decision until the next action is there, and legal.
  llvm::StringRef nextAction();
  llvm::Error takeActions(const std::string &Bytes);
  llvm::Error fork();
  llvm::Error fillState(proto::State &State);
  /// Fills in what the client decides from.
  void fillDecision(proto::State &State);
  /// Fills in what is computed of the module as it stands.
  llvm::Error fillComputed(proto::State &State);
  bool isOpenEnded() const { return Decider && Decider->isOpenEnded(); }
  /// The reply of Open, and of every Step.
  void replyState();
  /// Forks. True in the process that is to be parked on \p Socket, false in
  /// the session, which closes it, and which there is without a fork, too.
  bool staysBehind(int Socket);
  /// Turns this process into a parked one and its fork into the session.
  void park();
  /// What the nursery sends with a client: its socket, first, and bytes.
  struct Arrival {
    llvm::SmallVector<int, MaxDescriptors> Descriptors;
    std::string Payload;
  };
  /// Tells the nursery that this process is ready, and forks for each client
  /// that it sends. Returns in the forks only.
  Arrival awaitClients();
  /// Parks the optimised module, and returns in the forks that are to generate
  /// code from it, Options being their client's.
  void parkOptimized();
  /// Takes \p Socket as the client's from now on.
  void adopt(int Socket);

  Channel Client;
  int Parking;
  int Optimized;
  proto::Open Options;
  unsigned RequestDeadline = 0;
  /// Kept between requests for the memory that they have.
  proto::Request Request;
  proto::Reply Answer;
  proto::Outcome Outcome;

  std::unique_ptr<Compilation> Compile;
  std::unique_ptr<Task> Decider;
  proto::TaskSpec Spec;
  ActionChecker Checker;
  FeatureLayout Layout;
  ObservationSet Observations;
  Measurements Measured;
  /// What the module was when the client heard of it last.
  uint64_t KnownVersion = 0;
  bool Opened = false;
  bool FromParked = false;
  bool Finished = false;
  /// Request has to wait until the code is there.
  bool NeedsCode = false;
  /// The features of the decision that LLVM waits for; null if none.
  llvm::StringRef Features;
  std::vector<TakenDecision> Taken;
  /// While code is generated once more after the end, how many of Taken have
  /// been decided again.
  size_t Repeated = 0;
  /// How many of the functions that code was generated for the client knows.
  size_t Finishes = 0;
  /// Actions received and not yet taken.
  std::string Actions;
  size_t NextAction = 0;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_SESSION_H
