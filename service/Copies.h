//===- Copies.h - Forks that work at the same time --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_COPIES_H
#define MLCOMPILER_GYM_SERVICE_COPIES_H

#include "mlcompiler_gym/v1/compiler_service.pb.h"
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace mlcompiler {

/// Forks of this process that work at the same time, each of which reports once
/// to this one, with a reply.
///
/// Contract: so many at once, and no more. The caller holds the deadline
/// (crash::DeadlineHold), which is kept here. A fork ends with its report, with
/// this process, or with the deadline of the request under way. There is a
/// report of each, whatever becomes of it.
/// Failure mode: what ends a fork, or keeps it from being made, is the error
/// that is its report.
class Copies {
public:
  /// Called with what has been reported of the fork that has a tag.
  using Taker =
      std::function<void(size_t Tag, mlcompiler_gym::v1::Reply Report)>;

  /// At most \p Most at once; 0: one for each processor that this process may
  /// use.
  Copies(size_t Most, Taker Take);
  Copies(const Copies &) = delete;
  Copies &operator=(const Copies &) = delete;
  ~Copies();

  /// Forks, as soon as there may be another. Returns, in the fork only, the
  /// pipe that it is to report to.
  std::optional<int> start(size_t Tag);

  /// Waits until all have reported.
  void finish();

  /// Whether the deadline has passed, so that there is no time for others.
  bool isLate() const;

private:
  struct Running {
    int Pipe;
    size_t Tag;
    std::string Report;
  };

  /// Waits until one of them has something to say, and takes it.
  void wait();
  /// Takes what there is to read. Returns whether that was all.
  bool read(Running &From);
  void giveUp();

  size_t Most;
  Taker Take;
  std::vector<Running> All;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_COPIES_H
