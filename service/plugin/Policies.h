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

/// A policy that a compile was given.
struct NamedFile {
  /// The name that was given.
  std::string Name;
  policy::Policy Policy;
};

/// A policy that fits a task, and the features that it decides from.
struct FittedPolicy {
  std::string Name;
  /// The features that it takes, one after the other.
  std::vector<llvm::TensorSpec> Features;
  std::unique_ptr<policy::Decider> Decides;
  /// Whether it draws its actions at random.
  bool IsDrawn = false;
};

/// The policies that the option or the environment variable names. They stay
/// for the life of the process.
///
/// Contract: a compile goes on, whatever is named. A policy that is missing,
/// broken or does not fit is left out, and LLVM decides by itself.
/// Failure mode: each complaint is kept until a context can report it, and is
/// then reported once, as a warning.
class Policies {
public:
  static Policies &get();

  /// The policy that decides a task; null if LLVM decides it.
  const NamedFile *find(const policy::Kind &K) const;

  /// The same policy, fitted to the features of the task. Null if there is
  /// none, or if it does not fit; LLVM then decides.
  std::unique_ptr<FittedPolicy> fit(const policy::Kind &K,
                                    llvm::ArrayRef<llvm::TensorSpec> Known);

  /// Keeps a complaint about a policy.
  void complain(llvm::StringRef Name, const llvm::Twine &Why);
  /// Reports the kept complaints as warnings.
  void report(llvm::LLVMContext &Context);
  bool hasComplaints();

  /// The seed of policies that draw their actions.
  uint64_t seed() const { return Seed; }

private:
  Policies();
  void read(llvm::StringRef Entry);
  /// Reads the file that the name in \p Read stands for; complains if it
  /// cannot.
  bool readPolicy(NamedFile &Read);

  std::vector<NamedFile> Files;
  uint64_t Seed = 0;
  std::mutex Lock;
  /// The complaints to report, and all complaints so far.
  std::vector<std::string> Complaints;
  llvm::StringSet<> Known;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_PLUGIN_POLICIES_H
