//===- CrashReport.h - The last words of a session --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// A session process that cannot go on tells its client why before it dies: a
/// fatal signal, LLVM's report_fatal_error, memory that ran out, a deadline
/// that passed, or a system call that the sandbox refuses. The report is
/// written from a signal handler, so it is encoded by hand into a static
/// buffer: no allocation, no locks.
///
/// What cannot be reported from inside is SIGKILL: the client then sees the
/// end of the stream without a reply.
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

/// Reports of this process, but not of its forks, go to this socket from now
/// on.
void reportTo(int Socket);

/// While it lives a reply is being sent, and a report would be read as a part
/// of it. So a signal waits for the rest of the reply, unless that waits for
/// the client: then writing fails.
class ReplyUnderWay {
public:
  ReplyUnderWay();
  ~ReplyUnderWay();
};

/// Between these two calls the process works on a request: it ends itself with
/// DEADLINE_EXCEEDED after \p DeadlineMs milliseconds (0: never), and silently
/// as soon as its client has closed the other end of the socket.
void beginRequest(unsigned DeadlineMs);
void endRequest();

/// To be called in the child of a fork, which inherits no timer.
void afterFork();

/// In a fork that tries out what its parent is about to do: reports go to \p
/// Pipe, and say that the session goes on. The request's deadline still holds.
void beginRehearsal(int Pipe);

/// For as long as it lives the request's time does not run; the client's
/// leaving is still noticed.
class DeadlinePause {
public:
  DeadlinePause();
  ~DeadlinePause();

private:
  int64_t Left;
};

/// Milliseconds up to the deadline of the request under way, negative behind
/// it; nullopt if there is none.
std::optional<int64_t> timeLeft();

/// For as long as it lives the deadline does not end this process, which then
/// has to see to it by itself. If it has passed by then, the request is to be
/// answered at once.
class DeadlineHold {
public:
  DeadlineHold();
  ~DeadlineHold();

private:
  const int64_t Held;
};

/// Remembers what is running, for the report. Keeps no reference.
void enterPass(llvm::StringRef Pass, llvm::StringRef Unit);

/// Names something that is not a pass for as long as it lives, and then what
/// ran before.
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
