//===- Episodes.h - Episodes played by copies -------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_EPISODES_H
#define MLCOMPILER_GYM_SERVICE_EPISODES_H

#include "Copies.h"

namespace mlcompiler {

/// A Play of several episodes that is under way: the copies of the session that
/// play them, and their results so far.
class Episodes {
public:
  explicit Episodes(const mlcompiler_gym::v1::Play &Request);

  /// Copies this process for each episode, and waits for the copies. Returns,
  /// in a copy only, the pipe to report to; number() is then the copy's
  /// episode.
  std::optional<int> play();
  uint64_t number() const { return Begun - 1; }

  /// Moves into \p Reply as many results as fit.
  void finish(mlcompiler_gym::v1::PlayReply &Reply);

private:
  bool mayBegin() const;
  void take(size_t Number, mlcompiler_gym::v1::Reply Report);

  const uint64_t Wanted;
  uint64_t Begun = 0;
  /// The results by number; null while an episode is being played.
  std::vector<std::unique_ptr<mlcompiler_gym::v1::Episode>> Played;
  /// How many results are there, and their bytes.
  size_t Done = 0;
  size_t Bytes = 0;
  Copies Playing;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_EPISODES_H
