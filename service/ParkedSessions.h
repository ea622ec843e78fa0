//===- ParkedSessions.h - Sessions to fork from -----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_PARKEDSESSIONS_H
#define MLCOMPILER_GYM_SERVICE_PARKEDSESSIONS_H

#include "Arrival.h"
#include <array>
#include <list>
#include <optional>
#include <string>

namespace mlcompiler {

/// A client that has opened a session and does not have it yet.
struct Opening {
  Channel Client;
  proto::Request Request;

  const proto::Open &open() const { return Request.open(); }
  /// Bytes of memory that it takes.
  size_t bytesHeld() const;
};

/// The parked session processes, and the clients that wait for them. A process
/// parks at its first decision, or behind the pipeline if functions are
/// compiled one by one. It is entered here while it is still on its way there.
///
/// Contract: their number is bounded, and the session used least recently goes
/// first. Its process notices that its socket has been closed, and ends.
/// Nothing here waits or forks.
/// Failure mode: when a process dies or has to go, the clients that wait for it
/// are released. Each then gets a session of its own, and learns from it what
/// went wrong.
class ParkedSessions {
public:
  struct Session {
    std::string Key;
    int Socket;
    /// It parks behind the pipeline.
    bool Optimized;
    bool Ready = false;
    std::list<Opening> Queue = {};
  };
  using iterator = std::list<Session>::iterator;

  explicit ParkedSessions(size_t Most) : Most(Most) {}
  ~ParkedSessions() { clear(); }
  ParkedSessions(const ParkedSessions &) = delete;
  ParkedSessions &operator=(const ParkedSessions &) = delete;

  iterator begin() { return Sessions.begin(); }
  iterator end() { return Sessions.end(); }
  bool mayPark() const { return Most; }

  /// Returns the session that is parked as \p Key and counts this as a use;
  /// null if there is none. No session has an empty key.
  Session *find(const std::string &Key);

  /// Makes a socket on which a session that parks as \p Key awaits clients, and
  /// returns the nursery's end and the session's. If no descriptors are left,
  /// other sessions go first, though never the one used last. If \p Key is
  /// empty, or that does not help, both ends are -1 and the session does not
  /// park.
  std::array<int, 2> makeEnds(const std::string &Key);
  /// Enters a session if its process has \p Begun, and keeps the nursery's end.
  /// Drops other sessions if there are too many. Closes the session's end.
  void keep(const std::string &Key, std::array<int, 2> Ends, bool Optimized,
            bool Begun);

  /// Call when the session's socket can be read.
  void serve(iterator Which);
  void drop(Session &Which);
  /// Drops the session used least recently. Returns false if there is none.
  bool dropLast();

  /// Takes a client whose wait is over, because its session is ready or has
  /// gone; nullopt if there is none. The other clients stay here, where a fork
  /// lets go of them.
  std::optional<Opening> takeReleased();

  /// Bytes of memory that keys and waiting clients take.
  size_t bytesHeld() const;
  /// Lets go of everything, in a fork of the nursery.
  void clear();

private:
  void erase(iterator Which);

  const size_t Most;
  /// The session used most recently comes first.
  std::list<Session> Sessions;
  std::list<Opening> Released;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_PARKEDSESSIONS_H
