//===- Policies.cpp - The policies that a compile is told of --------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Policies.h"
#include "policy/PolicyFile.h"
#include "tasks/CallSiteAdvisor.h"
#include "tasks/EvictionAdvisor.h"
#include "tasks/PriorityAdvisor.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include <array>
#include <cstdlib>

using namespace llvm;
using namespace mlcompiler;

static constexpr char Variable[] = "MLCOMPILER_GYM_POLICY";
static constexpr char OptionName[] = "mlcompiler-gym-policy";

static cl::list<std::string>
    Given(StringRef(OptionName), cl::value_desc("file or name"),
          cl::desc("Policies of mlcompiler_gym, by file or name, with ':' in "
                   "between; instead of what MLCOMPILER_GYM_POLICY "
                   "names"));

static cl::opt<uint64_t>
    GivenSeed("mlcompiler-gym-seed", cl::init(0),
              cl::desc("Seed of a policy of mlcompiler_gym that draws its "
                       "decisions"));

/// The kinds of decision that a plugin can take. A name without a task is for
/// the first.
static const std::array<const policy::Kind *, 3> &kinds() {
  static const std::array<const policy::Kind *, 3> All = {
      &inliningKind(), &evictionKind(), &priorityKind()};
  return All;
}

/// Whether an entry is a file; otherwise it is a name: "always",
/// "regalloc_eviction=inactive".
static bool isFile(StringRef Entry) {
  return Entry.ends_with(".policy") || Entry.contains('/');
}

/// Reads a file, but no more bytes than a policy may have, and nothing without
/// an end. If it cannot, returns null and says why in \p Why.
static std::unique_ptr<MemoryBuffer> readFile(StringRef Path,
                                              std::string &Why) {
  sys::fs::file_status Status;
  if (std::error_code Error = sys::fs::status(Path, Status)) {
    Why = "it cannot be read: " + Error.message();
    return nullptr;
  }
  if (Status.type() != sys::fs::file_type::regular_file) {
    Why = "it is not a regular file";
    return nullptr;
  }
  if (Status.getSize() > policy::MaxFileBytes) {
    Why = "it has " + std::to_string(Status.getSize()) +
          " bytes; a policy has at most " +
          std::to_string(policy::MaxFileBytes);
    return nullptr;
  }
  auto Contents = MemoryBuffer::getFile(Path, /*IsText=*/false,
                                        /*RequiresNullTerminator=*/false,
                                        /*IsVolatile=*/true);
  if (Contents)
    return std::move(*Contents);
  Why = "it cannot be read: " + Contents.getError().message();
  return nullptr;
}

Policies &Policies::get() {
  static Policies ThisProcess;
  return ThisProcess;
}

Policies::Policies() : Seed(GivenSeed) {
  const char *Environment = std::getenv(Variable);
  std::string Listed = !Given.empty() ? join(Given, ":")
                       : Environment  ? std::string(Environment)
                                      : std::string();
  SmallVector<StringRef> Entries;
  StringRef(Listed).split(Entries, ':', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  for (StringRef Entry : Entries)
    read(Entry);
}

void Policies::read(StringRef Entry) {
  NamedFile Read;
  Read.Name = Entry.str();
  if (!isFile(Entry)) {
    auto [Task, Name] = Entry.rsplit('=');
    Read.Policy.Task = Name.empty() ? "" : Task.str();
    Read.Policy.Builtin = Name.empty() ? Task.str() : Name.str();
  } else if (!readPolicy(Read)) {
    return;
  }
  std::string &Task = Read.Policy.Task;
  if (Task.empty())
    Task = kinds().front()->Task;
  if (none_of(kinds(),
              [&](const policy::Kind *K) { return K->Task == Task; })) {
    auto Known = map_range(
        kinds(), [](const policy::Kind *K) -> StringRef { return K->Task; });
    return complain(Entry, "it decides " + Task + ", and a plugin " +
                               join(Known, ", ") +
                               "; mlcg-clang can be used for the others");
  }
  auto Other = llvm::find_if(
      Files, [&](const NamedFile &F) { return F.Policy.Task == Task; });
  if (Other == Files.end()) {
    Files.push_back(std::move(Read));
    return;
  }
  complain(Entry, "'" + Other->Name + "' decides " + Task +
                      ", too; give one policy for each task");
  // Neither policy takes precedence.
  Other->Policy.Builtin = "llvm";
}

bool Policies::readPolicy(NamedFile &Read) {
  std::string Why;
  std::unique_ptr<MemoryBuffer> Contents = readFile(Read.Name, Why);
  if (Contents && policy::readPolicy(
                      {Contents->getBufferStart(), Contents->getBufferSize()},
                      Read.Policy, Why))
    return true;
  complain(Read.Name, Why);
  return false;
}

const NamedFile *Policies::find(const policy::Kind &K) const {
  auto Found = llvm::find_if(
      Files, [&](const NamedFile &F) { return F.Policy.Task == K.Task; });
  return Found == Files.end() ? nullptr : &*Found;
}

std::unique_ptr<FittedPolicy> Policies::fit(const policy::Kind &K,
                                            ArrayRef<TensorSpec> Known) {
  const NamedFile *File = find(K);
  // The policy "llvm" would only repeat what LLVM decides by itself.
  if (!File || File->Policy.Builtin == "llvm")
    return nullptr;
  auto Fitted = std::make_unique<FittedPolicy>();
  Fitted->Name = File->Name;
  Fitted->IsDrawn = File->Policy.Builtin == "random";
  size_t Next = 0;
  auto Find = [&](const std::string &Name, policy::Place &Found,
                  std::string &Why) {
    const auto *Spec = llvm::find_if(
        Known, [&](const TensorSpec &Each) { return Each.name() == Name; });
    if (Spec == Known.end()) {
      Why = "'" + Name + "' is no feature of " + K.Task +
            " that a plugin computes";
      return false;
    }
    Found = {Next, Spec->getElementCount()};
    Next += Found.Elements;
    Fitted->Features.push_back(*Spec);
    return true;
  };
  std::string Why;
  Fitted->Decides =
      policy::Decider::create(File->Policy, K, /*HasSeed=*/true, Find, Why);
  if (Fitted->Decides)
    return Fitted;
  complain(File->Name, Why);
  return nullptr;
}

void Policies::complain(StringRef Name, const Twine &Why) {
  std::string Complaint =
      ("mlcompiler_gym: the policy '" + Name +
       "' is not used, and LLVM decides by itself: " + Why +
       ". Give another to -" + OptionName + " or " + Variable + ", or none")
          .str();
  std::lock_guard<std::mutex> Guard(Lock);
  if (Known.insert(Complaint).second)
    Complaints.push_back(std::move(Complaint));
}

bool Policies::hasComplaints() {
  std::lock_guard<std::mutex> Guard(Lock);
  return !Complaints.empty();
}

void Policies::report(LLVMContext &Context) {
  std::vector<std::string> Said;
  {
    std::lock_guard<std::mutex> Guard(Lock);
    Said.swap(Complaints);
  }
  for (const std::string &Each : Said)
    Context.diagnose(DiagnosticInfoGeneric(Each, DS_Warning));
}
