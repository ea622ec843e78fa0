//===- Sandbox.cpp - What sessions cannot do ------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Sandbox.h"
#include "Failure.h"
#include "mlcompiler_gym/v1/compiler_service.pb.h"
#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace llvm;
using namespace mlcompiler;
namespace proto = mlcompiler_gym::v1;

static sandbox::Status InForce;
static bool Entered;
/// Forbids everything. Each session enters it once more, so that it cannot
/// signal another session.
static int Ruleset = -1;

const sandbox::Status &sandbox::status() { return InForce; }

namespace {

/// struct landlock_ruleset_attr of Landlock's sixth version. Debian 12's header
/// knows the first, and older kernels take as much of it as they know.
struct RulesetAttributes {
  uint64_t Files;
  uint64_t Network;
  uint64_t Scoped;
};

} // namespace

static Error systemError(const Twine &What) {
  return createStringError(What + ": " + strerror(errno));
}

/// Makes the ruleset, and returns the version of the interface.
static Expected<int> restrictAccess() {
  const long Version =
      syscall(SYS_landlock_create_ruleset, nullptr, size_t(0),
              static_cast<uint32_t>(LANDLOCK_CREATE_RULESET_VERSION));
  if (Version < 1)
    return systemError("Landlock");
  // The number of kinds of access to files that each version knows. Renaming
  // between folders came with the second version, truncating with the third,
  // ioctl on devices with the fifth.
  const unsigned Kinds = Version >= 5 ? 16 : Version >= 3 ? 15 : Version + 12;
  RulesetAttributes Attributes{};
  Attributes.Files = (uint64_t(1) << Kinds) - 1;
  size_t Size = sizeof(Attributes.Files);
  if (Version >= 4) {
    Attributes.Network = 3; // To bind and to connect over TCP.
    Size += sizeof(Attributes.Network);
  }
  if (Version >= 6) {
    Attributes.Scoped = 3; // Abstract Unix sockets and signals.
    Size += sizeof(Attributes.Scoped);
  }
  // The ruleset has no rule that allows anything.
  Ruleset = static_cast<int>(
      syscall(SYS_landlock_create_ruleset, &Attributes, Size, uint32_t(0)));
  if (Ruleset < 0 ||
      syscall(SYS_landlock_restrict_self, Ruleset, uint32_t(0)) < 0)
    return systemError("Landlock");
  return static_cast<int>(Version);
}

/// Lowers a limit, unless it is lower already.
static void lowerLimit(__rlimit_resource Resource, rlim_t Most) {
  rlimit Limit;
  getrlimit(Resource, &Limit);
  Limit.rlim_max = std::min(Limit.rlim_max, Most);
  Limit.rlim_cur = std::min(Limit.rlim_cur, Limit.rlim_max);
  setrlimit(Resource, &Limit);
}

Error sandbox::enter(Mode Wanted) {
  if (Wanted == Mode::Off) {
    InForce.Missing.push_back("the sandbox is turned off");
    return Error::success();
  }
  Entered = true;
  // A core dump would hold what other clients have uploaded.
  lowerLimit(RLIMIT_CORE, 0);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    InForce.Missing.push_back(toString(systemError("no_new_privs")));
  else
    InForce.NoNewPrivileges = true;
  if (auto Version = restrictAccess())
    InForce.Landlock = *Version;
  else
    InForce.Missing.push_back(toString(Version.takeError()));
  if (Error E = filter::load())
    InForce.Missing.push_back(toString(std::move(E)));
  else
    InForce.SystemCalls = true;
  if (Wanted == Mode::Require && !InForce.SystemCalls)
    return createStringError("session processes cannot be sandboxed here (" +
                             InForce.Missing.back() +
                             "), and --sandbox=require says that they must be");
  return Error::success();
}

Error sandbox::enterSession() {
  if (!Entered)
    return Error::success();
  // Deep recursion takes a large stack, which counts for no other limit of
  // memory.
  lowerLimit(RLIMIT_STACK, rlim_t(64) << 20);
  // A session has the standard streams, the client's socket, the nursery's, and
  // the sockets that requests bring.
  lowerLimit(RLIMIT_NOFILE, 64);
  if (Ruleset >= 0) {
    if (syscall(SYS_landlock_restrict_self, Ruleset, uint32_t(0)) < 0)
      return fail(proto::RESOURCE_EXHAUSTED, toString(systemError("Landlock")));
    close(std::exchange(Ruleset, -1));
  }
  if (InForce.SystemCalls)
    if (Error E = filter::loadSession())
      return fail(proto::RESOURCE_EXHAUSTED, toString(std::move(E)));
  return Error::success();
}
