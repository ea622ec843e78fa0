//===- Compilation.cpp - One module on its way to machine code ------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Compilation.h"
#include "CodeSizes.h"
#include "CrashReport.h"
#include "LLVMOptions.h"
#include "Rehearsal.h"
#include "llvm/ADT/StringExtras.h"
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
#include "llvm/Support/JSON.h"
#include "llvm/Support/SaveAndRestore.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/xxhash.h"
#include "llvm/TargetParser/Host.h"

using namespace llvm;
using namespace mlcompiler;

/// Collects errors. By default, LLVM prints them and ends the process.
static void collectErrors(const DiagnosticInfo *DI, void *Collected) {
  if (DI->getSeverity() != DS_Error)
    return;
  raw_string_ostream OS(*static_cast<std::string *>(Collected));
  DiagnosticPrinterRawOStream Printer(OS);
  DI->print(Printer);
  OS << '\n';
}

/// The architectures that code can be generated for, in alphabetical order.
static std::vector<std::string> targetNames() {
  std::vector<std::string> Names;
  for (const Target &T : TargetRegistry::targets())
    Names.push_back(T.getName());
  llvm::sort(Names);
  return Names;
}

/// Says why \p Program could not be read. It quotes the program only if that is
/// text.
static std::string explain(StringRef Program, const SMDiagnostic &Diagnostic) {
  if (isBitcode(Program.bytes_begin(), Program.bytes_end()))
    return json::fixUTF8(Diagnostic.getMessage());
  if (!json::isUTF8(Program) || Program.contains('\0'))
    return "it is not text; an object file is no bitcode, which "
           "`clang -c -emit-llvm` writes";
  std::string Text;
  raw_string_ostream OS(Text);
  Diagnostic.print(nullptr, OS, /*ShowColors=*/false);
  return Text;
}

/// Makes a target machine as `opt` and `llc` do, except for one thing: a module
/// that says that it is position-independent is compiled as such without an
/// option.
static Expected<std::unique_ptr<TargetMachine>>
createTarget(const Triple &TheTriple, StringRef CPU, const Module &M,
             const proto::CodegenSettings &Settings, CodeGenOptLevel Level) {
  std::string Message;
  const Target *T = TargetRegistry::lookupTarget(TheTriple, Message);
  if (!T)
    return fail(proto::INVALID_ARGUMENT,
                "no code can be generated for target '" + TheTriple.str() +
                    "'; this service has: " + join(targetNames(), ", "));
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
  TargetOptions Options = codegen::InitTargetOptionsFromCodeGenFlags(TheTriple);
  Options.FunctionSections = Settings.function_sections();
  Options.DataSections = Settings.data_sections();
  Options.EmitAddrsig = Settings.address_significance();
  Options.EmitCallSiteInfo = Settings.call_site_info();
  Options.EnableTLSDESC |= Settings.tls_descriptors();
  std::unique_ptr<TargetMachine> Made(
      T->createTargetMachine(TheTriple, CPU, codegen::getFeaturesStr(), Options,
                             Relocation, M.getCodeModel(), Level));
  // The size from which on data count as far away, as in clang and LTO.
  if (std::optional<uint64_t> Threshold = M.getLargeDataThreshold())
    Made->setLargeDataThreshold(*Threshold);
  return Made;
}

static PipelineTuningOptions tuningOptions(const proto::Tuning &Tuning) {
  PipelineTuningOptions Options;
  Options.LoopVectorization = Tuning.loop_vectorization();
  Options.SLPVectorization = Tuning.slp_vectorization();
  Options.LoopUnrolling = Tuning.loop_unrolling();
  Options.LoopInterleaving = Tuning.loop_interleaving();
  Options.MergeFunctions = Tuning.merge_functions();
  return Options;
}

/// Whether another module could link to \p GV, which must then still exist at
/// the end.
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
  // LLVM would read this as an empty module.
  if (Program.trim().empty())
    return fail(proto::INVALID_PROGRAM, "the program is empty");
  crash::Activity Reading("reading the program");
  C->M = parseIR(MemoryBufferRef(Program, "program"), Diagnostic, C->Context);
  if (!C->M) {
    const std::string Text = C->Diagnostics + explain(Program, Diagnostic);
    return fail(
        proto::INVALID_PROGRAM,
        "the program is neither bitcode nor IR that LLVM " LLVM_VERSION_STRING
        " can read: " +
            StringRef(Text).trim());
  }
  Module &M = *C->M;
  // The identifier ends up in the object file, and a buffer has no name.
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
  if (Request.has_tuning())
    C->Tuning = tuningOptions(Request.tuning());
  C->Settings = Request.codegen();
  // `opt` leaves the code generator's level at None while passes run.
  auto Target =
      createTarget(TheTriple, C->CPU, M, C->Settings, CodeGenOptLevel::None);
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

Error Compilation::parsePipeline(StringRef Text) {
  // Parsing a pipeline needs nothing of what passes need when they run.
  PassBuilder Builder(Target.get());
  ModulePassManager Unused;
  if (Error E = Builder.parsePassPipeline(Unused, Text))
    return fail(proto::INVALID_ARGUMENT,
                "pipeline '" + Text + "': " + toString(std::move(E)));
  Pipeline = Text.str();
  return Error::success();
}

static std::pair<uint64_t, uint64_t> hash(ArrayRef<char> Bitcode) {
  const XXH128_hash_t Hash = xxh3_128bits(
      arrayRefFromStringRef(StringRef(Bitcode.data(), Bitcode.size())));
  return {Hash.low64, Hash.high64};
}

Error Compilation::optimize(
    function_ref<void(PassBuilder &, ModuleAnalysisManager &)> Prepare) {
  Passes = std::make_unique<PassPipeline>(*M, *Target, Tuning, Prepare);
  auto Result = run(Pipeline);
  if (!Result)
    return Result.takeError();
  // Decisions can change the module without a pass that says so.
  changed();
  return Error::success();
}

Expected<bool> Compilation::run(StringRef Text) {
  ModulePassManager Manager;
  cantFail(Passes->parse(Text, Manager));
  crash::Activity Optimizing("the optimiser");
  Changes Made = Passes->run(Manager);
  if (Error E = takeDiagnostics("the optimiser"))
    return E;
  if (!Made.any())
    return false;
  ++Clock;
  if (Made.Everything)
    AllSince = Clock;
  for (const Function *F : Made.Functions)
    FunctionVersions[F] = Clock;
  if (Fingerprint &&
      *Fingerprint == std::exchange(*Fingerprint, fingerprint())) {
    UsesInDoubt = true;
    return false;
  }
  Version = Clock;
  LastChanges = std::move(Made);
  codeChanged();
  return true;
}

void Compilation::changed() {
  AllSince = Version = ++Clock;
  codeChanged();
}

void Compilation::codeChanged() {
  CodeVersion = Clock;
  CodeSource.reset();
  UsesInDoubt = false;
  Object.clear();
}

uint64_t Compilation::codeVersion() {
  // Comparing bitcode takes far less than generating code. It is left until the
  // version is asked for.
  if (std::exchange(UsesInDoubt, false) &&
      (!CodeSource || *CodeSource != hash(bitcode()))) {
    ++Clock;
    codeChanged();
  }
  return CodeVersion;
}

Compilation::Hash Compilation::fingerprint() const {
  SmallVector<char, 0> Bitcode;
  raw_svector_ostream Stream(Bitcode);
  WriteBitcodeToFile(*M, Stream);
  return hash(Bitcode);
}

Error Compilation::verify(const Twine &What) const {
  crash::Activity Verifying("LLVM's verifier");
  std::string Broken;
  raw_string_ostream OS(Broken);
  if (LastChanges.Everything)
    verifyModule(*M, &OS);
  else
    for (const Function *F : LastChanges.Functions)
      verifyFunction(*F, &OS);
  if (Broken.empty())
    return Error::success();
  return fail(proto::BROKEN_MODULE,
              What + " left a module that does not pass LLVM's verifier: " +
                  StringRef(Broken).trim());
}

std::vector<std::string> Compilation::optArguments() const {
  std::vector<std::string> Arguments{"-mtriple=" + M->getTargetTriple().str()};
  if (!CPU.empty())
    Arguments.push_back("-mcpu=" + CPU);
  if (M->getPICLevel() != PICLevel::NotPIC)
    Arguments.push_back("-relocation-model=pic");
  return Arguments;
}

Expected<std::vector<std::string>>
Compilation::spellOut(ArrayRef<std::string> Texts) {
  // One builder serves all texts, because making it takes longer than parsing.
  PassBuilder Builder(Target.get());
  std::vector<std::string> Spelled;
  for (const std::string &Text : Texts) {
    Spelled.push_back(spellOutLevels(Builder, Text));
    ModulePassManager Unused;
    if (Error E = Builder.parsePassPipeline(Unused, Spelled.back()))
      return fail(proto::INVALID_ARGUMENT,
                  "action '" + Text + "': " + toString(std::move(E)));
  }
  return Spelled;
}

uint64_t Compilation::version(const Function &F) const {
  return std::max(AllSince, FunctionVersions.lookup(&F));
}

Error Compilation::takeDiagnostics(StringRef What) {
  if (Diagnostics.empty())
    return Error::success();
  std::string Text = std::exchange(Diagnostics, "");
  return fail(proto::INVALID_PROGRAM,
              What + " refused the program: " + StringRef(Text).trim());
}

Expected<SmallVector<char, 0>> Compilation::emit(proto::Emit::Format Format) {
  if (Format == proto::Emit::OBJECT && isObjectKnown())
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
  // As by `opt`. Without the order of uses, the code generator may choose
  // differently.
  WriteBitcodeToFile(*M, Stream, /*ShouldPreserveUseListOrder=*/true);
  // Collecting the symbols of inline assembly may have reported errors. Only
  // the assembler can tell whether they are.
  Diagnostics.resize(DiagnosticsBefore);
  return Bitcode;
}

/// Whether the module has something that only further passes can remove.
/// Generating code may then end the process.
static bool isHalfLowered(const Module &M) {
  static constexpr StringLiteral Prefixes[] = {
      "llvm.coro.",
      "llvm.experimental.guard",
      "llvm.experimental.widenable.condition",
      "llvm.icall.branch.funnel",
      "llvm.instrprof.",
      "llvm.matrix.",
      "llvm.preserve.",
      "llvm.public.type.",
      "llvm.type."};
  return any_of(M, [](const Function &F) {
    return F.isPresplitCoroutine() || (F.isIntrinsic() && !F.use_empty() &&
                                       any_of(Prefixes, [&](StringRef Prefix) {
                                         return F.getName().starts_with(Prefix);
                                       }));
  });
}

Error Compilation::withCopy(
    function_ref<Error(Module &, TargetMachine &)> Generate) {
  // Generating code changes a module, and this one may still be optimised or
  // observed. So code is generated from its bitcode, as by `llc`.
  codeVersion();
  SmallVector<char, 0> Bitcode = bitcode();
  if (Fingerprint)
    CodeSource = hash(Bitcode);
  LLVMContext CodegenContext;
  CodegenContext.setDiagnosticHandlerCallBack(collectErrors, &Diagnostics);
  auto Copy = parseBitcodeFile(
      MemoryBufferRef(StringRef(Bitcode.data(), Bitcode.size()),
                      M->getModuleIdentifier()),
      CodegenContext);
  if (!Copy)
    return Copy.takeError();
  auto CodegenTarget = createTarget((*Copy)->getTargetTriple(), CPU, **Copy,
                                    Settings, CodegenLevel);
  if (!CodegenTarget)
    return CodegenTarget.takeError();
  if (!OnlyFunction.empty())
    if (Error E = keepOnly(**Copy, OnlyFunction))
      return E;
  crash::Activity Activity("code generation");
  // A rehearsal takes a fork, which costs too much for small modules. So it is
  // done only where it may be needed, and never where decisions are asked for.
  if (isHalfLowered(**Copy) && !AddCodegenPasses)
    if (Error E =
            rehearse([&] { consumeError(Generate(**Copy, **CodegenTarget)); }))
      return E;
  if (Error E = Generate(**Copy, **CodegenTarget))
    return E;
  return takeDiagnostics("the code generator");
}

Error Compilation::generate(PrinterAdder AddPrinter) {
  if (Generating)
    return fail(proto::FAILED_PRECONDITION,
                "the code is being generated; answer the remaining decisions "
                "first");
  return withCopy([&](Module &Copy, TargetMachine &CodegenTarget) {
    Allocated.clear();
    SaveAndRestore Guard(Generating, true);
    return generateCode(Copy, CodegenTarget, *this, AddPrinter);
  });
}

Error Compilation::select(MachineFunctionVisitor Visit) {
  return withCopy([&](Module &Copy, TargetMachine &CodegenTarget) {
    return selectInstructions(Copy, CodegenTarget, Visit);
  });
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
  if (!isObjectKnown()) {
    auto Code = emit(proto::Emit::OBJECT);
    if (!Code)
      return Code.takeError();
    Object = std::move(*Code);
  }
  return StringRef(Object.data(), Object.size());
}

namespace {

/// Lets code be generated as it is.
class Bystander : public CodegenListener {
  void addPasses(legacy::PassManagerBase &PM) override {}
  void functionAllocated(const AllocatedFunction &F) override {}
};

} // namespace

Error Compilation::generateShapes(const StringSet<> &Functions,
                                  ShapeConsumer Consumer) {
  return withCopy([&](Module &Copy, TargetMachine &CodegenTarget) {
    keepOnly(Copy, Functions);
    Bystander Nobody;
    return generateCode(
        Copy, CodegenTarget, Nobody,
        [&](TargetMachine &TM, legacy::PassManagerBase &PM, MCContext &MC) {
          return addShapePrinter(TM, PM, MC, Consumer);
        });
  });
}

std::optional<uint64_t> Compilation::textSize() {
  // A function's key does not cover decisions in the code generator. Settings
  // may change where code is laid out.
  if (!codecache::get().isOn() || isObjectKnown() || Generating ||
      AddCodegenPasses || !OnlyFunction.empty() || isHalfLowered(*M) ||
      Settings.ByteSizeLong())
    return std::nullopt;
  crash::Activity Measuring("hashing functions");
  const std::string Told = CPU + "\n" +
                           std::to_string(static_cast<int>(CodegenLevel)) +
                           "\n" + LLVMOptions::inForce();
  return sumOfFunctions(
      *M, *Target, Told,
      [&](const StringSet<> &Functions, ShapeConsumer Consumer) {
        return generateShapes(Functions, Consumer);
      });
}

Error Compilation::checkExports(const Twine &What, proto::ErrorCode Code) {
  if (ExportsChecked == Version)
    return Error::success();
  for (const std::string &Name : Exports) {
    const GlobalValue *GV = M->getNamedValue(Name);
    if (!GV || !isExported(*GV))
      return fail(Code, What + " dropped or internalised '" + Name +
                            "', which the program exports, so nothing measured "
                            "of it can be compared; leave such passes out");
  }
  ExportsChecked = Version;
  return Error::success();
}
