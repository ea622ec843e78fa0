//===- Kind.h - What there is to decide -------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_POLICY_KIND_H
#define MLCOMPILER_GYM_SERVICE_POLICY_KIND_H

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mlcompiler {
namespace policy {

/// How LLVM's heuristic decides.
struct Heuristic {
  /// The feature that holds its action at each decision. Empty: it always takes
  /// Action.
  std::string Feature;
  int64_t Action = 0;
};

/// A named policy that takes the active action if one of some features is not
/// 0, and the inactive action otherwise.
struct Rule {
  std::string Name;
  std::vector<std::string> Features;
};

/// A kind of decision: what a policy has to fit, and what named policies need
/// to know.
struct Kind {
  /// The name of the task.
  std::string Task;
  /// How many actions there are; 0: the action is a number in Low .. High.
  size_t Actions = 0;
  double Low = 0;
  double High = 0;
  std::optional<policy::Heuristic> Heuristic;
  std::optional<int64_t> Inactive;
  std::optional<int64_t> Active;
  std::vector<Rule> Rules;
};

} // namespace policy
} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_POLICY_KIND_H
