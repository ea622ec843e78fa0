//===- Sandbox.h - What sessions cannot do ----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Programs come from strangers, and LLVM does not promise to survive them. So
/// a process that compiles can compute, have memory up to its limit, talk over
/// the sockets that it was given, and fork; it can open no file, make no
/// connection, run no program and signal nobody.
///
/// The nursery enters the sandbox once it needs no more files, and what it
/// forks inherits that, at no cost. Each session then gives up the little that
/// only the nursery needs.
///
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_SANDBOX_H
#define MLCOMPILER_GYM_SERVICE_SANDBOX_H

#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace mlcompiler::sandbox {

enum class Mode {
  /// What the kernel has.
  Auto,
  /// Fail if system calls cannot be filtered, which is what forbids everything.
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
  /// What is not, and why.
  std::vector<std::string> Missing;
};

/// Confines this process and all that are forked from it. Call once, from its
/// only thread, when it needs no more files.
llvm::Error enter(Mode Wanted);

/// Confines this process to what a session does, after enter(), and with it its
/// forks. Its limit of memory must have been set.
llvm::Error enterSession();

const Status &status();

/// What filters system calls. Both add up: a call must pass all of them.
namespace filter {
/// For the nursery and sessions. Fails if the kernel has no seccomp.
llvm::Error load();
/// What sessions must not do beyond that. load() has prepared it.
llvm::Error loadSession();
} // namespace filter

} // namespace mlcompiler::sandbox

#endif // MLCOMPILER_GYM_SERVICE_SANDBOX_H
