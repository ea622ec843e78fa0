//===- CodeGeneration.cpp - From an optimised module to code --------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "CodeGeneration.h"
#include "Failure.h"
#include "FrequencyPass.h"
#include "RegAllocScore.h"
#include "SeenBodies.h"
#include "SymbolNames.h"
#include "mlcompiler_gym/v1/compiler_service.pb.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Analysis/RuntimeLibcallInfo.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/CodeGen/MachineFunction.h"
#include "llvm/CodeGen/MachineFunctionPass.h"
#include "llvm/CodeGen/MachineModuleInfo.h"
#include "llvm/CodeGen/Passes.h"
#include "llvm/CodeGen/TargetPassConfig.h"
#include "llvm/IR/GlobalAlias.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/Target/TargetMachine.h"

using namespace llvm;
using namespace mlcompiler;
namespace proto = mlcompiler_gym::v1;

/// Adds the analyses that machine passes use, as `llc` does.
static TargetPassConfig *createConfig(const Module &M, TargetMachine &Target,
                                      legacy::PassManager &Passes) {
  const Triple &TheTriple = M.getTargetTriple();
  const TargetOptions &Options = Target.Options;
  Passes.add(
      new TargetLibraryInfoWrapperPass(TargetLibraryInfoImpl(TheTriple)));
  Passes.add(new RuntimeLibraryInfoWrapper(
      TheTriple, Options.ExceptionModel, Options.FloatABIType,
      Options.EABIVersion, Options.MCOptions.ABIName, Options.VecLib));
  TargetPassConfig *Config = Target.createPassConfig(Passes);
  Config->setDisableVerify(true);
  if (any_of(M, isSeenOnly)) {
    // This is the last pass before instruction selection on every target.
    const std::unique_ptr<Pass> Last(createStackProtectorPass());
    Config->insertPass(Last->getPassID(), createBeginSkippingPass());
  }
  return Config;
}

/// Adds the last pass to \p Passes, and runs all of them.
static void runAll(Module &M, legacy::PassManager &Passes) {
  Passes.add(createFreeMachineFunctionPass());
  if (any_of(M, isSeenOnly))
    Passes.add(createEndSkippingPass());
  Passes.run(M);
}

Error mlcompiler::generateCode(Module &M, TargetMachine &Target,
                               CodegenListener &Listener,
                               PrinterAdder AddPrinter) {
  const Triple &TheTriple = M.getTargetTriple();
  legacy::PassManager Passes;
  // This does what TargetMachine::addPassesToEmitFile does, which has no place
  // for passes of ours.
  TargetPassConfig *Config = createConfig(M, Target, Passes);
  auto *MachineModule = new MachineModuleInfoWrapperPass(&Target);
  Listener.addPasses(Passes);
  // This pass stands in the place of LLVM's own RegAllocScoring and requires
  // the same analyses. So LLVM computes nothing earlier or later than it would
  // otherwise.
  Config->insertPass(
      &VirtRegRewriterID,
      createFrequencyPass([&](const MachineFunction &MF,
                              const MachineBlockFrequencyInfo &Frequencies) {
        Listener.functionAllocated(
            {MF.getName().str(),
             calculateRegAllocScore(MF, Frequencies).getScore()});
      }));
  Passes.add(Config);
  Passes.add(MachineModule);
  bool Failed = Config->addISelPasses();
  if (!Failed) {
    Config->addMachinePasses();
    Config->setInitialized();
    Failed = AddPrinter(Target, Passes, MachineModule->getMMI().getContext());
  }
  if (Failed)
    return fail(proto::INVALID_ARGUMENT,
                "target '" + TheTriple.str() + "' cannot write this format");
  runAll(M, Passes);
  return Error::success();
}

namespace {

/// Shows each machine function to a visitor.
class VisitPass : public MachineFunctionPass {
public:
  explicit VisitPass(MachineFunctionVisitor Visit)
      : MachineFunctionPass(ID), Visit(Visit) {}

  StringRef getPassName() const override { return "Visit machine functions"; }

  bool runOnMachineFunction(MachineFunction &MF) override {
    Visit(MF);
    return false;
  }

  void getAnalysisUsage(AnalysisUsage &AU) const override {
    AU.setPreservesAll();
    MachineFunctionPass::getAnalysisUsage(AU);
  }

  static char ID;

private:
  const MachineFunctionVisitor Visit;
};

} // namespace

char VisitPass::ID = 0;

Error mlcompiler::selectInstructions(Module &M, TargetMachine &Target,
                                     MachineFunctionVisitor Visit) {
  const Triple &TheTriple = M.getTargetTriple();
  legacy::PassManager Passes;
  TargetPassConfig *Config = createConfig(M, Target, Passes);
  Passes.add(Config);
  Passes.add(new MachineModuleInfoWrapperPass(&Target));
  if (Config->addISelPasses())
    return fail(proto::INVALID_ARGUMENT,
                "target '" + TheTriple.str() + "' cannot select instructions");
  Config->setInitialized();
  Passes.add(new VisitPass(Visit));
  runAll(M, Passes);
  return Error::success();
}

/// Whether a global counts as near. If that changed, the code of calls to it
/// would, too.
static bool isNear(const GlobalValue &GV) {
  return GV.isDSOLocal() || GV.hasLocalLinkage();
}

static void dropBody(Function &F) {
  const bool Near = isNear(F);
  F.deleteBody();
  F.setComdat(nullptr);
  F.setDSOLocal(Near);
}

Error mlcompiler::keepOnly(Module &M, StringRef Name) {
  const Function *Kept = M.getFunction(fromText(Name));
  if (!Kept || Kept->isDeclaration()) {
    SmallVector<std::string> Names;
    for (const Function &F : M)
      if (!F.isDeclaration() && Names.size() < 40)
        Names.push_back(toText(F.getName()));
    return fail(proto::INVALID_ARGUMENT,
                "there is no function '" + Name +
                    "' after the pipeline; there are: " + join(Names, ", "));
  }
  const SetVector<const Function *> Seen = revealedTo(*Kept);
  for (Function &F : M) {
    if (F.isDeclaration() || &F == Kept)
      continue;
    if (Seen.contains(&F))
      markSeenOnly(F);
    else
      dropBody(F);
  }
  return Error::success();
}

void mlcompiler::keepOnly(Module &M, const StringSet<> &Names) {
  auto IsDropped = [&](const Function &F) {
    return !F.isDeclaration() && !Names.contains(F.getName());
  };
  // A declaration cannot have an alias.
  for (GlobalAlias &A : make_early_inc_range(M.aliases())) {
    auto *Target = dyn_cast<Function>(A.getAliasee());
    if (!Target || !IsDropped(*Target))
      continue;
    Function *Declared =
        Function::Create(cast<FunctionType>(A.getValueType()),
                         GlobalValue::ExternalLinkage, A.getAddressSpace());
    M.getFunctionList().push_back(Declared);
    Declared->setName(A.getName() + DroppedSuffix);
    Declared->setVisibility(A.getVisibility());
    Declared->setDSOLocal(isNear(A));
    A.replaceAllUsesWith(Declared);
    A.eraseFromParent();
  }
  for (Function &F : M) {
    if (!IsDropped(F))
      continue;
    if (F.hasLocalLinkage())
      F.setName(F.getName() + DroppedSuffix);
    dropBody(F);
  }
}
