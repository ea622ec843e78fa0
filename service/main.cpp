//===- main.cpp - The compiler service ------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "CodeCache.h"
#include "EmbeddedBitcode.h"
#include "Nursery.h"
#include "Sandbox.h"
#include "Vocabularies.h"
#include "llvm/CodeGen/CommandFlags.h"
#include "llvm/InitializePasses.h"
#include "llvm/PassRegistry.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include <csignal>
#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

using namespace llvm;
using namespace mlcompiler;

static codegen::RegisterCodeGenFlags CodeGenFlags;

static cl::OptionCategory ServiceOptions("Service options");
static cl::opt<int>
    ControlSocket("control-fd", cl::cat(ServiceOptions), cl::init(-1),
                  cl::value_desc("descriptor"),
                  cl::desc("SOCK_SEQPACKET socket on which clients arrive"));
static cl::opt<size_t>
    ProgramBytes("program-bytes", cl::cat(ServiceOptions),
                 cl::init(Nursery::Limits().ProgramBytes),
                 cl::value_desc("bytes"),
                 cl::desc("Keep at most this much of uploaded programs"));
static cl::opt<size_t>
    NurseryBytes("nursery-bytes", cl::cat(ServiceOptions),
                 cl::init(Nursery::Limits().Bytes), cl::value_desc("bytes"),
                 cl::desc("Hold at most this much for clients beside programs: "
                          "requests that have not arrived whole or wait, and "
                          "replies that the client does not take"));
static cl::opt<size_t>
    ParkedLimit("parked-sessions", cl::cat(ServiceOptions),
                cl::init(Nursery::Limits().Parked), cl::value_desc("n"),
                cl::desc("Keep at most n sessions parked at their first "
                         "decision"));
static cl::opt<size_t> CodeCacheBytes(
    "code-cache-bytes", cl::cat(ServiceOptions), cl::init(size_t(16) << 20),
    cl::value_desc("bytes"),
    cl::desc("Remember this much of the code of functions, for sessions that "
             "measure its size; 0: nothing is shared between sessions"));
static cl::opt<sandbox::Mode> SandboxMode(
    "sandbox", cl::cat(ServiceOptions), cl::init(sandbox::Mode::Auto),
    cl::desc("Keep sessions from files, network and other processes:"),
    cl::values(clEnumValN(sandbox::Mode::Auto, "auto",
                          "as far as the kernel can"),
               clEnumValN(sandbox::Mode::Require, "require",
                          "or end with status 3 if it cannot"),
               clEnumValN(sandbox::Mode::Off, "off", "not at all")));
static cl::opt<bool>
    QuietSessions("quiet-sessions", cl::cat(ServiceOptions),
                  cl::desc("Drop what LLVM prints in sessions, which a program "
                           "can have it print, instead of passing it on to "
                           "stderr"));
static cl::opt<std::string>
    Vocabularies("vocabularies", cl::cat(ServiceOptions),
                 cl::value_desc("folder"),
                 cl::desc("Folder that has the vocabularies of IR2Vec and "
                          "MIR2Vec"));
static cl::opt<std::string> ExtractFrom(
    "extract-bitcode", cl::cat(ServiceOptions), cl::value_desc("file"),
    cl::desc("Write the modules that a bitcode file, object, executable or "
             "archive holds to --output, name them on stdout, and end"));
static cl::opt<std::string> OutputFolder("output", cl::cat(ServiceOptions),
                                         cl::value_desc("folder"));

/// Redirects standard streams: LLVM sometimes prints to stdout, and no client
/// should see that.
static void redirectStandardStreams() {
  int Null = open("/dev/null", O_RDWR | O_CLOEXEC);
  dup2(Null, STDIN_FILENO);
  dup2(STDERR_FILENO, STDOUT_FILENO);
  close(Null);
}

static void initializeLLVM() {
#define INITIALIZE(TARGET)                                                     \
  LLVMInitialize##TARGET##TargetInfo();                                        \
  LLVMInitialize##TARGET##Target();                                            \
  LLVMInitialize##TARGET##TargetMC();                                          \
  LLVMInitialize##TARGET##AsmPrinter();                                        \
  LLVMInitialize##TARGET##AsmParser();
  // Debian's headers know every target of LLVM, but only these are linked in.
  INITIALIZE(X86)
  INITIALIZE(AArch64)
#undef INITIALIZE
  PassRegistry &Registry = *PassRegistry::getPassRegistry();
  initializeCore(Registry);
  initializeAnalysis(Registry);
  initializeTransformUtils(Registry);
  initializeCodeGen(Registry);
  initializeTarget(Registry);
}

int main(int argc, char **argv) {
  cl::SetVersionPrinter([](raw_ostream &OS) {
    OS << "mlcompiler-service " MLCOMPILER_GYM_VERSION " (LLVM "
       << LLVM_VERSION_STRING << ")\n";
  });
  cl::HideUnrelatedOptions(ServiceOptions);
  cl::ParseCommandLineOptions(
      argc, argv,
      "The compiler service of mlcompiler_gym.\n\n"
      "Started by the Python package, which hands it the control socket.\n");
  if (!ExtractFrom.empty()) {
    if (Error E = extractBitcode(ExtractFrom, OutputFolder, outs())) {
      errs() << toString(std::move(E)) << '\n';
      return 1;
    }
    return 0;
  }
  if (ControlSocket < 0) {
    errs() << "mlcompiler-service: no --control-fd: this program is started by "
              "the Python package mlcompiler_gym\n";
    return 2;
  }
  // LLVM warns on stderr, which may be a pipe without a reader, or a file that
  // may not grow.
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
  fcntl(ControlSocket, F_SETFD, FD_CLOEXEC);
  redirectStandardStreams();
  // A session that outlives the one it was forked from becomes a child of this
  // process, whose children the kernel reaps. Otherwise it would become a child
  // of process 1. In a container that may be Python, where zombies would gather
  // until no process can be made.
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  initializeLLVM();
  readVocabularies(Vocabularies);
  codecache::reserve(CodeCacheBytes);
  if (Error E = sandbox::enter(SandboxMode)) {
    errs() << "mlcompiler-service: " << toString(std::move(E)) << '\n';
    return 3;
  }
  Nursery::Limits Bounds;
  Bounds.ProgramBytes = ProgramBytes;
  Bounds.Bytes = NurseryBytes;
  Bounds.Parked = ParkedLimit;
  Bounds.Quiet = QuietSessions;
  Nursery(ControlSocket, Bounds).run();
  return 0;
}
