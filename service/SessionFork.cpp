//===- SessionFork.cpp - Copies of a session ------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// A session copied with fork(2), on a client's request or to be parked.
///
//===----------------------------------------------------------------------===//

#include "CrashReport.h"
#include "Session.h"
#include "llvm/Support/Endian.h"
#include <cerrno>
#include <cstring>
#include <malloc.h>
#include <unistd.h>

using namespace llvm;
using namespace mlcompiler;

Error Session::fork() {
  int Socket = Client.takeDescriptor();
  if (Socket < 0)
    return fail(proto::INVALID_ARGUMENT,
                "Fork must carry the socket of the new session");
  // Passes leave a good deal of memory behind that is not in use, and to copy
  // the tables of its pages is most of what a fork then costs.
  malloc_trim(0);
  pid_t Pid = ::fork();
  if (Pid < 0) {
    ::close(Socket);
    return fail(proto::RESOURCE_EXHAUSTED,
                Twine("no process could be made for the fork: ") +
                    strerror(errno));
  }
  if (Pid == 0) {
    crash::endRequest();
    // No reply: the original answers, and this one waits for its own client.
    adopt(Socket);
    return Error::success();
  }
  ::close(Socket);
  Answer.mutable_fork()->set_pid(Pid);
  return Error::success();
}

void Session::adopt(int Socket) {
  crash::afterFork();
  Client = Channel(Socket);
  crash::reportTo(Socket);
}

bool Session::staysBehind(int Socket) {
  const pid_t Pid = ::fork();
  if (Pid > 0)
    return true;
  // Without a process to park, the session itself is not worse off; but the
  // nursery must see at once that nobody will take those who wait for it.
  ::close(Socket);
  if (Pid == 0) {
    crash::afterFork();
    crash::beginRequest(RequestDeadline);
  }
  return false;
}

void Session::park() {
  if (!staysBehind(Parking)) {
    Parking = -1;
    return;
  }
  // The nursery sends the deadline of the client's Open, and what it has read
  // after that.
  constexpr size_t DeadlineBytes = sizeof(uint32_t);
  const Arrival Next = awaitClients();
  startRequest(support::endian::read32le(Next.Payload.data()));
  Client.prepend(Next.Payload.substr(DeadlineBytes));
  FromParked = true;
}

void Session::parkOptimized() {
  const int Socket = std::exchange(Optimized, -1);
  if (!staysBehind(Socket))
    return;
  ::close(std::exchange(Parking, Socket));
  const Arrival Next = awaitClients();
  if (Next.Descriptors.size() > 1)
    Parking = Next.Descriptors[1];
  Client.prepend(Next.Payload);
  Options = receive().open();
  Compile->generateOnly(Options.function());
}

Session::Arrival Session::awaitClients() {
  crash::endRequest();
  crash::reportTo(-1);
  Client.close();
  const char Ready = 1;
  if (::write(Parking, &Ready, 1) != 1)
    leave();
  Arrival Next;
  while (receiveDescriptors(Parking, Next.Descriptors, Next.Payload,
                            MaxArrivalBytes)) {
    if (Next.Descriptors.empty())
      continue;
    const pid_t Pid = ::fork();
    if (Pid == 0) {
      ::close(std::exchange(Parking, -1));
      adopt(Next.Descriptors.front());
      return Next;
    }
    Channel Refused(Next.Descriptors.front());
    if (Pid < 0)
      Refused.write(noProcessReply(), /*Wait=*/false);
    for (int Descriptor : ArrayRef(Next.Descriptors).drop_front())
      ::close(Descriptor);
  }
  leave();
}
