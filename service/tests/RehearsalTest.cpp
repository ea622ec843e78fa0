//===- RehearsalTest.cpp --------------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Rehearsal.h"
#include "CrashReport.h"
#include "Wire.h"
#include <csignal>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

using namespace llvm;
using namespace mlcompiler;

/// The error that a client would get if \p Body were rehearsed.
static proto::Error errorOf(function_ref<void()> Body) {
  crash::install();
  Error E = rehearse(Body);
  if (!E)
    return proto::Error();
  return errorReply(std::move(E), /*SessionEnded=*/false).error();
}

TEST(Rehearsal, SucceedsWhereItSurvives) {
  bool Done = false;
  EXPECT_EQ(errorOf([&] { Done = true; }).code(),
            proto::ERROR_CODE_UNSPECIFIED);
  EXPECT_FALSE(Done) << "it was not done in a fork";
}

TEST(Rehearsal, TellsWhatHappened) {
  proto::Error E = errorOf([] {
    crash::enterPass("code generation", "");
    abort();
  });
  EXPECT_EQ(E.code(), proto::CRASHED);
  EXPECT_EQ(E.signal(), "SIGABRT");
  EXPECT_EQ(E.pass(), "code generation");
  EXPECT_FALSE(E.session_ended());
  EXPECT_NE(E.message().find("the session goes on"), std::string::npos);
}

TEST(Rehearsal, HasTheDeadlineOfTheRequest) {
  crash::install();
  crash::beginRequest(50);
  EXPECT_EQ(errorOf([] {
              while (true)
                pause();
            }).code(),
            proto::DEADLINE_EXCEEDED);
  // No time has passed here, so the rest of the request does not fail at once.
  crash::endRequest();
}

TEST(Rehearsal, HasTheLimitOfMemory) {
  EXPECT_EQ(errorOf([] {
              rlimit Limit{64 << 20, 64 << 20};
              setrlimit(RLIMIT_DATA, &Limit);
              std::vector<std::string> Much;
              while (true)
                Much.emplace_back(1 << 20, 'x');
            }).code(),
            proto::OUT_OF_MEMORY);
}

TEST(Rehearsal, NoticesThatItWasKilled) {
  proto::Error E = errorOf([] { kill(getpid(), SIGKILL); });
  EXPECT_EQ(E.code(), proto::CRASHED);
  EXPECT_NE(E.message().find("killed"), std::string::npos);
}
