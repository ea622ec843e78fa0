//===- Policies.h - The policies that a compile is told of ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_PLUGIN_POLICIES_H
#define MLCOMPILER_GYM_SERVICE_PLUGIN_POLICIES_H

#include "policy/Decider.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Analysis/TensorSpec.h"
#include <mutex>
#include <string>
#include <vector>

namespace llvm {
class LLVMContext;
}

namespace mlcompiler {

/// A policy that a compile is told of.
struct NamedFile {
  /// As it was given.
  std::string Name;
  policy::Policy Policy;
};

/// What a policy that fits a task decides from, and how.
struct FittedPolicy {
  std::string Name;
  /// The features that it takes, one behind the other.
  std::vector<llvm::TensorSpec> Features;
  std::unique_ptr<policy::Decider> Decides;
  /// Whether it draws its actions.
  bool IsDrawn = false;
};

/// The policies that the option or the environment variable names, for the life
/// of the process.
///
/// Contract: whatever they name, a compile goes on. A policy that is not there,
/// is broken or does not fit is left out, and LLVM decides by itself.
/// Failure mode: what is wrong is kept until there is a context whose
/// diagnostics can say it, as a warning; it is said once.
class Policies {
public:
  static Policies &get();

  /// The policy that decides a task; null if LLVM is to.
  const NamedFile *find(const policy::Kind &K) const;

  /// What find() gives, fitted to the features of the task; null if LLVM is to
  /// decide, be it because the policy does not fit.
  std::unique_ptr<FittedPolicy> fit(const policy::Kind &K,
                                    llvm::ArrayRef<llvm::TensorSpec> Known);

  /// Keeps what is wrong with a policy.
  void complain(llvm::StringRef Name, const llvm::Twine &Why);
  /// Warns of what has been kept.
  void report(llvm::LLVMContext &Context);
  bool hasComplaints();

  /// Of policies that draw their actions.
  uint64_t seed() const { return Seed; }

private:
  Policies();
  void read(llvm::StringRef Entry);
  /// Reads the file that \p Read is named by; complains if it cannot.
  bool readPolicy(NamedFile &Read);

  std::vector<NamedFile> Files;
  uint64_t Seed = 0;
  std::mutex Lock;
  /// Those to report, and all that there have been.
  std::vector<std::string> Complaints;
  llvm::StringSet<> Known;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_PLUGIN_POLICIES_H
