//===- Copies.cpp - Forks that work at the same time ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Copies.h"
#include "CrashReport.h"
#include "Rehearsal.h"
#include "Wire.h"
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

using namespace llvm;
using namespace mlcompiler;

/// Each fork takes a descriptor, of which a session has few (see Sandbox.cpp).
static constexpr size_t MostAtOnce = 32;
/// Milliseconds that forks have to report that the deadline has passed. After
/// that, it is reported in their place.
static constexpr int64_t Grace = 1000;

static size_t processors() {
  cpu_set_t Set;
  if (sched_getaffinity(0, sizeof(Set), &Set))
    return 1;
  return CPU_COUNT(&Set);
}

static proto::Reply lateReply() {
  return errorReply(proto::DEADLINE_EXCEEDED,
                    "the deadline of the request passed before there was a "
                    "value; ask for fewer at a time, or open the session with "
                    "a longer deadline",
                    /*SessionEnded=*/false);
}

Copies::Copies(size_t Wanted, Taker Take)
    : Most(std::clamp(Wanted ? Wanted : processors(), size_t(1), MostAtOnce)),
      Take(std::move(Take)) {}

Copies::~Copies() {
  for (const Running &Each : All)
    ::close(Each.Pipe);
}

bool Copies::isLate() const {
  const std::optional<int64_t> Left = crash::timeLeft();
  return Left && *Left <= 0;
}

std::optional<int> Copies::start(size_t Tag) {
  while (All.size() >= Most)
    wait();
  while (!isLate()) {
    int Ends[2];
    const pid_t Parent = getpid();
    pid_t Pid = -1;
    int Failed = 0;
    if (!pipe2(Ends, O_CLOEXEC)) {
      Pid = fork();
      Failed = errno;
      ::close(Ends[Pid == 0 ? 0 : 1]);
      if (Pid < 0)
        ::close(Ends[0]);
    } else {
      Failed = errno;
    }
    if (Pid == 0) {
      // If the parent has already gone, no signal will come.
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != Parent)
        _exit(0);
      for (const Running &Each : All)
        ::close(Each.Pipe);
      All.clear();
      return Ends[1];
    }
    if (Pid > 0) {
      All.push_back({Ends[0], Tag, {}});
      return std::nullopt;
    }
    if (All.empty()) {
      errno = Failed;
      Take(Tag, errorReply(noProcess("a copy of the session"),
                           /*SessionEnded=*/false));
      return std::nullopt;
    }
    // There may be room when another fork has ended.
    wait();
  }
  Take(Tag, lateReply());
  return std::nullopt;
}

void Copies::finish() {
  while (!All.empty())
    wait();
}

void Copies::wait() {
  std::vector<pollfd> Polled;
  for (const Running &Each : All)
    Polled.push_back({Each.Pipe, POLLIN, 0});
  const std::optional<int64_t> Left = crash::timeLeft();
  const int64_t Patience = Left ? std::max<int64_t>(*Left + Grace, 0) : -1;
  const int Ready =
      poll(Polled.data(), Polled.size(),
           static_cast<int>(std::min<int64_t>(Patience, 1 << 30)));
  if (Ready == 0 && isLate())
    giveUp();
  if (Ready <= 0)
    return;
  size_t Kept = 0;
  for (size_t I = 0, Count = All.size(); I != Count; ++I) {
    if (Polled[I].revents && read(All[I])) {
      ::close(All[I].Pipe);
      Take(All[I].Tag, readReport(All[I].Report));
      continue;
    }
    if (Kept != I)
      All[Kept] = std::move(All[I]);
    ++Kept;
  }
  All.resize(Kept);
}

bool Copies::read(Running &From) {
  char Some[1 << 14];
  const ssize_t Got = ::read(From.Pipe, Some, sizeof(Some));
  if (Got < 0)
    return errno != EINTR;
  From.Report.append(Some, Got);
  return Got == 0;
}

void Copies::giveUp() {
  // The forks notice that their pipes have no reader.
  for (const Running &Each : All) {
    ::close(Each.Pipe);
    Take(Each.Tag, lateReply());
  }
  All.clear();
}
