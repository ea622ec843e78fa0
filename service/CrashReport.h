//===- CrashReport.h - The last words of a session --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// A session process that cannot go on tells its client why before it dies. The
/// reason is a fatal signal, LLVM's report_fatal_error, a lack of memory, a
/// deadline that has passed, or a system call that the sandbox refuses. The
/// report is written from a signal handler, so it is encoded by hand into a
/// static buffer, without allocations or locks.
///
/// Only SIGKILL cannot be reported from inside. The client then sees the end of
/// the stream without a reply.
///
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_CRASHREPORT_H
#define MLCOMPILER_GYM_SERVICE_CRASHREPORT_H

#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <optional>

namespace mlcompiler::crash {

/// Installs the handlers, on an alternate stack so that a stack overflow is
/// reported too. Call once, in the session process; forks inherit it.
void install();

/// From now on, reports of this process go to \p Socket. Its forks report
/// nothing until they call this themselves.
void reportTo(int Socket);

/// Lives while a reply is being sent, when a report would be read as a part of
/// the reply. A signal therefore waits until the rest of the reply has been
/// sent. If the client does not take it, writing fails instead.
class ReplyUnderWay {
public:
  ReplyUnderWay();
  ~ReplyUnderWay();
};

/// Between these two calls the process works on a request. It ends itself with
/// DEADLINE_EXCEEDED after \p DeadlineMs milliseconds (0: never), and silently
/// as soon as its client has closed the other end of the socket.
void beginRequest(unsigned DeadlineMs);
void endRequest();

/// Call in the child of a fork, which inherits no timer.
void afterFork();

/// In a fork that tries out what its parent is about to do: reports go to \p
/// Pipe, and say that the session goes on. The request's deadline still holds.
void beginRehearsal(int Pipe);

/// While it lives, the request's time stands still. If the client leaves, that
/// is still noticed.
class DeadlinePause {
public:
  DeadlinePause();
  ~DeadlinePause();

private:
  int64_t Left;
};

/// Milliseconds until the deadline of the request under way, negative once it
/// has passed; nullopt if the request has none.
std::optional<int64_t> timeLeft();

/// While it lives, the deadline does not end this process, which must watch
/// timeLeft() itself. If the deadline has passed when the hold ends, the
/// process must reply at once.
class DeadlineHold {
public:
  DeadlineHold();
  ~DeadlineHold();

private:
  const int64_t Held;
};

/// Notes for the report what is running. Keeps no reference.
void enterPass(llvm::StringRef Pass, llvm::StringRef Unit);

/// While it lives, the report names this activity, which is not a pass.
/// Afterwards it again names what ran before.
class Activity {
public:
  explicit Activity(llvm::StringRef Name);
  ~Activity();

private:
  char Outer[512];
  size_t OuterSize;
};

} // namespace mlcompiler::crash

#endif // MLCOMPILER_GYM_SERVICE_CRASHREPORT_H
