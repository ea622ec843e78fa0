//===- Rehearsal.cpp - What may be the end of a process -------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Rehearsal.h"
#include "CrashReport.h"
#include "Failure.h"
#include "Wire.h"
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

using namespace llvm;
using namespace mlcompiler;

/// The length of a reply, which reports nothing.
static constexpr char Survived[4] = {};

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

Error mlcompiler::rehearse(function_ref<void()> Body) {
  int Ends[2];
  if (pipe2(Ends, O_CLOEXEC))
    return noDescriptor("trying this out in another process");
  const pid_t Pid = fork();
  if (Pid == 0) {
    close(Ends[0]);
    crash::beginRehearsal(Ends[1]);
    Body();
    const bool Told = write(Ends[1], Survived, sizeof(Survived)) > 0;
    _exit(Told ? 0 : 1);
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
  if (Report == StringRef(Survived, sizeof(Survived)))
    return Error::success();
  proto::Reply Reply;
  if (Report.size() > sizeof(Survived) &&
      Reply.ParseFromString(Report.substr(sizeof(Survived))))
    return make_error<ReportedFailure>(Reply.error());
  return fail(proto::CRASHED,
              "the process that tried this out was killed from "
              "outside, by `kill -9` or for want of memory; the "
              "session goes on");
}
