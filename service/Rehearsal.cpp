//===- Rehearsal.cpp - What may be the end of a process -------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Rehearsal.h"
#include "CrashReport.h"
#include "Failure.h"
#include "Wire.h"
#include "llvm/Support/Endian.h"
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

using namespace llvm;
using namespace mlcompiler;

/// The length of an empty reply. What the fork has found comes behind it, in
/// place of a reply.
static constexpr char Survived[4] = {};

/// The pipe into which a fork that looks ahead writes what it has found.
static int Conclusion = -1;

static std::string readToEnd(int Pipe) {
  std::string Bytes;
  char Some[512];
  while (true) {
    const ssize_t Got = read(Pipe, Some, sizeof(Some));
    if (Got < 0 && errno == EINTR)
      continue;
    if (Got <= 0)
      return Bytes;
    Bytes.append(Some, Got);
  }
}

Expected<std::optional<std::string>> mlcompiler::lookAhead() {
  int Ends[2];
  if (pipe2(Ends, O_CLOEXEC))
    return noDescriptor("trying this out in another process");
  const pid_t Pid = fork();
  if (Pid == 0) {
    close(Ends[0]);
    Conclusion = Ends[1];
    crash::beginRehearsal(Conclusion);
    return std::nullopt;
  }
  close(Ends[1]);
  if (Pid < 0) {
    close(Ends[0]);
    return noProcess("trying this out in another one");
  }
  std::string Report;
  {
    crash::DeadlinePause Waiting;
    Report = readToEnd(Ends[0]);
  }
  close(Ends[0]);
  StringRef Told(Report);
  if (Told.consume_front(StringRef(Survived, sizeof(Survived))))
    return Told.str();
  return make_error<ReportedFailure>(readReport(Report).error());
}

proto::Reply mlcompiler::readReport(StringRef Bytes) {
  proto::Reply Reply;
  if (Bytes.size() >= sizeof(Survived) &&
      support::endian::read32le(Bytes.data()) ==
          Bytes.size() - sizeof(Survived) &&
      Reply.ParseFromArray(Bytes.data() + sizeof(Survived),
                           static_cast<int>(Bytes.size() - sizeof(Survived))))
    return Reply;
  return errorReply(proto::CRASHED,
                    "the process that tried this out was killed from outside, "
                    "by `kill -9` or for want of memory; the session goes on",
                    /*SessionEnded=*/false);
}

void mlcompiler::conclude(StringRef What) {
  const std::string Bytes =
      std::string(Survived, sizeof(Survived)) + What.str();
  for (size_t Written = 0; Written != Bytes.size();) {
    const ssize_t Now =
        write(Conclusion, Bytes.data() + Written, Bytes.size() - Written);
    if (Now < 0 && errno == EINTR)
      continue;
    if (Now <= 0)
      _exit(1);
    Written += Now;
  }
  _exit(0);
}

Error mlcompiler::rehearse(function_ref<void()> Body) {
  auto Told = lookAhead();
  if (!Told)
    return Told.takeError();
  if (!*Told) {
    Body();
    conclude("");
  }
  return Error::success();
}
