//===- Nursery.h - The process that sessions are forked from ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_NURSERY_H
#define MLCOMPILER_GYM_SERVICE_NURSERY_H

#include "ParkedSessions.h"
#include "ProgramStore.h"
#include <list>
#include <string>

namespace mlcompiler {

/// The process that sessions are forked from. It has LLVM initialised and holds
/// the programs. It never compiles, so that no program can harm it.
///
/// Contract: new clients arrive on the control socket, a SOCK_SEQPACKET: each
/// datagram carries one end of a fresh socket pair. The nursery answers a
/// client's requests until the client opens a session. It then hands the
/// client's socket to a process of the client's own: a fork of a parked session
/// with the same Open if there is one, otherwise a fork of the nursery. The end
/// of the control socket ends the nursery.
/// Failure mode: if memory, descriptors or processes run out, only the request
/// that needs them fails. No client waits for another client.
class Nursery {
public:
  struct Limits {
    /// The most uploaded programs, and the most bytes that they may have.
    size_t ProgramBytes = size_t(1) << 30;
    size_t Programs = size_t(1) << 16;
    /// The most bytes of everything else that is held for clients: requests
    /// that are incomplete or wait, replies that a client does not take, and
    /// contents of Opens that sessions are parked for.
    size_t Bytes = size_t(2) << 30;
    /// The most parked sessions.
    size_t Parked = 64;
    /// Drop what LLVM prints in sessions, instead of sending it to stderr.
    bool Quiet = false;
  };

  Nursery(int Control, Limits Bounds);

  /// Returns when the control socket has been closed.
  void run();

private:
  void acceptClient();
  /// Serves a client from now on. What has already been read from it comes
  /// first.
  void listen(Channel Client);
  /// Serves the requests that have arrived. Returns false if the nursery is
  /// done with the client.
  bool serveClient(Channel &Client);
  /// Answers a request that begins no session.
  proto::Reply answer(const proto::Request &Request);
  proto::Reply describe(const proto::Describe &Request) const;
  /// Whether there is room for \p More bytes in addition to what is held for
  /// clients.
  bool hasRoom(size_t More) const;

  /// Gets the client a session, or lets it wait for one.
  void open(Opening Client);
  /// Hands the client over to \p Session, which must be ready. If no session is
  /// parked as \p Key yet, the client's session parks as that.
  Handover handOver(const Opening &Client, ParkedSessions::Session &Session,
                    const std::string &Key);
  /// Forks a session process. It parks as \p Key, and its optimised module as
  /// \p ModuleKey; an empty key means that it does not park.
  void spawn(Opening Client, const std::string &Key = "",
             const std::string &ModuleKey = "");
  /// In a fork, lets go of everything that belongs to the nursery.
  void becomeSession();

  const int Control;
  const Limits Bounds;
  /// A descriptor that is kept in reserve; see acceptClient().
  int Spare;
  ProgramStore Programs;
  std::list<Channel> Clients;
  ParkedSessions Parked;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_NURSERY_H
