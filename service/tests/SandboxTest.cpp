//===- SandboxTest.cpp ----------------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Tries what code could do that has taken over a session.
///
//===----------------------------------------------------------------------===//

#include "Sandbox.h"
#include "CrashReport.h"
#include "Wire.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace llvm;
using namespace mlcompiler;

namespace {

/// How a confined process ended: its exit status, which is 200 if it could not
/// be confined, and its last words.
struct End {
  int Status;
  proto::Error Report;
};

} // namespace

/// Runs \p Body in a process of its own, confined as a session is or as the
/// nursery is.
static End confined(function_ref<int()> Body, bool IsSession = true) {
  int Pair[2];
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, Pair), 0);
  pid_t Pid = fork();
  if (Pid == 0) {
    close(Pair[0]);
    Error E = sandbox::enter(sandbox::Mode::Require);
    if (!E && IsSession)
      E = sandbox::enterSession();
    if (E) {
      errs() << toString(std::move(E)) << '\n';
      _exit(200);
    }
    crash::install();
    crash::reportTo(Pair[1]);
    _exit(Body());
  }
  close(Pair[1]);
  std::string Bytes(4096, '\0');
  ssize_t Size = recv(Pair[0], Bytes.data(), Bytes.size(), MSG_WAITALL);
  close(Pair[0]);
  int Status;
  waitpid(Pid, &Status, 0);
  proto::Reply Reply;
  if (Size > 4)
    EXPECT_TRUE(
        Reply.ParseFromArray(Bytes.data() + 4, static_cast<int>(Size) - 4));
  return {WIFEXITED(Status) ? WEXITSTATUS(Status) : -WTERMSIG(Status),
          Reply.error()};
}

/// The error that \p Call fails with in a session; 0 if it succeeds.
static int errorOf(function_ref<long()> Call, bool IsSession = true) {
  return confined([&] { return Call() < 0 ? errno : 0; }, IsSession).Status;
}

/// The report of a session that has made \p Call.
static proto::Error reportOf(function_ref<long()> Call) {
  End E = confined([&] {
    Call();
    return 100;
  });
  EXPECT_EQ(E.Status, 1);
  EXPECT_EQ(E.Report.code(), proto::CRASHED);
  EXPECT_EQ(E.Report.signal(), "SIGSYS");
  EXPECT_TRUE(E.Report.session_ended());
  return E.Report;
}

TEST(Sandbox, SaysWhatIsInForce) {
  End E = confined([] {
    const sandbox::Status &S = sandbox::status();
    return S.NoNewPrivileges && S.SystemCalls && S.Landlock >= 1 &&
                   S.Missing.empty()
               ? 0
               : 1;
  });
  EXPECT_EQ(E.Status, 0);
}

TEST(Sandbox, OpensNoFile) {
  for (bool IsSession : {true, false}) {
    EXPECT_EQ(errorOf([] { return open("/etc/passwd", O_RDONLY); }, IsSession),
              EACCES);
    EXPECT_EQ(
        errorOf([] { return open("/proc/self/maps", O_RDONLY); }, IsSession),
        EACCES);
    EXPECT_EQ(errorOf([] { return open("/tmp/x", O_WRONLY | O_CREAT, 0600); },
                      IsSession),
              EACCES);
    EXPECT_EQ(errorOf([] { return mkdir("/tmp/x", 0700); }, IsSession), EACCES);
    EXPECT_EQ(errorOf([] { return unlink("/tmp/x"); }, IsSession), EACCES);
    EXPECT_EQ(errorOf([] { return memfd_create("x", 0); }, IsSession), EPERM);
  }
}

TEST(Sandbox, ReportsWhatNoCompilerDoes) {
  proto::Error Report =
      reportOf([] { return socket(AF_INET, SOCK_STREAM, 0); });
  EXPECT_NE(Report.message().find("system call " + std::to_string(SYS_socket)),
            std::string::npos);
  EXPECT_NE(Report.message().find("sandbox"), std::string::npos);
  reportOf([] { return socket(AF_UNIX, SOCK_STREAM, 0); });
  reportOf([] { return execl("/bin/true", "true", nullptr); });
  reportOf([] { return ptrace(PTRACE_ATTACH, getppid(), nullptr, nullptr); });
  reportOf(
      [] { return process_vm_readv(getppid(), nullptr, 0, nullptr, 0, 0); });
  reportOf([] { return unshare(CLONE_NEWUSER); });
}

TEST(Sandbox, SaysWhatWasRunning) {
  proto::Error Report = reportOf([] {
    crash::enterPass("SROAPass", "main");
    return syscall(SYS_bpf, 0, nullptr, 0);
  });
  EXPECT_EQ(Report.pass(), "SROAPass on main");
}

TEST(Sandbox, ForksAndMakesNoThread) {
  EXPECT_EQ(errorOf([] {
              pid_t Pid = fork();
              if (Pid == 0)
                _exit(0);
              return Pid;
            }),
            0);
  EXPECT_EQ(errorOf([] {
              return syscall(SYS_clone,
                             CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
                                 CLONE_THREAD,
                             nullptr, nullptr, nullptr, nullptr);
            }),
            EPERM);
  EXPECT_EQ(errorOf([] {
              return syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr,
                             nullptr, nullptr, nullptr);
            }),
            EPERM);
}

TEST(Sandbox, MapsNoCodeAndNothingUncounted) {
  auto Map = [](int Protection, int Flags) {
    return errorOf([=] {
      void *Address =
          mmap(nullptr, 4096, Protection, Flags | MAP_ANONYMOUS, -1, 0);
      return Address == MAP_FAILED ? -1L : 0L;
    });
  };
  EXPECT_EQ(Map(PROT_READ | PROT_WRITE, MAP_PRIVATE), 0);
  EXPECT_EQ(Map(PROT_READ | PROT_EXEC, MAP_PRIVATE), EPERM);
  EXPECT_EQ(Map(PROT_READ | PROT_WRITE, MAP_SHARED), EPERM);
  EXPECT_EQ(Map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_GROWSDOWN), EPERM);
  EXPECT_EQ(errorOf([] {
              void *Address = mmap(nullptr, 4096, PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              return mprotect(Address, 4096, PROT_READ | PROT_EXEC);
            }),
            EPERM);
}

TEST(Sandbox, RaisesNoLimit) {
  auto Raise = [] {
    rlimit Limit{RLIM_INFINITY, RLIM_INFINITY};
    return setrlimit(RLIMIT_DATA, &Limit);
  };
  EXPECT_EQ(errorOf(Raise), EPERM);
  EXPECT_EQ(errorOf([] {
              rlimit Limit;
              return getrlimit(RLIMIT_DATA, &Limit);
            }),
            0);
}

TEST(Sandbox, SignalsNobodyElse) {
  int Parent = getpid();
  EXPECT_EQ(errorOf([=] { return kill(Parent, 0); }), EPERM);
  EXPECT_EQ(
      errorOf([=] { return syscall(SYS_tgkill, Parent, Parent, SIGKILL); }),
      EPERM);
  End E = confined([=] {
    if (sandbox::status().Landlock < 6)
      return 0; // The kernel does not know how.
    return syscall(SYS_tgkill, Parent, Parent, SIGABRT) < 0 ? 0 : 1;
  });
  EXPECT_EQ(E.Status, 0);
  // A process may signal itself.
  E = confined([]() -> int { abort(); });
  EXPECT_EQ(E.Report.signal(), "SIGABRT");
}

TEST(Sandbox, OnlyTheNurseryMakesSocketsForClients) {
  auto MakePair = [] {
    int Pair[2];
    return socketpair(AF_UNIX, SOCK_STREAM, 0, Pair);
  };
  EXPECT_EQ(errorOf(MakePair, /*IsSession=*/false), 0);
  EXPECT_EQ(errorOf(MakePair), EPERM);
  EXPECT_EQ(errorOf([] { return sendDescriptors(0, 1, "x") ? 0 : -1; }), EPERM);
}

TEST(Sandbox, CanBeLeftOut) {
  pid_t Pid = fork();
  if (Pid == 0) {
    cantFail(sandbox::enter(sandbox::Mode::Off));
    cantFail(sandbox::enterSession());
    const sandbox::Status &S = sandbox::status();
    _exit(open("/etc/passwd", O_RDONLY) >= 0 && !S.SystemCalls && !S.Landlock &&
                  S.Missing.size() == 1
              ? 0
              : 1);
  }
  int Status;
  waitpid(Pid, &Status, 0);
  EXPECT_EQ(Status, 0);
}
