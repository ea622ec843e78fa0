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

/// A client who has opened a session that it does not have yet.
struct Opening {
  Channel Client;
  proto::Request Request;

  const proto::Open &open() const { return Request.open(); }
  /// The memory that it takes.
  size_t bytesHeld() const;
};

/// The session processes that are parked at their first decision, or are on
/// their way there; or that stand behind the pipeline, for functions that are
/// compiled one by one. And the clients that wait for them to get there.
///
/// Contract: bounded, the one used least recently goes first, which its process
/// notices by the end of its socket. Nothing here waits or forks.
/// Failure mode: a process that dies, or goes, gives back the clients that have
/// waited for it. Whatever kept it from its first decision, each of them shall
/// hear it from a session of its own.
class ParkedSessions {
public:
  struct Session {
    std::string Key;
    int Socket;
    /// Stands behind the pipeline.
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

  /// The session of that key, used just now; null if there is none. No session
  /// has an empty key.
  Session *find(const std::string &Key);

  /// The two ends of a socket on which what is parked as \p Key awaits clients:
  /// the nursery's and the session's; -1 if there is no key, or no descriptors
  /// are left, and then it goes without parking. Rather than that, others than
  /// the one used just now go.
  std::array<int, 2> makeEnds(const std::string &Key);
  /// Keeps the nursery's end, if the session has \p Begun, and no more of them
  /// than it may. Closes the session's end.
  void keep(const std::string &Key, std::array<int, 2> Ends, bool Optimized,
            bool Begun);

  /// To be called when the session's socket has something to say.
  void serve(iterator Which);
  void drop(Session &Which);
  /// Drops the one used least recently. Returns false if there is none.
  bool dropLast();

  /// A client whose wait is over, one way or the other; nullopt if there is
  /// none. The others stay here, where a fork lets go of them.
  std::optional<Opening> takeReleased();

  /// The memory that keys and waiting clients take.
  size_t bytesHeld() const;
  /// In a fork of the nursery, whom none of this concerns.
  void clear();

private:
  void erase(iterator Which);

  const size_t Most;
  /// Used most recently first.
  std::list<Session> Sessions;
  std::list<Opening> Released;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_PARKEDSESSIONS_H
