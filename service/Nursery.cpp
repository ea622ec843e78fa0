//===- Nursery.cpp - The process that sessions are forked from ------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Nursery.h"
#include "CodeCache.h"
#include "RegistryLookup.h"
#include "Sandbox.h"
#include "Session.h"
#include "objectives/Objective.h"
#include "tasks/Task.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/MC/TargetRegistry.h"
#include <cerrno>
#include <csignal>
#include <poll.h>
#include <unistd.h>

using namespace llvm;
using namespace mlcompiler;

/// Messages of up to this size are not counted, so that a client can be served
/// even while others hold all the memory that is allowed.
static constexpr size_t SmallBytes = 64 << 10;
/// Serving a request takes at most this many times its size.
static constexpr size_t CopiesMade = 4;

/// A descriptor in reserve; standard input is the null device.
static int makeSpare() { return dup(STDIN_FILENO); }

Nursery::Nursery(int Control, Limits Bounds)
    : Control(Control), Bounds(Bounds), Spare(makeSpare()),
      Programs(Bounds.ProgramBytes, Bounds.Programs), Parked(Bounds.Parked) {}

void Nursery::run() {
  // No code waits for sessions, so the kernel must reap them.
  signal(SIGCHLD, SIG_IGN);
  while (true) {
    std::vector<pollfd> Polled{{Control, POLLIN, 0}};
    std::vector<ParkedSessions::iterator> PolledParked;
    std::vector<std::list<Channel>::iterator> PolledClients;
    for (auto It = Parked.begin(); It != Parked.end(); ++It) {
      PolledParked.push_back(It);
      Polled.push_back({It->Socket, POLLIN, 0});
    }
    for (auto It = Clients.begin(); It != Clients.end(); ++It) {
      PolledClients.push_back(It);
      // A client that does not read its replies gets no further requests
      // served.
      short Events = It->hasUnsent() ? POLLOUT : POLLIN;
      Polled.push_back({It->socket(), Events, 0});
    }
    if (poll(Polled.data(), Polled.size(), -1) < 0)
      continue; // EINTR
    const pollfd *Next = Polled.data() + 1;
    // Parked sessions come first: a session that has just died must not be
    // handed to a client that has just come.
    for (auto It : PolledParked)
      if ((Next++)->revents)
        Parked.serve(It);
    for (auto It : PolledClients)
      if ((Next++)->revents && !serveClient(*It))
        Clients.erase(It);
    if (Polled[0].revents & POLLIN)
      acceptClient();
    else if (Polled[0].revents)
      return;
    // This comes last. Beginning a session may end a polled one, which releases
    // the clients that wait for it.
    while (std::optional<Opening> Client = Parked.takeReleased())
      open(std::move(*Client));
  }
}

void Nursery::acceptClient() {
  SmallVector<int, MaxDescriptors> Sockets;
  std::string Payload;
  // A descriptor for which there is no room is lost, and its client would never
  // get a reply. So there is always room for one.
  ::close(Spare);
  if (!receiveDescriptors(Control, Sockets, Payload, 16))
    _exit(0);
  for (int Extra : ArrayRef(Sockets).drop_front(!Sockets.empty()))
    ::close(Extra);
  Channel Client(Sockets.empty() ? -1 : Sockets.front());
  while ((Spare = makeSpare()) < 0 && Parked.dropLast())
    ;
  if (Spare < 0) {
    Client.write(errorReply(noDescriptor("another client"),
                            /*SessionEnded=*/true),
                 /*Wait=*/false);
    Client.close();
    Spare = makeSpare();
  }
  if (!Client.isOpen())
    return;
  // The first request is often there already.
  listen(std::move(Client));
}

void Nursery::listen(Channel Client) {
  auto It = Clients.insert(Clients.end(), std::move(Client));
  if (!serveClient(*It))
    Clients.erase(It);
}

bool Nursery::hasRoom(size_t More) const {
  size_t Held = Parked.bytesHeld() + More;
  for (const Channel &Client : Clients)
    Held += Client.bytesHeld();
  return Held <= Bounds.Bytes;
}

static proto::Reply noRoomReply(bool SessionEnded) {
  return errorReply(
      proto::RESOURCE_EXHAUSTED,
      "the service has no memory left for a message of this size; try again, "
      "send less at a time, or raise its limit (--nursery-bytes)",
      SessionEnded);
}

bool Nursery::serveClient(Channel &Client) {
  if (!Client.flush())
    return false;
  while (!Client.hasUnsent()) {
    StringRef Frame;
    switch (Client.poll(Frame)) {
    case Channel::Status::Pending:
      if (Client.bytesHeld() <= SmallBytes || hasRoom(0))
        return true;
      Client.write(noRoomReply(/*SessionEnded=*/true), /*Wait=*/false);
      return false;
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
    if (Frame.size() > SmallBytes && !hasRoom(CopiesMade * Frame.size())) {
      if (!Client.write(noRoomReply(/*SessionEnded=*/false), /*Wait=*/false))
        return false;
      continue;
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
    if (Request.has_open() && Programs.find(Request.open().program_sha256())) {
      open({std::move(Client), std::move(Request)});
      return false;
    }
    proto::Reply Reply = answer(Request);
    if (size_t Bytes = Reply.ByteSizeLong();
        Bytes > SmallBytes && !hasRoom(Bytes))
      Reply = noRoomReply(/*SessionEnded=*/false);
    if (!Client.write(Reply, /*Wait=*/false) || Request.has_close())
      return false;
  }
  return true;
}

static proto::Reply programNotFound(const proto::Open &Open) {
  return errorReply(proto::NOT_FOUND,
                    "no program with SHA-256 " +
                        toHex(Open.program_sha256(), /*LowerCase=*/true) +
                        " is stored here; upload it, then open again",
                    /*SessionEnded=*/false);
}

proto::Reply Nursery::answer(const proto::Request &Request) {
  proto::Reply Reply;
  switch (Request.request_case()) {
  case proto::Request::kDescribe:
    return describe(Request.describe());
  case proto::Request::kUpload:
    Reply.mutable_upload()->set_sha256(
        Programs.insert(Request.upload().program()));
    return Reply;
  case proto::Request::kOpen:
    return programNotFound(Request.open());
  case proto::Request::kClose:
    Reply.mutable_close();
    return Reply;
  default:
    return errorReply(proto::FAILED_PRECONDITION,
                      "this stream has no open session",
                      /*SessionEnded=*/false);
  }
}

proto::Reply Nursery::describe(const proto::Describe &Request) const {
  proto::Reply Result;
  proto::DescribeReply &Reply = *Result.mutable_describe();
  Reply.set_version(MLCOMPILER_GYM_VERSION);
  Reply.set_protocol(proto::PROTOCOL_CURRENT);
  Reply.set_llvm_version(LLVM_VERSION_STRING);
  const sandbox::Status &InForce = sandbox::status();
  proto::Sandbox &Sandbox = *Reply.mutable_sandbox();
  Sandbox.set_no_new_privileges(InForce.NoNewPrivileges);
  Sandbox.set_system_calls(InForce.SystemCalls);
  Sandbox.set_landlock(InForce.Landlock);
  Sandbox.mutable_missing()->Assign(InForce.Missing.begin(),
                                    InForce.Missing.end());
  const CodeCache::Counts Counts = codecache::get().counts();
  proto::CodeCache &Code = *Reply.mutable_code_cache();
  Code.set_bytes(codecache::get().bytes());
  Code.set_functions_found(Counts.Found);
  Code.set_functions_generated(Counts.Generated);
  Code.set_whole_modules(Counts.Whole);
  for (const Target &T : TargetRegistry::targets())
    Reply.add_targets(T.getName());
  llvm::sort(*Reply.mutable_targets());
  SmallVector<StringRef> Tasks;
  if (Request.task().empty())
    for (const auto *Entry : sortedEntries<TaskRegistry>())
      Tasks.push_back(Entry->getName());
  else
    Tasks.push_back(Request.task());
  for (StringRef Name : Tasks) {
    auto Described = Task::create(Name, Request.options());
    if (!Described)
      return errorReply(Described.takeError(), /*SessionEnded=*/false);
    *Reply.add_tasks() = (*Described)->spec();
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
