//===- ParkedSessions.cpp - Sessions to fork from -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "ParkedSessions.h"
#include "llvm/ADT/STLExtras.h"
#include <cerrno>
#include <sys/socket.h>
#include <unistd.h>

using namespace llvm;
using namespace mlcompiler;

size_t Opening::bytesHeld() const {
  return Client.bytesHeld() + Request.ByteSizeLong();
}

ParkedSessions::Session *ParkedSessions::find(const std::string &Key) {
  auto Found =
      llvm::find_if(Sessions, [&](const Session &S) { return S.Key == Key; });
  if (Found == Sessions.end())
    return nullptr;
  Sessions.splice(Sessions.begin(), Sessions, Found);
  return &*Found;
}

std::array<int, 2> ParkedSessions::makeEnds(const std::string &Key) {
  std::array<int, 2> Ends{-1, -1};
  if (Key.empty())
    return Ends;
  while (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, Ends.data())) {
    if (errno != EMFILE || Sessions.size() < 2)
      return {-1, -1};
    dropLast();
  }
  return Ends;
}

void ParkedSessions::keep(const std::string &Key, std::array<int, 2> Ends,
                          bool Optimized, bool Begun) {
  if (Ends[0] < 0)
    return;
  ::close(Ends[1]);
  if (!Begun) {
    ::close(Ends[0]);
    return;
  }
  Sessions.push_front({Key, Ends[0], Optimized});
  // The session that has come last always stays.
  while (Sessions.size() > std::max<size_t>(Most, 1))
    dropLast();
}

void ParkedSessions::serve(iterator Which) {
  char Ready;
  if (recv(Which->Socket, &Ready, 1, MSG_DONTWAIT) != 1) {
    erase(Which);
    return;
  }
  Which->Ready = true;
  Released.splice(Released.end(), Which->Queue);
}

void ParkedSessions::drop(Session &Which) {
  erase(
      llvm::find_if(Sessions, [&](const Session &S) { return &S == &Which; }));
}

bool ParkedSessions::dropLast() {
  if (Sessions.empty())
    return false;
  erase(std::prev(Sessions.end()));
  return true;
}

void ParkedSessions::erase(iterator Which) {
  ::close(Which->Socket);
  for (Opening &O : Which->Queue)
    O.Request.mutable_open()->clear_park();
  Released.splice(Released.end(), Which->Queue);
  Sessions.erase(Which);
}

std::optional<Opening> ParkedSessions::takeReleased() {
  if (Released.empty())
    return std::nullopt;
  Opening Next = std::move(Released.front());
  Released.pop_front();
  return Next;
}

size_t ParkedSessions::bytesHeld() const {
  size_t Bytes = 0;
  for (const Session &S : Sessions) {
    Bytes += S.Key.size();
    for (const Opening &O : S.Queue)
      Bytes += O.bytesHeld();
  }
  return Bytes;
}

void ParkedSessions::clear() {
  for (Session &S : Sessions)
    ::close(S.Socket);
  Sessions.clear();
  Released.clear();
}
