//===- Sandbox.h - What sessions cannot do ----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Programs come from strangers, and LLVM does not promise to survive them. So
/// a process that compiles can compute, use memory up to its limit, talk over
/// the sockets that it was given, and fork. It cannot open a file, make a
/// connection, run a program or signal another process.
///
/// The nursery enters the sandbox as soon as it needs no more files. Its forks
/// inherit the sandbox, at no cost. Each session then gives up the few rights
/// that only the nursery needs.
///
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_SANDBOX_H
#define MLCOMPILER_GYM_SERVICE_SANDBOX_H

#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace mlcompiler::sandbox {

enum class Mode {
  /// Use what the kernel has.
  Auto,
  /// Fail if system calls cannot be filtered, because the filter alone forbids
  /// everything.
  Require,
  Off,
};

/// What is in force.
struct Status {
  bool NoNewPrivileges = false;
  /// System calls are filtered (seccomp).
  bool SystemCalls = false;
  /// Version of Landlock's interface that is used; 0 if none.
  int Landlock = 0;
  /// What is not in force, and why.
  std::vector<std::string> Missing;
};

/// Confines this process and its forks. Call once, from the only thread, when
/// the process needs no more files.
llvm::Error enter(Mode Wanted);

/// Confines this process and its forks further, to what a session does. Call
/// after enter(), and after the memory limit has been set.
llvm::Error enterSession();

const Status &status();

/// The filters of system calls. A call must pass both.
namespace filter {
/// Loads the filter for the nursery and sessions. Fails if the kernel has no
/// seccomp.
llvm::Error load();
/// Loads the stricter filter for sessions, which load() has prepared.
llvm::Error loadSession();
} // namespace filter

} // namespace mlcompiler::sandbox

#endif // MLCOMPILER_GYM_SERVICE_SANDBOX_H
