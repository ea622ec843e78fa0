//===- SessionFork.cpp - Copies of a session ------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Copies a session with fork(2), on a client's request or to park it.
///
//===----------------------------------------------------------------------===//

#include "CrashReport.h"
#include "Episodes.h"
#include "Session.h"
#include <malloc.h>
#include <unistd.h>

using namespace llvm;
using namespace mlcompiler;

Error Session::fork() {
  const std::optional<int> Socket = Client.takeDescriptor();
  if (!Socket)
    return fail(proto::INVALID_ARGUMENT,
                "Fork must carry the socket of the new session");
  if (*Socket == Channel::Lost)
    return noDescriptor("the socket of the fork");
  Channel Other(*Socket);
  // Passes leave much memory behind that is not in use. Copying the tables of
  // its pages would be most of what a fork costs.
  malloc_trim(0);
  pid_t Pid = ::fork();
  if (Pid < 0)
    return noProcess("the fork");
  if (Pid == 0) {
    crash::endRequest();
    // There is no reply here: the original replies, and this process waits for
    // its own client.
    Client.adopt(std::move(Other));
    return Error::success();
  }
  Client.answer().mutable_fork()->set_pid(Pid);
  return Error::success();
}

Expected<StringRef> Session::exploreHere() {
  const std::optional<uint64_t> Seed = Resident->seed();
  Expected<StringRef> Own = askPolicy();
  if (!Own || Own->empty())
    return Own;
  if (std::optional<int> Pipe =
          Exploring->explore(Taken.size(), *Own, Features)) {
    becomeCopy(*Pipe);
    return Exploring->action();
  }
  if (!Exploring->isDone())
    return Own;
  // The seed is as if the policy had not been asked.
  Exploring->stay(Seed);
  return "";
}

Error Session::tryActions(const proto::Explore &Request) {
  if (!Request.policy().policy().empty() || !Request.decisions().empty())
    return fail(proto::INVALID_ARGUMENT,
                Options.task() + " has no end of its own: an action is worth "
                                 "what comes of it alone; leave out the policy "
                                 "and the decisions");
  auto Created = Exploration::create(Request, Taken.size(), Features, Checker);
  if (!Created)
    return Created.takeError();
  Exploring = std::move(*Created);
  Client.answer().mutable_explore();
  if (std::optional<int> Pipe =
          Exploring->explore(Taken.size(), /*Own=*/"", Features)) {
    becomeCopy(*Pipe);
    return Given.give(Exploring->action().str(), Checker);
  }
  replyState();
  return Error::success();
}

void Session::becomeCopy(int Pipe) {
  IsCopy = true;
  Client.adopt(Channel(Pipe));
  crash::beginRehearsal(Pipe);
}

void Session::playCopies(const proto::Play &Request,
                         std::unique_ptr<ResidentPolicy> Policy) {
  Episodes Wanted(Request);
  if (std::optional<int> Pipe = Wanted.play()) {
    becomeCopy(*Pipe);
    Resident = std::move(Policy);
    Resident->drawWith(Request.seed() + Wanted.number());
    Client.answer().mutable_play();
    return;
  }
  Wanted.finish(*Client.answer().mutable_play());
  replyState();
}

void Session::replyExplored() {
  proto::PlayReply Record;
  if (Resident)
    Resident->takeRecord(Record);
  Exploring->finish(Record, *Client.answer().mutable_explore());
  Exploring.reset();
  Resident.reset();
}

void Session::reportTried() {
  proto::Reply &Answer = Client.answer();
  Answer.Clear();
  proto::Alternative &Tried =
      *Answer.mutable_explore()->add_decisions()->add_alternatives();
  if (isFinished()) {
    *Tried.mutable_measurements() = Outcome.measurements();
  } else if (isOpenEnded()) {
    if (Error E = Measured.measure(*Compile, Options.objectives(),
                                   *Tried.mutable_measurements()))
      Answer = errorReply(std::move(E), /*SessionEnded=*/false);
  } else {
    proto::PlayReply Record;
    Resident->takeRecord(Record);
    Tried.set_stopped(Record.stopped());
  }
  if (isFinished() && Exploring->wantsObject()) {
    auto Code = Compile->emit(proto::Emit::OBJECT);
    if (Code)
      Tried.set_object(Code->data(), Code->size());
    else
      Answer = errorReply(Code.takeError(), /*SessionEnded=*/false);
  }
  Client.reply();
  Conversation::leave();
}

bool Session::staysBehind(int Socket) {
  // The client belongs to the session, and hears nothing of the process that
  // stays behind.
  crash::reportTo(-1);
  const pid_t Pid = ::fork();
  if (Pid > 0)
    return true;
  // If no process can be made to park, the session itself goes on. But the
  // nursery must see at once that clients wait for it in vain.
  ::close(Socket);
  if (Pid == 0)
    crash::afterFork();
  Client.beginAgain();
  return false;
}

void Session::park() {
  if (!staysBehind(Parking)) {
    Parking = -1;
    return;
  }
  awaitClients();
  Client.answer().mutable_open()->set_from_parked(true);
}

void Session::parkOptimized() {
  const int Socket = std::exchange(Optimized, -1);
  if (!staysBehind(Socket))
    return;
  ::close(std::exchange(Parking, Socket));
  awaitClients();
  Options = Client.request().open();
  Compile->generateOnly(Options.function());
}

void Session::awaitClients() {
  Client.abandon();
  const char Ready = 1;
  if (::write(Parking, &Ready, 1) != 1)
    Conversation::leave();
  Envelope Next;
  while (receiveArrival(Parking, Next)) {
    const pid_t Pid = ::fork();
    if (Pid == 0) {
      ::close(Parking);
      std::optional<Arrival> Arrived = readArrival(Next);
      if (!Arrived)
        Conversation::leave();
      Parking = Arrived->Parking;
      Client.adopt(std::move(Arrived->Client));
      Client.begin(std::move(Arrived->Request));
      return;
    }
    if (Pid < 0 && !Next.Descriptors.empty())
      Channel(std::exchange(Next.Descriptors.front(), -1))
          .write(errorReply(noProcess("the session"), /*SessionEnded=*/true),
                 /*Wait=*/false);
    for (int Descriptor : Next.Descriptors)
      if (Descriptor >= 0)
        ::close(Descriptor);
  }
  Conversation::leave();
}
