//===- NurserySessions.cpp - Processes for sessions -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Chooses the process that becomes a client's session: a fork of a parked
/// session, or of the nursery.
///
//===----------------------------------------------------------------------===//

#include "Nursery.h"
#include "Session.h"
#include "tasks/Task.h"
#include <array>
#include <sys/resource.h>
#include <unistd.h>

using namespace llvm;
using namespace mlcompiler;

/// The part of an Open that all functions of a module share before code is
/// generated. Empty if \p Request is not for one function, or if decisions come
/// up earlier.
static proto::Open moduleOf(const proto::Open &Request) {
  proto::Open Module;
  if (Request.function().empty())
    return Module;
  std::string Pipeline = Request.pipeline();
  if (!Request.task().empty()) {
    auto Asking = Task::create(Request.task(), Request.options());
    if (errorToBool(Asking.takeError()) || !isa<CodegenTask>(**Asking))
      return Module;
    if (Pipeline.empty())
      Pipeline = (*Asking)->spec().default_pipeline();
  }
  Module = Request;
  Module.set_pipeline(std::move(Pipeline));
  Module.clear_task();
  Module.clear_options();
  Module.clear_objectives();
  Module.clear_observations();
  Module.clear_function();
  Module.clear_park();
  Module.clear_features_as_float32();
  return Module;
}

void Nursery::open(Opening Client) {
  const proto::Open &Wanted = Client.open();
  if (!Parked.mayPark()) {
    spawn(std::move(Client));
    return;
  }
  // A parsed message without maps and unknown fields serialises in one way
  // only.
  const std::string Key = Wanted.park() ? Wanted.SerializeAsString() : "";
  ParkedSessions::Session *Session = Parked.find(Key);
  if (!Session) {
    const proto::Open Module = moduleOf(Wanted);
    // A module's key is never the key of an Open, because it does not ask for
    // parking.
    const std::string ModuleKey = Module.SerializeAsString();
    Session = Parked.find(ModuleKey);
    if (!Session) {
      // A session that does not park leaves no module either.
      if (Key.empty() || ModuleKey.empty()) {
        spawn(std::move(Client), Key);
        return;
      }
      Client.Request.mutable_open()->set_pipeline(Module.pipeline());
      spawn(std::move(Client), Key, ModuleKey);
      return;
    }
  }
  if (!Session->Ready) {
    // Only the session's own deadline bounds the wait, so a client that sets
    // another one does not wait.
    if (Client.Request.deadline_ms())
      spawn(std::move(Client));
    else
      Session->Queue.push_back(std::move(Client));
    return;
  }
  const Handover Result = handOver(Client, *Session, Key);
  if (Result == Handover::Failed)
    spawn(std::move(Client), Key);
  else if (Result == Handover::TooLarge)
    spawn(std::move(Client));
}

Handover Nursery::handOver(const Opening &Client,
                           ParkedSessions::Session &Session,
                           const std::string &Key) {
  std::array<int, 2> Ends{-1, -1};
  proto::Request Request;
  if (Session.Optimized) {
    Ends = Parked.makeEnds(Key);
    Request = Client.Request;
  } else {
    Request.set_deadline_ms(Client.Request.deadline_ms());
  }
  const Handover Result =
      sendArrival(Session.Socket, Client.Client, Request, Ends[1]);
  Parked.keep(Key, Ends, /*Optimized=*/false, Result == Handover::Done);
  if (Result == Handover::Failed)
    Parked.drop(Session);
  return Result;
}

void Nursery::becomeSession() {
  // No descriptor of another client may stay open here, or that client would
  // not see the end of its stream when its session ends.
  ::close(Control);
  ::close(Spare);
  Parked.clear();
  Clients.clear();
  if (!Bounds.Quiet)
    return;
  // Standard input is the null device.
  dup2(STDIN_FILENO, STDOUT_FILENO);
  dup2(STDIN_FILENO, STDERR_FILENO);
  // A session then has no file to write to.
  const rlimit Nothing{0, 0};
  setrlimit(RLIMIT_FSIZE, &Nothing);
}

void Nursery::spawn(Opening Client, const std::string &Key,
                    const std::string &ModuleKey) {
  const std::string *Program = Programs.find(Client.open().program_sha256());
  if (!Program) {
    // The program was dropped while the client waited.
    if (Client.Client.write(answer(Client.Request), /*Wait=*/false))
      listen(std::move(Client.Client));
    return;
  }
  const std::array<int, 2> Optimized = Parked.makeEnds(ModuleKey);
  const std::array<int, 2> Parking = Parked.makeEnds(Key);
  const pid_t Pid = fork();
  if (Pid == 0) {
    becomeSession();
    for (int Ours : {Optimized[0], Parking[0]})
      if (Ours >= 0)
        ::close(Ours);
    Session(std::move(Client.Client), Parking[1], Optimized[1])
        .run(Client.Request, *Program);
  }
  if (Pid < 0) {
    Client.Client.write(
        errorReply(noProcess("the session"), /*SessionEnded=*/true),
        /*Wait=*/false);
    // Parked sessions only save time, so one gives up its process for the
    // client.
    Parked.dropLast();
  }
  Parked.keep(ModuleKey, Optimized, /*Optimized=*/true, Pid > 0);
  Parked.keep(Key, Parking, /*Optimized=*/false, Pid > 0);
}
