//===- NurserySessions.cpp - Processes for sessions -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Which process becomes a client's session: a fork of one that is parked, or
/// of the nursery.
///
//===----------------------------------------------------------------------===//

#include "Nursery.h"
#include "RegistryLookup.h"
#include "Session.h"
#include "tasks/Task.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"
#include <array>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace llvm;
using namespace mlcompiler;

proto::Reply Nursery::programNotFound(const proto::Open &Open) {
  return errorReply(proto::NOT_FOUND,
                    "no program with SHA-256 " +
                        toHex(Open.program_sha256(), /*LowerCase=*/true) +
                        " is stored here; upload it, then open again",
                    /*SessionEnded=*/false);
}

/// What the sessions of a module's functions have in common up to the code
/// generator. Empty if \p Request is not for one function, or decisions come up
/// before that.
static proto::Open moduleOf(const proto::Open &Request) {
  proto::Open Module;
  if (Request.function().empty())
    return Module;
  std::string Pipeline = Request.pipeline();
  if (!Request.task().empty()) {
    auto Entry = lookUp<TaskRegistry>("task", Request.task());
    if (errorToBool(Entry.takeError()) ||
        !(*Entry)->instantiate()->decidesInCodegen())
      return Module;
    if (Pipeline.empty())
      Pipeline = describeTask(**Entry).default_pipeline();
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

std::string Nursery::arrivalOf(const Waiting &Client, bool Optimized) {
  const std::string Open =
      Optimized ? Client.Request.SerializeAsString() : std::string();
  std::string Number(sizeof(uint32_t), '\0');
  support::endian::write32le(
      Number.data(), Optimized ? Open.size() : Client.Request.deadline_ms());
  return Number + Open + Client.Client.unread();
}

std::list<Nursery::ParkedSession>::iterator
Nursery::findParked(const std::string &Key) {
  auto Found = llvm::find_if(
      Parked, [&](const ParkedSession &P) { return P.Key == Key; });
  if (Found != Parked.end())
    Parked.splice(Parked.begin(), Parked, Found);
  return Found;
}

void Nursery::open(Channel Client, const proto::Request &Request) {
  const proto::Open &Wanted = Request.open();
  if (!Bounds.Parked) {
    spawn(std::move(Client), Request);
    return;
  }
  // Parsed messages without maps and unknown fields serialise in one way only.
  const std::string Key = Wanted.park() ? Wanted.SerializeAsString() : "";
  auto Session = findParked(Key);
  if (Session == Parked.end()) {
    const proto::Open Module = moduleOf(Wanted);
    // It is not to be parked, which no other key says.
    const std::string ModuleKey = Module.SerializeAsString();
    Session = findParked(ModuleKey);
    if (Session == Parked.end()) {
      // Whoever leaves nothing behind leaves no module either.
      if (Key.empty() || ModuleKey.empty()) {
        spawn(std::move(Client), Request, Key);
        return;
      }
      proto::Request Complete = Request;
      Complete.mutable_open()->set_pipeline(Module.pipeline());
      spawn(std::move(Client), Complete, Key, ModuleKey);
      return;
    }
  }
  Waiting W{std::move(Client), Request};
  const std::string Arrival = arrivalOf(W, Session->Optimized);
  // Some have said more already than fits.
  if (Arrival.size() > mlcompiler::Session::MaxArrivalBytes) {
    spawn(std::move(W.Client), Request);
    return;
  }
  if (!Session->Ready) {
    // Only the session's own deadline bounds the wait.
    if (Request.deadline_ms())
      spawn(std::move(W.Client), Request);
    else
      Session->Queue.push_back(std::move(W));
    return;
  }
  const int Socket = W.Client.socket();
  if (!(Session->Optimized
            ? branch(*Session, Socket, Arrival, Key)
            : sendDescriptors(Session->Socket, Socket, Arrival))) {
    drop(Session);
    spawn(std::move(W.Client), Request, Key);
  }
}

/// The two ends of a socket on which what is parked as \p Key awaits clients;
/// -1 if there is no key, or no descriptors are left, and then it goes without
/// parking.
static std::array<int, 2> makeParking(const std::string &Key) {
  std::array<int, 2> Ends{-1, -1};
  if (Key.empty() ||
      socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, Ends.data()))
    return {-1, -1};
  return Ends;
}

bool Nursery::branch(const ParkedSession &Module, int Client,
                     const std::string &Arrival, const std::string &Key) {
  const std::array<int, 2> Parking = makeParking(Key);
  SmallVector<int, 2> Descriptors{Client};
  if (Parking[1] >= 0)
    Descriptors.push_back(Parking[1]);
  const bool Sent = sendDescriptors(Module.Socket, Descriptors, Arrival);
  keep(Key, Parking, /*Optimized=*/false, Sent);
  return Sent;
}

void Nursery::keep(const std::string &Key, std::array<int, 2> Ends,
                   bool Optimized, bool Begun) {
  if (Ends[0] < 0)
    return;
  ::close(Ends[1]);
  if (!Begun) {
    ::close(Ends[0]);
    return;
  }
  Parked.push_front({Key, Ends[0], Optimized});
  while (Parked.size() > Bounds.Parked) {
    auto Last = std::prev(Parked.end());
    if (Last == Parked.begin())
      break;
    drop(Last);
  }
}

/// Standard input is the null device.
static void silence() {
  dup2(STDIN_FILENO, STDOUT_FILENO);
  dup2(STDIN_FILENO, STDERR_FILENO);
  // Then there is no file left that a session might write to.
  const rlimit Nothing{0, 0};
  setrlimit(RLIMIT_FSIZE, &Nothing);
}

void Nursery::spawn(Channel Client, const proto::Request &Request,
                    const std::string &Key, const std::string &ModuleKey) {
  const std::string *Program = Programs.find(Request.open().program_sha256());
  if (!Program) {
    // It went while the client waited.
    if (Client.write(programNotFound(Request.open()), /*Wait=*/false))
      Clients.push_back(std::move(Client));
    return;
  }
  const std::array<int, 2> Optimized = makeParking(ModuleKey);
  const std::array<int, 2> Parking = makeParking(Key);
  const pid_t Pid = fork();
  if (Pid == 0) {
    // Nothing of other clients may stay open here: a client must see the end
    // of its stream when its own session ends.
    ::close(Control);
    for (ParkedSession &P : Parked)
      ::close(P.Socket);
    Parked.clear();
    Clients.clear();
    Orphans.clear();
    Arrived.clear();
    for (int Ours : {Optimized[0], Parking[0]})
      if (Ours >= 0)
        ::close(Ours);
    if (Bounds.Quiet)
      silence();
    Session(std::move(Client), Parking[1], Optimized[1]).run(Request, *Program);
  }
  if (Pid < 0)
    Client.write(noProcessReply(), /*Wait=*/false);
  keep(ModuleKey, Optimized, /*Optimized=*/true, Pid > 0);
  keep(Key, Parking, /*Optimized=*/false, Pid > 0);
}

void Nursery::serveParked(std::list<ParkedSession>::iterator Session) {
  char Ready;
  if (recv(Session->Socket, &Ready, 1, MSG_DONTWAIT) != 1) {
    drop(Session);
    return;
  }
  Session->Ready = true;
  if (Session->Optimized) {
    Arrived.splice(Arrived.end(), Session->Queue);
    return;
  }
  Orphans.splice(Orphans.end(), Session->Queue);
  placeOrphans(&*Session);
}

void Nursery::placeOrphans(ParkedSession *Session) {
  while (!Orphans.empty()) {
    Waiting W = std::move(Orphans.front());
    Orphans.pop_front();
    if (!Session || !sendDescriptors(Session->Socket, W.Client.socket(),
                                     arrivalOf(W, /*Optimized=*/false)))
      spawn(std::move(W.Client), W.Request);
  }
}

void Nursery::drop(std::list<ParkedSession>::iterator Session) {
  ::close(Session->Socket);
  Orphans.splice(Orphans.end(), Session->Queue);
  Parked.erase(Session);
  // Whatever kept the session from its first decision, each client shall hear
  // it from a session of its own.
  placeOrphans(nullptr);
}
