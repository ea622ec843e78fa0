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
/// and which its forks inherit. Only a session has it. If the nursery set an
/// option, the request of one client would change the code of others.
class LLVMOptions {
public:
  /// Sets an option. \p Value must have been checked: the process ends with a
  /// fatal error if LLVM has no such option, or does not take the value.
  void set(llvm::StringRef Name, llvm::StringRef Value);

  /// The options that have been set in this process, with their present values,
  /// one on each line.
  static std::string inForce();

private:
  friend class Session;
  // Not defaulted, because any class could then make one with braces.
  LLVMOptions() {}
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_LLVMOPTIONS_H
