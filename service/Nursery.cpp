//===- Nursery.cpp - The process that sessions are forked from ------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Nursery.h"
#include "RegistryLookup.h"
#include "Sandbox.h"
#include "Session.h"
#include "objectives/Objective.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/Endian.h"
#include <cerrno>
#include <csignal>
#include <cstring>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace llvm;
using namespace mlcompiler;

void Nursery::run() {
  // Nobody waits for sessions: the kernel shall reap them.
  signal(SIGCHLD, SIG_IGN);
  while (true) {
    std::vector<pollfd> Polled{{Control, POLLIN, 0}};
    std::vector<std::list<ParkedSession>::iterator> PolledParked;
    std::vector<std::list<Channel>::iterator> PolledClients;
    for (auto It = Parked.begin(); It != Parked.end(); ++It) {
      PolledParked.push_back(It);
      Polled.push_back({It->Socket, POLLIN, 0});
    }
    for (auto It = Clients.begin(); It != Clients.end(); ++It) {
      PolledClients.push_back(It);
      // Who does not read is not read from either.
      short Events = It->hasUnsent() ? POLLOUT : POLLIN;
      Polled.push_back({It->socket(), Events, 0});
    }
    if (poll(Polled.data(), Polled.size(), -1) < 0)
      continue; // EINTR
    const pollfd *Next = Polled.data() + 1;
    // Parked sessions first: one that has just died must not be handed to a
    // client that has just come.
    for (auto It : PolledParked)
      if ((Next++)->revents)
        serveParked(It);
    for (auto It : PolledClients)
      if ((Next++)->revents && !serveClient(*It))
        Clients.erase(It);
    if (Polled[0].revents & POLLIN)
      acceptClient();
    else if (Polled[0].revents)
      return;
  }
}

void Nursery::acceptClient() {
  int Socket;
  std::string Payload;
  if (!receiveDescriptor(Control, Socket, Payload, 16))
    _exit(0);
  if (Socket < 0)
    return;
  Clients.emplace_back(Socket);
  // The first request is often there already.
  if (!serveClient(Clients.back()))
    Clients.pop_back();
}

static proto::Reply notFound(const proto::Open &Open) {
  return errorReply(proto::NOT_FOUND,
                    "no program with SHA-256 " +
                        toHex(Open.program_sha256(), /*LowerCase=*/true) +
                        " is stored here; upload it, then open again",
                    /*SessionEnded=*/false);
}

bool Nursery::serveClient(Channel &Client) {
  if (!Client.flush())
    return false;
  while (!Client.hasUnsent()) {
    StringRef Frame;
    switch (Client.poll(Frame)) {
    case Channel::Status::Pending:
      return true;
    case Channel::Status::EndOfStream:
      return false;
    case Channel::Status::TooLarge:
      Client.write(errorReply(proto::RESOURCE_EXHAUSTED,
                              "a message may have at most " +
                                  std::to_string(MaxFrameBytes) + " bytes",
                              /*SessionEnded=*/true),
                   /*Wait=*/false);
      return false;
    case Channel::Status::Frame:
      break;
    }
    proto::Request Request;
    if (!Request.ParseFromArray(Frame.data(), static_cast<int>(Frame.size()))) {
      Client.write(
          errorReply(proto::MALFORMED_REQUEST,
                     "these bytes are not a Request of mlcompiler_gym.v1",
                     /*SessionEnded=*/true),
          /*Wait=*/false);
      return false;
    }
    proto::Reply Reply;
    switch (Request.request_case()) {
    case proto::Request::kDescribe:
      Reply = describe(Request.describe());
      break;
    case proto::Request::kUpload:
      Reply.mutable_upload()->set_sha256(
          Programs.insert(Request.upload().program()));
      break;
    case proto::Request::kOpen:
      if (Programs.find(Request.open().program_sha256())) {
        open(std::move(Client), Request);
        return false;
      }
      Reply = notFound(Request.open());
      break;
    case proto::Request::kClose:
      Reply.mutable_close();
      break;
    default:
      Reply = errorReply(proto::FAILED_PRECONDITION,
                         "this stream has no open session",
                         /*SessionEnded=*/false);
    }
    if (!Client.write(Reply, /*Wait=*/false) || Request.has_close())
      return false;
  }
  return true;
}

void Nursery::open(Channel Client, const proto::Request &Request) {
  if (!Request.open().park() || !Bounds.Parked) {
    spawn(std::move(Client), Request, "");
    return;
  }
  // Parsed messages without maps and unknown fields serialise in one way only.
  std::string Key = Request.open().SerializeAsString();
  auto Session = llvm::find_if(
      Parked, [&](const ParkedSession &P) { return P.Key == Key; });
  if (Session == Parked.end()) {
    spawn(std::move(Client), Request, Key);
    return;
  }
  Parked.splice(Parked.begin(), Parked, Session);
  Waiting W{std::move(Client), Request};
  if (!Session->Ready) {
    // Only the session's own deadline bounds the wait.
    if (Request.deadline_ms())
      spawn(std::move(W.Client), Request, "");
    else
      Session->Queue.push_back(std::move(W));
    return;
  }
  if (!handOver(*Session, W)) {
    drop(Session);
    spawn(std::move(W.Client), Request, Key);
  }
}

bool Nursery::handOver(ParkedSession &Session, Waiting &Client) {
  std::string Payload(sizeof(uint32_t), '\0');
  support::endian::write32le(Payload.data(), Client.Request.deadline_ms());
  return sendDescriptor(Session.Socket, Client.Client.socket(),
                        Payload + Client.Client.unread());
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
                    const std::string &Key) {
  const std::string *Program = Programs.find(Request.open().program_sha256());
  if (!Program) {
    // It went while the client waited.
    if (Client.write(notFound(Request.open()), /*Wait=*/false))
      Clients.push_back(std::move(Client));
    return;
  }
  int Pair[2] = {-1, -1};
  if (!Key.empty() &&
      socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, Pair)) {
    Pair[0] = Pair[1] = -1; // No descriptors left: go without parking.
  }
  pid_t Pid = fork();
  if (Pid == 0) {
    // Nothing of other clients may stay open here: a client must see the end
    // of its stream when its own session ends.
    ::close(Control);
    for (ParkedSession &P : Parked)
      ::close(P.Socket);
    Parked.clear();
    Clients.clear();
    Orphans.clear();
    if (Pair[0] >= 0)
      ::close(Pair[0]);
    if (Bounds.Quiet)
      silence();
    Session(std::move(Client), Pair[1]).run(Request, *Program);
  }
  if (Pair[1] >= 0)
    ::close(Pair[1]);
  if (Pid < 0) {
    if (Pair[0] >= 0)
      ::close(Pair[0]);
    Client.write(
        errorReply(proto::RESOURCE_EXHAUSTED,
                   std::string("no process could be made for the session: ") +
                       strerror(errno),
                   /*SessionEnded=*/true),
        /*Wait=*/false);
    return;
  }
  if (Pair[0] < 0)
    return;
  Parked.push_front({Key, Pair[0], /*Ready=*/false, /*Queue=*/{}});
  while (Parked.size() > Bounds.Parked) {
    auto Last = std::prev(Parked.end());
    if (Last == Parked.begin())
      break;
    drop(Last);
  }
}

void Nursery::serveParked(std::list<ParkedSession>::iterator Session) {
  char Ready;
  if (recv(Session->Socket, &Ready, 1, MSG_DONTWAIT) != 1) {
    drop(Session);
    return;
  }
  Session->Ready = true;
  Orphans.splice(Orphans.end(), Session->Queue);
  placeOrphans(&*Session);
}

void Nursery::placeOrphans(ParkedSession *Session) {
  while (!Orphans.empty()) {
    Waiting W = std::move(Orphans.front());
    Orphans.pop_front();
    if (!Session || !handOver(*Session, W))
      spawn(std::move(W.Client), W.Request, "");
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

proto::Reply Nursery::describe(const proto::Describe &Request) const {
  proto::Reply Result;
  proto::DescribeReply &Reply = *Result.mutable_describe();
  Reply.set_version(MLCOMPILER_GYM_VERSION);
  Reply.set_llvm_version(LLVM_VERSION_STRING);
  const sandbox::Status &InForce = sandbox::status();
  proto::Sandbox &Sandbox = *Reply.mutable_sandbox();
  Sandbox.set_no_new_privileges(InForce.NoNewPrivileges);
  Sandbox.set_system_calls(InForce.SystemCalls);
  Sandbox.set_landlock(InForce.Landlock);
  Sandbox.mutable_missing()->Assign(InForce.Missing.begin(),
                                    InForce.Missing.end());
  for (const Target &T : TargetRegistry::targets())
    Reply.add_targets(T.getName());
  llvm::sort(*Reply.mutable_targets());
  if (!Request.task().empty()) {
    auto Spec = describeTask(Request.task(), Request.options());
    if (!Spec)
      return errorReply(Spec.takeError(), /*SessionEnded=*/false);
    *Reply.add_tasks() = std::move(*Spec);
  } else {
    for (const auto *Entry : sortedEntries<TaskRegistry>())
      *Reply.add_tasks() = describeTask(*Entry);
  }
  for (const auto *Entry : sortedEntries<ObjectiveRegistry>()) {
    proto::ObjectiveSpec &Spec = *Reply.add_objectives();
    Spec.set_name(Entry->getName().str());
    Spec.set_doc(Entry->getDesc().str());
    Spec.set_deterministic(Entry->instantiate()->isDeterministic());
  }
  for (const auto *Entry : sortedEntries<ObservationRegistry>())
    *Reply.add_observations() = describeObservation(*Entry);
  return Result;
}
