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

/// The process that sessions are forked from. It has LLVM initialised, holds
/// the programs and never compiles, so that nothing a program does can harm it.
///
/// Contract: new clients arrive on the control socket, a SOCK_SEQPACKET: each
/// datagram carries one end of a fresh socket pair. The nursery answers a
/// client's requests until it opens a session, and then hands the socket to a
/// process of its own: a parked session with the same Open if there is one,
/// else a fork of the nursery. The end of the control socket ends the nursery.
/// Failure mode: whatever runs out (memory, descriptors, processes) is an error
/// of the request that wanted it, and of no other. Nothing waits for one client
/// but that client.
class Nursery {
public:
  struct Limits {
    /// Bytes and number of uploaded programs.
    size_t ProgramBytes = size_t(1) << 30;
    size_t Programs = size_t(1) << 16;
    /// Bytes of all else that is held for clients: requests that have not
    /// arrived whole or wait, replies that the client does not take, contents
    /// of Opens that sessions are parked for.
    size_t Bytes = size_t(2) << 30;
    /// Parked sessions.
    size_t Parked = 64;
    /// What LLVM prints in sessions goes nowhere rather than to stderr.
    bool Quiet = false;
  };

  Nursery(int Control, Limits Bounds);

  /// Returns when the control socket has been closed.
  void run();

private:
  void acceptClient();
  /// Serves a client from now on, first with what has been read from it.
  void listen(Channel Client);
  /// Serves what has arrived. Returns false if the client is done with here.
  bool serveClient(Channel &Client);
  /// Answers a request that begins no session.
  proto::Reply answer(const proto::Request &Request);
  proto::Reply describe(const proto::Describe &Request) const;
  /// Whether \p More bytes can be had beside what is held for clients.
  bool hasRoom(size_t More) const;

  /// Gets the client a session, or has it wait for one.
  void open(Opening Client);
  /// Hands the client over to \p Session, which is ready; as \p Key is what it
  /// is to be parked as, if it is not yet.
  Handover handOver(const Opening &Client, ParkedSessions::Session &Session,
                    const std::string &Key);
  /// Forks a session process; \p Key is empty if it is not to be parked, and
  /// \p ModuleKey if its optimised module is not.
  void spawn(Opening Client, const std::string &Key = "",
             const std::string &ModuleKey = "");
  /// In a fork: lets go of all that is not its business.
  void becomeSession();

  const int Control;
  const Limits Bounds;
  /// Keeps room for a descriptor; see acceptClient().
  int Spare;
  ProgramStore Programs;
  std::list<Channel> Clients;
  ParkedSessions Parked;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_NURSERY_H
