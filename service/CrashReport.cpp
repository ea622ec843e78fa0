//===- CrashReport.cpp - The last words of a session ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "CrashReport.h"
#include "Wire.h"
#include "llvm/Support/ErrorHandling.h"
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <new>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

using namespace llvm;
using namespace mlcompiler;

namespace {

/// A string of bounded length that can be written in a signal handler.
struct FixedText {
  char Data[512];
  size_t Size = 0;

  void clear() { Size = 0; }
  void append(const char *Bytes, size_t Count) {
    Count = std::min(Count, sizeof(Data) - Size);
    // Names in a program can be any bytes, but a string of the protocol cannot.
    for (size_t I = 0; I != Count; ++I)
      Data[Size++] = Bytes[I] & 0x80 ? '?' : Bytes[I];
  }
  void append(const char *Text) { append(Text, strlen(Text)); }
  void append(unsigned Number) {
    char Digits[16];
    size_t Begin = sizeof(Digits);
    do
      Digits[--Begin] = static_cast<char>('0' + Number % 10);
    while (Number /= 10);
    append(Digits + Begin, sizeof(Digits) - Begin);
  }
};

/// Protocol-buffer encoding of the few fields of an Error.
struct Encoder {
  char Data[2048];
  size_t Size = 0;

  void byte(unsigned Value) { Data[Size++] = static_cast<char>(Value); }
  void varint(uint32_t Value) {
    for (; Value >= 0x80; Value >>= 7)
      byte((Value & 0x7f) | 0x80);
    byte(Value);
  }
  void integer(unsigned Field, uint32_t Value) {
    varint(Field << 3);
    varint(Value);
  }
  void bytes(unsigned Field, const char *Value, size_t Count) {
    varint(Field << 3 | 2);
    varint(static_cast<uint32_t>(Count));
    memcpy(Data + Size, Value, Count);
    Size += Count;
  }
};

struct NamedSignal {
  int Number;
  const char *Name;
};

} // namespace

static constexpr NamedSignal FatalSignals[] = {
    {SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"},   {SIGFPE, "SIGFPE"},
    {SIGILL, "SIGILL"},   {SIGABRT, "SIGABRT"}, {SIGTRAP, "SIGTRAP"},
    {SIGSYS, "SIGSYS"},   {SIGTERM, "SIGTERM"}};

/// SYS_SECCOMP, which Debian 12's libc does not name.
static constexpr int RefusedBySeccomp = 1;

static int ReportSocket = -1;
/// The process that reports. A fork has no client yet, and its parent's client
/// expects nothing from it.
static pid_t Reporter;
static volatile bool Replying;
/// The signal that waits for the end of a reply; 0 if there is none.
static volatile int Deferred;
/// Whether this process only tries out what another one is about to do.
static bool Rehearsing;
static FixedText Running;

/// The deadline of the request under way, in nanoseconds of the monotonic
/// clock; 0 if it has none.
static volatile int64_t Deadline;
/// The same, regardless of pauses and holds.
static int64_t RequestDeadline;
static volatile bool InRequest;
static unsigned DeadlineMilliseconds;
/// When the timer fires next; 0 if it is not running.
static volatile int64_t NextTick;

static constexpr int64_t Millisecond = 1000000;
/// The period in which the timer looks whether the client has gone.
static constexpr int64_t TickPeriod = 1000 * Millisecond;

static int64_t now() {
  timespec Now;
  clock_gettime(CLOCK_MONOTONIC, &Now);
  return Now.tv_sec * 1000 * Millisecond + Now.tv_nsec;
}

static void startTimer(int64_t Now, int64_t At) {
  // A timer of zero would never fire.
  int64_t Microseconds = std::max<int64_t>((At - Now) / 1000, 1);
  itimerval Timer{};
  Timer.it_value.tv_sec = Microseconds / 1000000;
  Timer.it_value.tv_usec = Microseconds % 1000000;
  setitimer(ITIMER_REAL, &Timer, nullptr);
  NextTick = At;
}

static void sendReport(const char *Bytes, size_t Count, int Flags) {
  if (send(ReportSocket, Bytes, Count, MSG_NOSIGNAL | Flags) < 0 &&
      errno == ENOTSOCK && write(ReportSocket, Bytes, Count) < 0)
    return; // The client no longer reads it.
}

/// Writes the report and ends the process. Async-signal-safe.
[[noreturn]] static void endWith(proto::ErrorCode Code, const FixedText &Text,
                                 const char *Signal) {
  Encoder E;
  E.integer(proto::Error::kCodeFieldNumber, Code);
  E.bytes(proto::Error::kMessageFieldNumber, Text.Data, Text.Size);
  E.integer(proto::Error::kSessionEndedFieldNumber, !Rehearsing);
  E.bytes(proto::Error::kSignalFieldNumber, Signal, strlen(Signal));
  E.bytes(proto::Error::kPassFieldNumber, Running.Data, Running.Size);
  Encoder Reply;
  Reply.bytes(proto::Reply::kErrorFieldNumber, E.Data, E.Size);
  char Prefix[4];
  for (unsigned I = 0; I != 4; ++I)
    Prefix[I] = static_cast<char>(Reply.Size >> (8 * I));
  if (ReportSocket >= 0 && getpid() == Reporter) {
    sendReport(Prefix, sizeof(Prefix), MSG_MORE);
    sendReport(Reply.Data, Reply.Size, 0);
  }
  _exit(1);
}

static void appendRunning(FixedText &Text) {
  if (!Running.Size)
    return;
  Text.append(" in ");
  Text.append(Running.Data, Running.Size);
}

static void appendConsequence(FixedText &Text) {
  Text.append(Rehearsing ? "; the session goes on"
                         : "; only this session is lost");
}

static void onFatalSignal(int Number) {
  if (Replying) {
    Deferred = Number;
    fcntl(ReportSocket, F_SETFL, O_NONBLOCK);
    return;
  }
  const char *Name = "a signal";
  for (const NamedSignal &S : FatalSignals)
    if (S.Number == Number)
      Name = S.Name;
  FixedText Text;
  Text.append("the compiler was stopped by ");
  Text.append(Name);
  appendRunning(Text);
  appendConsequence(Text);
  endWith(proto::CRASHED, Text, Name);
}

/// The sandbox has refused a system call that no compiler makes.
static void onRefusedCall(int Number, siginfo_t *Info, void *) {
  if (Info->si_code != RefusedBySeccomp)
    onFatalSignal(Number);
  FixedText Text;
  Text.append("the process made system call ");
  Text.append(static_cast<unsigned>(Info->si_syscall));
  appendRunning(Text);
  Text.append(", which the sandbox forbids");
  appendConsequence(Text);
  endWith(proto::CRASHED, Text, "SIGSYS");
}

static void onFatalError(void *, const char *Reason, bool) {
  FixedText Text;
  Text.append("LLVM stopped itself");
  appendRunning(Text);
  Text.append(": ");
  Text.append(Reason);
  endWith(proto::CRASHED, Text, "");
}

static void onOutOfMemory() {
  FixedText Text;
  Text.append("the compiler ran out of memory");
  appendRunning(Text);
  Text.append("; open the session with a larger memory limit");
  endWith(proto::OUT_OF_MEMORY, Text, "");
}

[[noreturn]] static void onDeadline() {
  FixedText Text;
  Text.append("the deadline of ");
  Text.append(DeadlineMilliseconds);
  Text.append(" ms passed");
  appendRunning(Text);
  Text.append("; open the session with a longer deadline");
  endWith(proto::DEADLINE_EXCEEDED, Text, "");
}

static void onTick(int) {
  NextTick = 0;
  // An idle session needs no timer: it is told when its client leaves.
  if (!InRequest)
    return;
  int64_t Now = now();
  if (Deadline && Now >= Deadline)
    onDeadline();
  pollfd Client{ReportSocket, 0, 0};
  if (poll(&Client, 1, 0) > 0 && (Client.revents & (POLLHUP | POLLERR)))
    _exit(0);
  int64_t Next = Now + TickPeriod;
  startTimer(Now, Deadline ? std::min(int64_t(Deadline), Next) : Next);
}

void crash::install() {
  // LLVM recurses deeply, and a handler cannot run on a stack that has
  // overflowed.
  static char AlternateStack[64 << 10];
  stack_t Stack{};
  Stack.ss_sp = AlternateStack;
  Stack.ss_size = sizeof(AlternateStack);
  sigaltstack(&Stack, nullptr);
  struct sigaction Action{};
  Action.sa_flags = SA_ONSTACK | SA_RESETHAND;
  Action.sa_handler = onFatalSignal;
  for (const NamedSignal &S : FatalSignals)
    sigaction(S.Number, &Action, nullptr);
  Action.sa_flags |= SA_SIGINFO;
  Action.sa_sigaction = onRefusedCall;
  sigaction(SIGSYS, &Action, nullptr);
  Action.sa_flags = SA_ONSTACK | SA_RESTART;
  Action.sa_handler = onTick;
  sigaction(SIGALRM, &Action, nullptr);
  install_fatal_error_handler(onFatalError);
  install_bad_alloc_error_handler(
      [](void *, const char *, bool) { onOutOfMemory(); });
  std::set_new_handler(onOutOfMemory);
}

void crash::reportTo(int Socket) {
  ReportSocket = Socket;
  Reporter = getpid();
}

crash::ReplyUnderWay::ReplyUnderWay() { Replying = true; }

crash::ReplyUnderWay::~ReplyUnderWay() {
  Replying = false;
  if (Deferred)
    onFatalSignal(Deferred);
}

/// Lets the timer fire when it is next needed.
static void watchTime(int64_t Now) {
  // The timer is left running between requests, because setting it takes as
  // long as the rest of a short request. It is set again only if it would fire
  // too late.
  int64_t Wanted = Now + TickPeriod;
  if (Deadline)
    Wanted = std::min(Wanted, int64_t(Deadline));
  if (!NextTick || NextTick > Wanted)
    startTimer(Now, Wanted);
}

void crash::beginRequest(unsigned DeadlineMs) {
  int64_t Now = now();
  DeadlineMilliseconds = DeadlineMs;
  RequestDeadline = DeadlineMs ? Now + DeadlineMs * Millisecond : 0;
  Deadline = RequestDeadline;
  InRequest = true;
  watchTime(Now);
}

void crash::endRequest() { InRequest = false; }

void crash::afterFork() { NextTick = 0; }

void crash::beginRehearsal(int Pipe) {
  afterFork();
  reportTo(Pipe);
  Rehearsing = true;
  if (InRequest)
    watchTime(now());
}

crash::DeadlinePause::DeadlinePause() : Left(Deadline ? Deadline - now() : 0) {
  Deadline = 0;
}

crash::DeadlinePause::~DeadlinePause() {
  if (!Left)
    return;
  const int64_t Now = now();
  Deadline = Now + Left;
  watchTime(Now);
}

std::optional<int64_t> crash::timeLeft() {
  if (!RequestDeadline)
    return std::nullopt;
  return (RequestDeadline - now()) / Millisecond;
}

crash::DeadlineHold::DeadlineHold() : Held(Deadline) { Deadline = 0; }

crash::DeadlineHold::~DeadlineHold() {
  const int64_t Now = now();
  if (Now >= Held)
    return;
  Deadline = Held;
  watchTime(Now);
}

void crash::enterPass(StringRef Pass, StringRef Unit) {
  Running.clear();
  Running.append(Pass.data(), std::min<size_t>(Pass.size(), 120));
  if (Unit.empty())
    return;
  Running.append(" on ");
  Running.append(Unit.data(), std::min<size_t>(Unit.size(), 200));
}

crash::Activity::Activity(StringRef Name) : OuterSize(Running.Size) {
  memcpy(Outer, Running.Data, OuterSize);
  enterPass(Name, "");
}

crash::Activity::~Activity() {
  Running.clear();
  Running.append(Outer, OuterSize);
}
