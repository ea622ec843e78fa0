//===- Nursery.h - The process that sessions are forked from ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_NURSERY_H
#define MLCOMPILER_GYM_SERVICE_NURSERY_H

#include "ProgramStore.h"
#include "Wire.h"
#include <array>
#include <list>
#include <string>
#include <vector>

namespace mlcompiler {

/// The process that sessions are forked from. It has LLVM initialised, holds
/// the programs and never compiles, so that nothing a program does can harm it.
///
/// New clients arrive on the control socket, a SOCK_SEQPACKET: each datagram
/// carries one end of a fresh socket pair. The nursery reads a client's
/// requests until it opens a session, and then hands the socket to a process of
/// its own: a parked session with the same Open if there is one, else a fork of
/// the nursery. The end of the control socket ends the nursery.
class Nursery {
public:
  struct Limits {
    /// Bytes of uploaded programs.
    size_t ProgramBytes = size_t(1) << 30;
    /// Parked sessions.
    size_t Parked = 64;
    /// What LLVM prints in sessions goes nowhere rather than to stderr.
    bool Quiet = false;
  };

  Nursery(int Control, Limits Bounds)
      : Control(Control), Bounds(Bounds), Programs(Bounds.ProgramBytes) {}

  /// Returns when the control socket has been closed.
  void run();

private:
  /// A client whose Open waits for another's session to be parked.
  struct Waiting {
    Channel Client;
    proto::Request Request;
  };

  /// A session process that stands at its first decision, or is on its way
  /// there; or stands behind the pipeline, for functions that are compiled one
  /// by one.
  struct ParkedSession {
    std::string Key;
    int Socket;
    bool Optimized;
    bool Ready = false;
    std::list<Waiting> Queue = {};
  };

  void acceptClient();
  /// Serves what has arrived. Returns false if the client is done with here.
  bool serveClient(Channel &Client);
  static proto::Reply programNotFound(const proto::Open &Open);
  void open(Channel Client, const proto::Request &Request);
  /// No session has an empty key.
  std::list<ParkedSession>::iterator findParked(const std::string &Key);
  /// What is sent with a client: the frame of its Open if the session is only
  /// \p Optimized, or else its deadline; and what has been read after that.
  static std::string arrivalOf(const Waiting &Client, bool Optimized);
  /// Has a session of the client's begun from \p Module, which is optimised;
  /// \p Key is empty if it is not to be parked. Returns false if that cannot
  /// be.
  bool branch(const ParkedSession &Module, int Client,
              const std::string &Arrival, const std::string &Key);
  /// Hands Orphans to \p Session, if there is one, or to processes of their
  /// own.
  void placeOrphans(ParkedSession *Session);
  /// Forks a session process; \p Key is empty if it is not to be parked, and
  /// \p ModuleKey if its optimised module is not.
  void spawn(Channel Client, const proto::Request &Request,
             const std::string &Key = "", const std::string &ModuleKey = "");
  /// Keeps the nursery's end of a parked session's socket, if the session has
  /// \p Begun, and no more of them than it may. Closes the session's end.
  void keep(const std::string &Key, std::array<int, 2> Ends, bool Optimized,
            bool Begun);
  void serveParked(std::list<ParkedSession>::iterator Session);
  void drop(std::list<ParkedSession>::iterator Session);
  proto::Reply describe(const proto::Describe &Request) const;

  const int Control;
  const Limits Bounds;
  ProgramStore Programs;
  std::list<Channel> Clients;
  /// Used most recently first.
  std::list<ParkedSession> Parked;
  /// Clients that waited for a session and are about to be placed.
  std::list<Waiting> Orphans;
  /// Clients that waited for a module, which is optimised now.
  std::list<Waiting> Arrived;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_NURSERY_H
