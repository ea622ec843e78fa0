//===- Compilation.cpp - One module on its way to machine code ------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Compilation.h"
#include "CrashReport.h"
#include "llvm/Analysis/LazyCallGraph.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/CodeGen/CommandFlags.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Verifier.h"
#include "llvm/IRReader/IRReader.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/StandardInstrumentations.h"
#include "llvm/Support/SaveAndRestore.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/TargetParser/Host.h"

using namespace llvm;
using namespace mlcompiler;

/// Keeps errors instead of printing them and leaving the process.
static void collectErrors(const DiagnosticInfo *DI, void *Collected) {
  if (DI->getSeverity() != DS_Error)
    return;
  raw_string_ostream OS(*static_cast<std::string *>(Collected));
  DiagnosticPrinterRawOStream Printer(OS);
  DI->print(Printer);
  OS << '\n';
}

/// As `opt` and `llc` make it, except that a module that says it is
/// position-independent is compiled so without being told.
static Expected<std::unique_ptr<TargetMachine>>
createTarget(const Triple &TheTriple, StringRef CPU, const Module &M,
             CodeGenOptLevel Level) {
  std::string Message;
  const Target *T = TargetRegistry::lookupTarget(TheTriple, Message);
  if (!T)
    return fail(proto::INVALID_ARGUMENT,
                "no code can be generated for target '" + TheTriple.str() +
                    "'; see DescribeReply.targets");
  // A target machine of an unknown cpu prints its complaint instead of failing.
  std::unique_ptr<MCSubtargetInfo> Generic(
      T->createMCSubtargetInfo(TheTriple, "", ""));
  if (!CPU.empty() && !Generic->isCPUStringValid(CPU))
    return fail(proto::INVALID_ARGUMENT, "unknown cpu '" + CPU +
                                             "' for target '" +
                                             TheTriple.str() + "'");
  std::optional<Reloc::Model> Relocation;
  if (M.getPICLevel() != PICLevel::NotPIC)
    Relocation = Reloc::PIC_;
  return std::unique_ptr<TargetMachine>(T->createTargetMachine(
      TheTriple, CPU, codegen::getFeaturesStr(),
      codegen::InitTargetOptionsFromCodeGenFlags(TheTriple), Relocation,
      M.getCodeModel(), Level));
}

/// What another module could link to, and so must still be there at the end.
static bool isExported(const GlobalValue &GV) {
  return !GV.isDeclarationForLinker() && !GV.hasLocalLinkage() &&
         !GV.isDiscardableIfUnused() && !GV.hasAppendingLinkage();
}

Expected<std::unique_ptr<Compilation>>
Compilation::load(StringRef Program, const proto::Open &Request) {
  std::unique_ptr<Compilation> C(new Compilation());
  if (Request.has_codegen_opt_level()) {
    auto Level = CodeGenOpt::getLevel(Request.codegen_opt_level());
    if (!Level)
      return fail(proto::INVALID_ARGUMENT,
                  "codegen_opt_level " + Twine(Request.codegen_opt_level()) +
                      " is not in 0..3");
    C->CodegenLevel = *Level;
  }
  C->Context.setDiagnosticHandlerCallBack(collectErrors, &C->Diagnostics);
  SMDiagnostic Diagnostic;
  // LLVM takes no bytes for an empty module.
  if (Program.trim().empty())
    return fail(proto::INVALID_PROGRAM, "the program is empty");
  crash::Activity Reading("reading the program");
  C->M = parseIR(MemoryBufferRef(Program, "program"), Diagnostic, C->Context);
  if (!C->M) {
    std::string Text = C->Diagnostics;
    raw_string_ostream OS(Text);
    Diagnostic.print(nullptr, OS, /*ShowColors=*/false);
    return fail(
        proto::INVALID_PROGRAM,
        "the program is neither bitcode nor IR that LLVM " LLVM_VERSION_STRING
        " can read: " +
            StringRef(Text).trim());
  }
  Module &M = *C->M;
  // The name would end up in the object file, and a buffer has none.
  M.setModuleIdentifier(M.getSourceFileName());

  Triple TheTriple = M.getTargetTriple();
  if (TheTriple.empty())
    TheTriple = Triple(sys::getDefaultTargetTriple());
  if (!Request.target_triple().empty()) {
    Triple Wanted(Triple::normalize(Request.target_triple()));
    if (Wanted.getArch() != TheTriple.getArch())
      return fail(proto::INVALID_ARGUMENT,
                  "target '" + Request.target_triple() +
                      "' is of another architecture than the program, which "
                      "was compiled for '" +
                      TheTriple.str() + "'");
    TheTriple = Wanted;
  }
  M.setTargetTriple(TheTriple);
  C->CPU = Request.cpu();
  C->OnlyFunction = Request.function();
  // `opt` leaves the level of the code generator's hooks at None.
  auto Target = createTarget(TheTriple, C->CPU, M, CodeGenOptLevel::None);
  if (!Target)
    return Target.takeError();
  C->Target = std::move(*Target);
  if (M.getDataLayout().isDefault())
    M.setDataLayout(C->Target->createDataLayout());

  std::string Broken;
  raw_string_ostream OS(Broken);
  if (verifyModule(M, &OS))
    return fail(proto::INVALID_PROGRAM,
                "the program does not pass LLVM's verifier: " +
                    StringRef(Broken).trim());
  codegen::setFunctionAttributes(C->CPU, codegen::getFeaturesStr(), M);
  for (const GlobalValue &GV : M.global_values())
    if (isExported(GV))
      C->Exports.push_back(GV.getName().str());
  return C;
}

/// The name of what a pass works on, for a crash report.
static StringRef unitName(const Any &IR) {
  if (const auto *F = any_cast<const Function *>(&IR))
    return (*F)->getName();
  if (const auto *L = any_cast<const Loop *>(&IR))
    return (*L)->getHeader()->getParent()->getName();
  if (const auto *S = any_cast<const LazyCallGraph::SCC *>(&IR))
    return (*S)->begin()->getFunction().getName();
  return "";
}

namespace {

/// Everything that `opt -passes=` sets up around a pipeline.
struct PassPipeline {
  PassInstrumentationCallbacks Callbacks;
  StandardInstrumentations Standard;
  LoopAnalysisManager Loops;
  FunctionAnalysisManager Functions;
  CGSCCAnalysisManager SCCs;
  ModuleAnalysisManager Modules;
  PassBuilder Builder;
  ModulePassManager Passes;

  PassPipeline(LLVMContext &Context, TargetMachine &Target)
      : Standard(Context, /*DebugLogging=*/false),
        Builder(&Target, PipelineTuningOptions(), std::nullopt, &Callbacks) {}
};

} // namespace

Error Compilation::parsePipeline(StringRef Text) {
  PassPipeline P(Context, *Target);
  if (Error E = P.Builder.parsePassPipeline(P.Passes, Text))
    return fail(proto::INVALID_ARGUMENT,
                "pipeline '" + Text + "': " + toString(std::move(E)));
  Pipeline = Text.str();
  return Error::success();
}

Error Compilation::optimize(
    function_ref<void(PassBuilder &, ModuleAnalysisManager &)> Prepare) {
  PassPipeline P(Context, *Target);
  P.Standard.registerCallbacks(P.Callbacks, &P.Modules);
  P.Callbacks.registerBeforeNonSkippedPassCallback(
      [](StringRef Pass, Any IR) { crash::enterPass(Pass, unitName(IR)); });
  TargetLibraryInfoImpl Library(M->getTargetTriple());
  P.Functions.registerPass([&] { return TargetLibraryAnalysis(Library); });
  Prepare(P.Builder, P.Modules);
  P.Builder.registerModuleAnalyses(P.Modules);
  P.Builder.registerCGSCCAnalyses(P.SCCs);
  P.Builder.registerFunctionAnalyses(P.Functions);
  P.Builder.registerLoopAnalyses(P.Loops);
  P.Builder.crossRegisterProxies(P.Loops, P.Functions, P.SCCs, P.Modules);
  cantFail(P.Builder.parsePassPipeline(P.Passes, Pipeline));
  crash::Activity Optimizing("the optimiser");
  P.Passes.run(*M, P.Modules);
  changed();
  return takeDiagnostics("the optimiser");
}

Error Compilation::takeDiagnostics(StringRef What) {
  if (Diagnostics.empty())
    return Error::success();
  std::string Text = std::exchange(Diagnostics, "");
  return fail(proto::INVALID_PROGRAM,
              What + " refused the program: " + StringRef(Text).trim());
}

Expected<SmallVector<char, 0>> Compilation::emit(proto::Emit::Format Format) {
  if (Format == proto::Emit::OBJECT && !Object.empty())
    return Object;
  if (Format == proto::Emit::BITCODE)
    return bitcode();
  const auto FileType = Format == proto::Emit::ASSEMBLY
                            ? CodeGenFileType::AssemblyFile
                            : CodeGenFileType::ObjectFile;
  SmallVector<char, 0> Code;
  raw_svector_ostream Stream(Code);
  if (Error E = generate([&](TargetMachine &TM, legacy::PassManagerBase &PM,
                             MCContext &MC) {
        return TM.addAsmPrinter(PM, Stream, /*DwoOut=*/nullptr, FileType, MC);
      }))
    return E;
  return Code;
}

SmallVector<char, 0> Compilation::bitcode() {
  SmallVector<char, 0> Bitcode;
  const size_t DiagnosticsBefore = Diagnostics.size();
  crash::Activity Writing("writing bitcode");
  raw_svector_ostream Stream(Bitcode);
  // As `opt` does; without the order of uses the code generator may choose
  // differently.
  WriteBitcodeToFile(*M, Stream, /*ShouldPreserveUseListOrder=*/true);
  // Collecting the symbols of inline assembly may have complained; whether it
  // is an error is for whoever assembles it.
  Diagnostics.resize(DiagnosticsBefore);
  return Bitcode;
}

Error Compilation::generate(PrinterAdder AddPrinter) {
  if (Generating)
    return fail(proto::FAILED_PRECONDITION,
                "the code is being generated; answer the remaining decisions "
                "first");
  // Code is generated from the bitcode, as `llc` does it, since generating code
  // changes a module, and this one goes on being optimised or observed.
  SmallVector<char, 0> Bitcode = bitcode();
  LLVMContext CodegenContext;
  CodegenContext.setDiagnosticHandlerCallBack(collectErrors, &Diagnostics);
  auto Copy = parseBitcodeFile(
      MemoryBufferRef(StringRef(Bitcode.data(), Bitcode.size()),
                      M->getModuleIdentifier()),
      CodegenContext);
  if (!Copy)
    return Copy.takeError();
  auto CodegenTarget =
      createTarget((*Copy)->getTargetTriple(), CPU, **Copy, CodegenLevel);
  if (!CodegenTarget)
    return CodegenTarget.takeError();
  if (!OnlyFunction.empty())
    if (Error E = keepOnly(**Copy, OnlyFunction))
      return E;
  Allocated.clear();
  crash::Activity Activity("code generation");
  SaveAndRestore Guard(Generating, true);
  if (Error E = generateCode(**Copy, **CodegenTarget, *this, AddPrinter))
    return E;
  return takeDiagnostics("the code generator");
}

void Compilation::addPasses(legacy::PassManagerBase &PM) {
  if (AddCodegenPasses)
    AddCodegenPasses(PM);
}

void Compilation::functionAllocated(const AllocatedFunction &F) {
  Allocated.push_back(F);
  if (OnAllocated)
    OnAllocated();
}

Expected<StringRef> Compilation::object() {
  if (Object.empty()) {
    auto Code = emit(proto::Emit::OBJECT);
    if (!Code)
      return Code.takeError();
    Object = std::move(*Code);
  }
  return StringRef(Object.data(), Object.size());
}

Error Compilation::checkExports() const {
  for (const std::string &Name : Exports) {
    const GlobalValue *GV = M->getNamedValue(Name);
    if (!GV || !isExported(*GV))
      return fail(proto::FAILED_PRECONDITION,
                  "the pipeline dropped or internalised '" + Name +
                      "', which the program exports, so nothing measured of "
                      "it can be compared; leave such passes out of the "
                      "pipeline");
  }
  return Error::success();
}
