//===- LLVMOptions.h - LLVM's command-line options --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_LLVMOPTIONS_H
#define MLCOMPILER_GYM_SERVICE_LLVMOPTIONS_H

#include "llvm/ADT/StringRef.h"
#include <string>

namespace mlcompiler {

/// The right to set LLVM's command-line options, which belong to the process
/// and are inherited by all that it forks. Only a session has it: were one set
/// in the nursery, the request of one client would change the code of others.
class LLVMOptions {
public:
  /// \p Value has been checked before. Ends the process with a fatal error if
  /// LLVM has no such option, or does not take the value.
  void set(llvm::StringRef Name, llvm::StringRef Value);

  /// What has been set in this process, a line each, as it now is.
  static std::string inForce();

private:
  friend class Session;
  // Not defaulted, for then anybody could make one with braces.
  LLVMOptions() {}
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_LLVMOPTIONS_H
