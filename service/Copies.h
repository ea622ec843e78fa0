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

/// Forks of this process that work at the same time. Each reports once to this
/// process, with a reply.
///
/// Contract: no more than the given number run at once. The caller holds the
/// deadline (crash::DeadlineHold), and this class keeps it. A fork ends with
/// its report, with this process, or with the deadline of the request under
/// way. There is a report for each fork in any case.
/// Failure mode: if a fork dies, or cannot be made, its report is the error.
class Copies {
public:
  /// Called with the report of the fork that was started with \p Tag.
  using Taker =
      std::function<void(size_t Tag, mlcompiler_gym::v1::Reply Report)>;

  /// Runs at most \p Most forks at once; 0: one for each processor that this
  /// process may use.
  Copies(size_t Most, Taker Take);
  Copies(const Copies &) = delete;
  Copies &operator=(const Copies &) = delete;
  ~Copies();

  /// Forks, as soon as another fork may run. Returns, in the fork only, the
  /// pipe to report to.
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

  /// Waits until one of them has written something, and reads it.
  void wait();
  /// Reads what there is. Returns whether that was the end.
  bool read(Running &From);
  void giveUp();

  size_t Most;
  Taker Take;
  std::vector<Running> All;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_COPIES_H
