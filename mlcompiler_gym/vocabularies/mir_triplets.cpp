//===- mir_triplets.cpp - Triplets of machine IR, counted -----------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Reads machine IR from standard input and prints what `llvm-ir2vec triplets
/// --mode=mir` is meant to, each distinct triplet once: head, relation, tail
/// and number of occurrences, by name and sorted.
///
/// The tool of LLVM 22.1 itself cannot be used for real programs. It crashes
/// at physical registers of no class (X86's $mxcsr, which all SSE arithmetic
/// reads), and it looks up the virtual registers of every function in the
/// tables of the first. Where it does work, this prints the same; but operands
/// that name no register at all, which the tool gives to the first class of
/// virtual registers, are left out here.
///
//===----------------------------------------------------------------------===//

#include "llvm/ADT/StringExtras.h"
#include "llvm/CodeGen/CommandFlags.h"
#include "llvm/CodeGen/MIRParser/MIRParser.h"
#include "llvm/CodeGen/MachineFunction.h"
#include "llvm/CodeGen/MachineModuleInfo.h"
#include "llvm/CodeGen/MachineOperand.h"
#include "llvm/CodeGen/MachineRegisterInfo.h"
#include "llvm/CodeGen/TargetInstrInfo.h"
#include "llvm/CodeGen/TargetRegisterInfo.h"
#include "llvm/CodeGen/TargetSubtargetInfo.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"
#include <map>
#include <tuple>

using namespace llvm;

namespace {

using Triplet = std::tuple<std::string, std::string, std::string>;

// In the order of MachineOperand::MachineOperandType, without MO_Register.
constexpr StringLiteral OperandNames[] = {
    "Immediate",       "CImmediate",        "FPImmediate",  "MBB",
    "FrameIndex",      "ConstantPoolIndex", "TargetIndex",  "JumpTableIndex",
    "ExternalSymbol",  "GlobalAddress",     "BlockAddress", "RegisterMask",
    "RegisterLiveOut", "Metadata",          "MCSymbol",     "CFIIndex",
    "IntrinsicID",     "Predicate",         "ShuffleMask",  "LaneMask"};
static_assert(std::size(OperandNames) == MachineOperand::MO_Last - 1,
              "LLVM has other kinds of operands now");

/// What MIR2Vec calls an opcode: its first run of letters and underscores.
std::string baseName(StringRef Opcode) {
  auto IsOfName = [](char C) { return isAlpha(C) || C == '_'; };
  StringRef Run = Opcode.drop_until(IsOfName).take_while(IsOfName).rtrim('_');
  return (Run.empty() ? Opcode : Run).str();
}

/// The entity of an operand; "" if it has none.
std::string operandName(const MachineOperand &Operand,
                        const TargetRegisterInfo &TRI,
                        const MachineRegisterInfo &MRI) {
  if (!Operand.isReg())
    return OperandNames[Operand.getType() - 1].str();
  Register Reg = Operand.getReg();
  if (!Reg.isValid())
    return "";
  const TargetRegisterClass *Class =
      Reg.isPhysical() ? TRI.getMinimalPhysRegClass(Reg.asMCReg())
                       : MRI.getRegClassOrNull(Reg);
  if (!Class)
    return "";
  return (Reg.isPhysical() ? "PhyReg_" : "VirtReg_") +
         std::string(TRI.getRegClassName(Class));
}

void countTriplets(const MachineFunction &MF,
                   std::map<Triplet, unsigned> &Counts) {
  const TargetInstrInfo &TII = *MF.getSubtarget().getInstrInfo();
  const TargetRegisterInfo &TRI = *MF.getSubtarget().getRegisterInfo();
  std::string Previous;
  for (const MachineBasicBlock &MBB : MF)
    for (const MachineInstr &MI : MBB) {
      if (MI.isDebugInstr())
        continue;
      std::string Opcode = baseName(TII.getName(MI.getOpcode()));
      if (!Previous.empty())
        ++Counts[{Previous, "Next", Opcode}];
      for (auto [Index, Operand] : enumerate(MI.operands())) {
        std::string Name = operandName(Operand, TRI, MF.getRegInfo());
        if (!Name.empty())
          ++Counts[{Opcode, "Arg" + utostr(Index), Name}];
      }
      Previous = std::move(Opcode);
    }
}

} // namespace

static codegen::RegisterCodeGenFlags CodeGenFlags;

int main(int Argc, char **Argv) {
  InitLLVM Init(Argc, Argv);
  InitializeAllTargets();
  InitializeAllTargetMCs();
  InitializeAllAsmParsers();
  InitializeAllAsmPrinters();
  cl::ParseCommandLineOptions(Argc, Argv);

  LLVMContext Context;
  SMDiagnostic Diagnostic;
  auto Fail = [&] {
    Diagnostic.print(Argv[0], errs());
    return 1;
  };
  std::unique_ptr<MIRParser> Parser =
      createMIRParserFromFile("-", Diagnostic, Context);
  if (!Parser)
    return Fail();
  std::unique_ptr<TargetMachine> TM;
  std::unique_ptr<Module> M = Parser->parseIRModule(
      [&](StringRef Triple, StringRef) -> std::optional<std::string> {
        TM = cantFail(codegen::createTargetMachineForTriple(Triple));
        return TM->createDataLayout().getStringRepresentation();
      });
  if (!M || !TM)
    return Fail();
  MachineModuleInfo MMI(TM.get());
  if (Parser->parseMachineFunctions(*M, MMI))
    return Fail();

  std::map<Triplet, unsigned> Counts;
  for (const Function &F : *M)
    if (const MachineFunction *MF = MMI.getMachineFunction(F))
      countTriplets(*MF, Counts);
  for (const auto &[Each, Count] : Counts)
    outs() << std::get<0>(Each) << '\t' << std::get<1>(Each) << '\t'
           << std::get<2>(Each) << '\t' << Count << '\n';
  return 0;
}
