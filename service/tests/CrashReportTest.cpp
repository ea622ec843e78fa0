//===- CrashReportTest.cpp ------------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "CrashReport.h"
#include "Conversation.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/ErrorHandling.h"
#include <csignal>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace llvm;
using namespace mlcompiler;

/// Runs \p Body in a process of its own and returns what it reports as it dies.
static proto::Error reportOf(function_ref<void()> Body) {
  int Pair[2];
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, Pair), 0);
  pid_t Pid = fork();
  if (Pid == 0) {
    close(Pair[0]);
    crash::install();
    crash::reportTo(Pair[1]);
    Body();
    _exit(0);
  }
  close(Pair[1]);
  std::string Bytes(4096, '\0');
  ssize_t Size = recv(Pair[0], Bytes.data(), Bytes.size(), MSG_WAITALL);
  close(Pair[0]);
  waitpid(Pid, nullptr, 0);
  proto::Reply Reply;
  EXPECT_GT(Size, 4);
  EXPECT_TRUE(
      Reply.ParseFromArray(Bytes.data() + 4, static_cast<int>(Size) - 4));
  EXPECT_TRUE(Reply.error().session_ended());
  return Reply.error();
}

/// Recurses until the stack is full, since no frame begins with -1.
__attribute__((noinline)) static int overflow(volatile char *Above) {
  volatile char Frame[4096];
  Frame[0] = *Above;
  if (Frame[0] == -1)
    return 0;
  return overflow(Frame) + Frame[0];
}

TEST(CrashReport, NamesSignalAndPass) {
  proto::Error E = reportOf([] {
    crash::enterPass("SROAPass", "main");
    raise(SIGSEGV);
  });
  EXPECT_EQ(E.code(), proto::CRASHED);
  EXPECT_EQ(E.signal(), "SIGSEGV");
  EXPECT_EQ(E.pass(), "SROAPass on main");
}

TEST(CrashReport, SurvivesAStackOverflow) {
  proto::Error E = reportOf([] {
    volatile char Top = 0;
    overflow(&Top);
  });
  EXPECT_EQ(E.code(), proto::CRASHED);
  EXPECT_EQ(E.signal(), "SIGSEGV");
}

TEST(CrashReport, TellsLLVMsReason) {
  proto::Error E = reportOf([] { report_fatal_error("no such register"); });
  EXPECT_EQ(E.code(), proto::CRASHED);
  EXPECT_EQ(E.signal(), "");
  EXPECT_NE(E.message().find("no such register"), std::string::npos);
}

TEST(CrashReport, ReportsWantOfMemory) {
  proto::Error E = reportOf([] {
    rlimit Limit{64 << 20, 64 << 20};
    setrlimit(RLIMIT_DATA, &Limit);
    std::vector<std::string> Much;
    while (true)
      Much.emplace_back(1 << 20, 'x');
  });
  EXPECT_EQ(E.code(), proto::OUT_OF_MEMORY);
}

TEST(CrashReport, EndsARequestAtItsDeadline) {
  proto::Error E = reportOf([] {
    crash::beginRequest(20);
    crash::enterPass("SlowPass", "");
    while (true)
      pause();
  });
  EXPECT_EQ(E.code(), proto::DEADLINE_EXCEEDED);
  EXPECT_NE(E.message().find("20 ms"), std::string::npos);
  EXPECT_EQ(E.pass(), "SlowPass");
}

TEST(CrashReport, ADeadlineIsOfOneRequest) {
  proto::Error E = reportOf([] {
    crash::beginRequest(30);
    crash::endRequest();
    usleep(60000);
    crash::beginRequest(0);
    usleep(60000);
    raise(SIGABRT);
  });
  EXPECT_EQ(E.signal(), "SIGABRT");
}

TEST(CrashReport, KeepsNamesThatAreNotText) {
  proto::Error E = reportOf([] {
    crash::enterPass("SROAPass", std::string(1000, '\xe9'));
    raise(SIGILL);
  });
  EXPECT_EQ(E.signal(), "SIGILL");
  EXPECT_EQ(E.pass().rfind("SROAPass on ???", 0), 0u);
}

TEST(CrashReport, AnActivityGivesWayToWhatRanBefore) {
  proto::Error E = reportOf([] {
    crash::enterPass("InlinerPass", "f");
    {
      crash::Activity Measuring("code generation");
    }
    raise(SIGFPE);
  });
  EXPECT_EQ(E.pass(), "InlinerPass on f");
}

TEST(CrashReport, IsNotWrittenIntoAReply) {
  int Pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, Pair), 0);
  const pid_t Pid = fork();
  if (Pid == 0) {
    close(Pair[0]);
    crash::install();
    Conversation Client{Channel(Pair[1])};
    Client.answer().mutable_emit()->set_data(std::string(1 << 20, 'x'));
    Client.reply();
    _exit(0);
  }
  close(Pair[1]);
  // The socket is full, and the rest of the reply waits.
  char Byte;
  ASSERT_EQ(recv(Pair[0], &Byte, 1, MSG_PEEK), 1);
  for (int Before = -1, Now = 0; Before != Now; usleep(20000)) {
    Before = Now;
    ASSERT_EQ(ioctl(Pair[0], FIONREAD, &Now), 0);
  }
  kill(Pid, SIGTERM);
  usleep(20000);
  std::string Bytes(2 << 20, '\0');
  const ssize_t Size = recv(Pair[0], Bytes.data(), Bytes.size(), MSG_WAITALL);
  close(Pair[0]);
  waitpid(Pid, nullptr, 0);
  ASSERT_GT(Size, 100000);
  ASSERT_LT(Size, 1 << 20);
  EXPECT_EQ(Bytes[Size - 1], 'x');
}

TEST(CrashReport, IsNotOfAFork) {
  proto::Error E = reportOf([] {
    const pid_t Pid = fork();
    if (Pid == 0)
      raise(SIGSEGV);
    waitpid(Pid, nullptr, 0);
    raise(SIGTERM);
  });
  EXPECT_EQ(E.signal(), "SIGTERM");
}
