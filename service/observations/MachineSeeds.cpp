//===- MachineSeeds.cpp - MIR2Vec embeddings of instructions --------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "MachineSeeds.h"
#include "Failure.h"
#include "llvm/CodeGen/MIR2Vec.h"
#include "llvm/CodeGen/MachineFunction.h"
#include "llvm/CodeGen/TargetInstrInfo.h"
#include "llvm/CodeGen/TargetRegisterInfo.h"
#include "llvm/CodeGen/TargetSubtargetInfo.h"

using namespace llvm;
using namespace mlcompiler;

static constexpr StringLiteral OpcodeSection = "Opcodes";
static constexpr StringLiteral CommonSection = "CommonOperands";
static constexpr StringLiteral PhysicalSection = "PhysicalRegisters";
static constexpr StringLiteral VirtualSection = "VirtualRegisters";

/// The names of MachineOperand::MachineOperandType from MO_Immediate on, as in
/// LLVM's vocabulary, where they are private. The types behind these occur only
/// in debug instructions and on other targets.
static constexpr StringLiteral CommonOperandNames[] = {
    "Immediate",       "CImmediate",        "FPImmediate",  "MBB",
    "FrameIndex",      "ConstantPoolIndex", "TargetIndex",  "JumpTableIndex",
    "ExternalSymbol",  "GlobalAddress",     "BlockAddress", "RegisterMask",
    "RegisterLiveOut", "Metadata",          "MCSymbol",     "CFIIndex",
    "IntrinsicID",     "Predicate",         "ShuffleMask"};
static_assert(MachineOperand::MO_ShuffleMask == std::size(CommonOperandNames));

Error MachineSeeds::load(const Triple &TheTriple) {
  if (Loaded)
    return Error::success();
  StringRef Target;
  switch (TheTriple.getArch()) {
  case Triple::x86_64:
    Target = "x86-64";
    break;
  case Triple::aarch64:
    Target = "aarch64";
    break;
  default:
    return fail(mlcompiler_gym::v1::INVALID_ARGUMENT,
                "there is no MIR2Vec vocabulary for target '" +
                    TheTriple.str() +
                    "'; there is one for x86-64 and one for "
                    "AArch64");
  }
  auto Read = Vocabulary::load(
      ("mir2vec-" + Target + "-" + Twine(Dimension) + "d").str(),
      {OpcodeSection, CommonSection, PhysicalSection, VirtualSection},
      Dimension);
  if (!Read)
    return Read.takeError();
  Loaded = *Read;
  return Error::success();
}

const MachineSeeds::Vector &
MachineSeeds::find(Vectors &Known, unsigned Number, StringRef Section,
                   float Weight, function_ref<std::string()> Entity) {
  auto [Found, New] = Known.try_emplace(Number);
  if (New) {
    Found->second = Loaded->find(Section, Entity()).vec();
    for (double &Element : Found->second)
      Element *= Weight;
  }
  return Found->second;
}

const MachineSeeds::Vector &MachineSeeds::ofOpcode(const MachineInstr &MI,
                                                   const TargetInstrInfo &TII) {
  return find(Opcodes, MI.getOpcode(), OpcodeSection, mir2vec::OpcWeight, [&] {
    return mir2vec::MIRVocabulary::extractBaseOpcodeName(
        TII.getName(MI.getOpcode()));
  });
}

const MachineSeeds::Vector &
MachineSeeds::ofOperand(const MachineOperand &MO,
                        const MachineRegisterInfo &MRI) {
  const unsigned Type = MO.getType();
  if (Type != MachineOperand::MO_Register) {
    if (Type > std::size(CommonOperandNames))
      return None;
    return find(CommonOperands, Type, CommonSection,
                mir2vec::CommonOperandWeight,
                [&] { return CommonOperandNames[Type - 1].str(); });
  }
  const Register Reg = MO.getReg();
  const TargetRegisterInfo &TRI = *MRI.getTargetRegisterInfo();
  if (Reg.isPhysical())
    return find(PhysicalRegisters, Reg.id(), PhysicalSection,
                mir2vec::RegOperandWeight, [&]() -> std::string {
                  const auto *Class = TRI.getMinimalPhysRegClass(Reg);
                  return Class ? TRI.getRegClassName(Class) : "";
                });
  const auto *Class = Reg.isVirtual() ? MRI.getRegClassOrNull(Reg) : nullptr;
  if (!Class)
    return None;
  return find(VirtualRegisters, Class->getID(), VirtualSection,
              mir2vec::RegOperandWeight,
              [&] { return std::string(TRI.getRegClassName(Class)); });
}

static void addTo(MutableArrayRef<double> To, ArrayRef<double> Vector) {
  for (size_t I = 0; I != Vector.size(); ++I)
    To[I] += Vector[I];
}

void MachineSeeds::add(const MachineInstr &MI, MutableArrayRef<double> To) {
  if (MI.isDebugInstr())
    return;
  const MachineFunction &MF = *MI.getMF();
  addTo(To, ofOpcode(MI, *MF.getSubtarget().getInstrInfo()));
  for (const MachineOperand &MO : MI.operands())
    addTo(To, ofOperand(MO, MF.getRegInfo()));
}
