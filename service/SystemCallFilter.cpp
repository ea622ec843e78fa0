//===- SystemCallFilter.cpp - The system calls that compiling takes -------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Two seccomp filters. The first lets through only what the nursery and
/// sessions do. The second is small, and takes from sessions what only the
/// nursery does.
///
/// Calls that LLVM or libc may try are refused with an error, which they can
/// deal with. Calls that no compiler makes end the process; see
/// CrashReport.cpp.
///
/// The calls that a step makes are let through without a look at their
/// arguments. The kernel remembers such calls, so that they cost no more than
/// without a filter.
///
//===----------------------------------------------------------------------===//

#include "Sandbox.h"
#include "llvm/ADT/ScopeExit.h"
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace llvm;
using namespace mlcompiler;

/// Calls that are allowed with any arguments.
static constexpr int Allowed[] = {
    // Memory.
    SCMP_SYS(brk), SCMP_SYS(madvise), SCMP_SYS(mremap), SCMP_SYS(munmap),
    // Descriptors that there are.
    SCMP_SYS(close), SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3),
    SCMP_SYS(fstat), SCMP_SYS(lseek), SCMP_SYS(poll), SCMP_SYS(ppoll),
    SCMP_SYS(pread64), SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(write),
    SCMP_SYS(writev),
    // To hear from a fork.
    SCMP_SYS(pipe2),
    // Sockets that there are.
    SCMP_SYS(getsockopt), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg),
    SCMP_SYS(sendmsg), SCMP_SYS(sendto), SCMP_SYS(shutdown),
    // The process itself.
    SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(futex), SCMP_SYS(getcwd),
    SCMP_SYS(getpid), SCMP_SYS(getppid), SCMP_SYS(getrandom),
    SCMP_SYS(getrusage), SCMP_SYS(gettid), SCMP_SYS(prlimit64),
    SCMP_SYS(restart_syscall), SCMP_SYS(rseq), SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_yield),
    SCMP_SYS(set_robust_list), SCMP_SYS(setrlimit), SCMP_SYS(getrlimit),
    SCMP_SYS(sigaltstack), SCMP_SYS(sysinfo), SCMP_SYS(uname),
    // Time.
    SCMP_SYS(clock_getres), SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep),
    SCMP_SYS(getitimer), SCMP_SYS(gettimeofday), SCMP_SYS(nanosleep),
    SCMP_SYS(setitimer), SCMP_SYS(time), SCMP_SYS(times),
    // To confine itself further.
    SCMP_SYS(landlock_restrict_self), SCMP_SYS(seccomp)};

/// Passes that write files, and assembly that includes files, get the error
/// that they would get in a folder of another user.
static constexpr int NoAccess[] = {
    SCMP_SYS(access),     SCMP_SYS(creat),    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2), SCMP_SYS(lstat),    SCMP_SYS(mkdir),
    SCMP_SYS(mkdirat),    SCMP_SYS(open),     SCMP_SYS(openat),
    SCMP_SYS(openat2),    SCMP_SYS(readlink), SCMP_SYS(readlinkat),
    SCMP_SYS(rename),     SCMP_SYS(renameat), SCMP_SYS(renameat2),
    SCMP_SYS(stat),       SCMP_SYS(statx),    SCMP_SYS(unlink),
    SCMP_SYS(unlinkat)};

/// A process that makes one of these calls is no compiler any more.
static constexpr int Fatal[] = {
    // Other programs.
    SCMP_SYS(execve), SCMP_SYS(execveat),
    // The network.
    SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(bind), SCMP_SYS(connect),
    SCMP_SYS(listen), SCMP_SYS(socket),
    // Other processes.
    SCMP_SYS(pidfd_getfd), SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev), SCMP_SYS(ptrace),
    // The machine.
    SCMP_SYS(bpf), SCMP_SYS(chroot), SCMP_SYS(delete_module),
    SCMP_SYS(finit_module), SCMP_SYS(init_module), SCMP_SYS(io_uring_setup),
    SCMP_SYS(kexec_load), SCMP_SYS(keyctl), SCMP_SYS(mount),
    SCMP_SYS(perf_event_open), SCMP_SYS(pivot_root), SCMP_SYS(setgid),
    SCMP_SYS(setns), SCMP_SYS(setresgid), SCMP_SYS(setresuid), SCMP_SYS(setuid),
    SCMP_SYS(umount2), SCMP_SYS(unshare), SCMP_SYS(userfaultfd)};

namespace {

/// A filter in the making, which remembers the first thing that went wrong.
class Filter {
public:
  explicit Filter(uint32_t Otherwise) : Context(seccomp_init(Otherwise)) {
    if (!Context)
      Failed = -ENOMEM;
    // Without this, older kernels slow down everything that the process
    // computes. They would protect it from untrusted code within it, which it
    // does not run.
    seccomp_attr_set(Context, SCMP_FLTATR_CTL_SSB, 1);
  }
  Filter(const Filter &) = delete;
  Filter &operator=(const Filter &) = delete;
  ~Filter() { seccomp_release(Context); }

  void add(uint32_t Action, ArrayRef<int> Calls) {
    for (int Call : Calls)
      add(Action, Call, {});
  }
  void add(uint32_t Action, int Call, ArrayRef<scmp_arg_cmp> Arguments) {
    if (Failed)
      return;
    // A call that an architecture does not have is not an error.
    int Result = seccomp_rule_add_array(Context, Action, Call,
                                        static_cast<unsigned>(Arguments.size()),
                                        Arguments.data());
    if (Result != -EDOM)
      Failed = Result;
  }

  Error load() {
    if (!Failed)
      Failed = seccomp_load(Context);
    return result();
  }

  /// The filter as the kernel takes it.
  Error compile(std::vector<sock_filter> &Program) {
    // The filter goes through a pipe, because a user's limit on the size of
    // files holds for everything else. The largest filter that the kernel takes
    // fills half of a pipe. The pipe does not wait, because users with many
    // pipes get smaller ones.
    int Ends[2];
    if (pipe2(Ends, O_CLOEXEC | O_NONBLOCK))
      return createStringError(Twine("seccomp: ") + strerror(errno));
    scope_exit Close([&Ends] {
      close(Ends[0]);
      close(Ends[1]);
    });
    if (!Failed)
      Failed = seccomp_export_bpf(Context, Ends[1]);
    if (Error E = result())
      return E;
    Program.resize(BPF_MAXINSNS);
    ssize_t Bytes =
        read(Ends[0], Program.data(), Program.size() * sizeof(sock_filter));
    Program.resize(std::max<ssize_t>(Bytes, 0) / sizeof(sock_filter));
    if (Program.empty())
      return createStringError("seccomp: a filter cannot be kept");
    return Error::success();
  }

private:
  Error result() const {
    if (!Failed)
      return Error::success();
    return createStringError(Twine("seccomp: ") + strerror(-Failed));
  }

  scmp_filter_ctx Context;
  int Failed = 0;
};

} // namespace

static scmp_arg_cmp has(unsigned Argument, uint64_t Mask, uint64_t Value) {
  return {Argument, SCMP_CMP_MASKED_EQ, Mask, Value};
}

static scmp_arg_cmp is(unsigned Argument, uint64_t Value) {
  return {Argument, SCMP_CMP_EQ, Value, 0};
}

/// Lets a process be copied, but not make threads or namespaces.
static void allowFork(Filter &To) {
  constexpr uint64_t Harmless = CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID;
  To.add(SCMP_ACT_ALLOW, SCMP_SYS(clone), has(0, ~Harmless, SIGCHLD));
  // The arguments of clone3 lie in memory, where a filter cannot see them. libc
  // then tries clone.
  To.add(SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), {});
}

/// Lets a process have private memory without code in it, which its limit
/// counts.
static void allowMemory(Filter &To) {
  To.add(SCMP_ACT_ALLOW, SCMP_SYS(mmap),
         {has(2, PROT_EXEC, 0), has(3, MAP_SHARED | MAP_GROWSDOWN, 0)});
  To.add(SCMP_ACT_ALLOW, SCMP_SYS(mprotect),
         has(2, PROT_EXEC | PROT_GROWSDOWN, 0));
}

static std::vector<sock_filter> SessionProgram;

Error sandbox::filter::load() {
  Filter Session(SCMP_ACT_ALLOW);
  // These calls hand clients over, or could raise a limit of memory.
  Session.add(SCMP_ACT_ERRNO(EPERM),
              {SCMP_SYS(sendmsg), SCMP_SYS(setrlimit), SCMP_SYS(socketpair)});
  Session.add(SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prlimit64),
              scmp_arg_cmp{2, SCMP_CMP_NE, 0, 0});
  if (Error E = Session.compile(SessionProgram))
    return E;

  Filter All(SCMP_ACT_ERRNO(EPERM));
  All.add(SCMP_ACT_ALLOW, Allowed);
  All.add(SCMP_ACT_ERRNO(EACCES), NoAccess);
  All.add(SCMP_ACT_TRAP, Fatal);
  allowFork(All);
  allowMemory(All);
  All.add(SCMP_ACT_ALLOW, SCMP_SYS(socketpair), is(0, AF_UNIX));
  // fstat() is this call in newer libcs.
  All.add(SCMP_ACT_ALLOW, SCMP_SYS(newfstatat),
          has(3, AT_EMPTY_PATH, AT_EMPTY_PATH));
  // A copy ends with the process that it was copied from.
  All.add(SCMP_ACT_ALLOW, SCMP_SYS(prctl), is(0, PR_SET_PDEATHSIG));
  // Is it a terminal?
  All.add(SCMP_ACT_ALLOW, SCMP_SYS(ioctl), is(1, TCGETS));
  for (int Command : {F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC})
    All.add(SCMP_ACT_ALLOW, SCMP_SYS(fcntl), is(1, Command));
  // abort() signals its own process. Landlock makes sure that it can signal no
  // other.
  All.add(SCMP_ACT_ALLOW, SCMP_SYS(tgkill), is(2, SIGABRT));
  return All.load();
}

Error sandbox::filter::loadSession() {
  sock_fprog Program{static_cast<unsigned short>(SessionProgram.size()),
                     SessionProgram.data()};
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
              SECCOMP_FILTER_FLAG_SPEC_ALLOW, &Program))
    return createStringError(Twine("seccomp: ") + strerror(errno));
  return Error::success();
}
