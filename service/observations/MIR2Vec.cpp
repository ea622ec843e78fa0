//===- MIR2Vec.cpp - MIR2Vec embeddings -----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Computes what LLVM's mir2vec::MIREmbedder computes, except for rounding. But
/// LLVM searches its vocabulary for the name of each opcode, and crashes at
/// registers without a class, such as $mxcsr.
///
//===----------------------------------------------------------------------===//

#include "llvm/CodeGen/MIR2Vec.h"
#include "ObservationSource.h"
#include "SymbolNames.h"
#include "TensorSpecs.h"
#include "Vocabularies.h"
#include "llvm/ADT/DepthFirstIterator.h"
#include "llvm/CodeGen/MachineFunction.h"
#include "llvm/CodeGen/TargetInstrInfo.h"
#include "llvm/CodeGen/TargetRegisterInfo.h"
#include "llvm/CodeGen/TargetSubtargetInfo.h"
#include <limits>

using namespace llvm;
using namespace mlcompiler;

static constexpr size_t Dimension = 100;

namespace {

/// The weighted seed embeddings of a target's entities, by LLVM's numbers for
/// them.
class MachineSeeds {
public:
  Error load(const Triple &TheTriple);
  bool isLoaded() const { return Loaded; }

  /// Adds the vector of a function to \p To.
  void add(const MachineFunction &MF, MutableArrayRef<double> To);

private:
  /// An embedding; empty if the entity has none.
  using Vector = std::vector<double>;
  /// Embeddings by number. Entities that have not come up yet are missing.
  using Vectors = DenseMap<unsigned, Vector>;

  const Vector &find(Vectors &Known, unsigned Number, StringRef Section,
                     float Weight, function_ref<std::string()> Entity);
  const Vector &ofOpcode(const MachineInstr &MI, const TargetInstrInfo &TII);
  const Vector &ofOperand(const MachineOperand &MO,
                          const MachineRegisterInfo &MRI);

  const Vocabulary *Loaded = nullptr;
  Vectors Opcodes;
  Vectors CommonOperands;
  Vectors PhysicalRegisters;
  /// The embeddings of virtual registers, by class.
  Vectors VirtualRegisters;
  const Vector None;
};

class MIR2Vec : public ObservationSource {
public:
  void describe(proto::ObservationSpec &Spec) const override;
  Error observe(const ObservationContext &Context,
                proto::Observation &Out) override;

private:
  struct Function {
    std::string Name;
    std::vector<double> Row;
  };

  Function embed(const MachineFunction &MF);

  MachineSeeds Seeds;
  /// When Known was computed, by Compilation::version().
  uint64_t Version = 0;
  std::vector<Function> Known;
};

} // namespace

static ObservationRegistry::Add<MIR2Vec>
    X("mir2vec",
      "MIR2Vec's symbolic embedding: the sum of the seed embeddings of opcode "
      "and operands of each machine instruction that can be reached. While the "
      "compiler is stopped in a machine function, it is that function's as it "
      "stands. Otherwise it is the module's with instructions selected, as "
      "`llc -stop-after=finalize-isel` has it. For x86-64 and "
      "AArch64. Source: VenkataKeerthy et al., CC 2023; "
      "llvm/CodeGen/MIR2Vec.h.");

//===----------------------------------------------------------------------===//
// Seeds
//===----------------------------------------------------------------------===//

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
  StringRef Target;
  switch (TheTriple.getArch()) {
  case Triple::x86_64:
    Target = "x86-64";
    break;
  case Triple::aarch64:
    Target = "aarch64";
    break;
  default:
    return fail(proto::INVALID_ARGUMENT,
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

void MachineSeeds::add(const MachineFunction &MF, MutableArrayRef<double> To) {
  const TargetInstrInfo &TII = *MF.getSubtarget().getInstrInfo();
  for (const MachineBasicBlock *MBB : depth_first(&MF))
    for (const MachineInstr &MI : *MBB) {
      if (MI.isDebugInstr())
        continue;
      addTo(To, ofOpcode(MI, TII));
      for (const MachineOperand &MO : MI.operands())
        addTo(To, ofOperand(MO, MF.getRegInfo()));
    }
}

//===----------------------------------------------------------------------===//
// MIR2Vec
//===----------------------------------------------------------------------===//

void MIR2Vec::describe(proto::ObservationSpec &Spec) const {
  Spec.set_media("tensors");
  proto::TensorSpec &Tensor = *Spec.add_tensors();
  Tensor.set_name("vector");
  Tensor.set_dtype(proto::FLOAT32);
  Tensor.add_shape(Dimension);
  setBounds(Tensor, -std::numeric_limits<float>::max(),
            std::numeric_limits<float>::max());
  Tensor.set_doc("the embedding, of no unit and not normalised");
  Spec.add_scopes("module");
  Spec.add_scopes("function");
}

MIR2Vec::Function MIR2Vec::embed(const MachineFunction &MF) {
  Function Result{MF.getName().str(), std::vector<double>(Dimension)};
  Seeds.add(MF, Result.Row);
  return Result;
}

static void append(ArrayRef<double> Row, std::string &To) {
  for (double Element : Row) {
    const float Value = static_cast<float>(Element);
    To.append(reinterpret_cast<const char *>(&Value), sizeof(Value));
  }
}

Error MIR2Vec::observe(const ObservationContext &Context,
                       proto::Observation &Out) {
  Compilation &C = Context.Compile;
  if (!Seeds.isLoaded())
    if (Error E = Seeds.load(C.module().getTargetTriple()))
      return E;
  std::vector<Function> Current;
  const MachineFunction *MF =
      Context.Stopped ? Context.Stopped->machineFunction() : nullptr;
  if (MF) {
    Current.push_back(embed(*MF));
  } else if (Version != C.codeVersion()) {
    std::vector<Function> Selected;
    if (Error E = C.select(
            [&](const MachineFunction &MF) { Selected.push_back(embed(MF)); }))
      return E;
    Known = std::move(Selected);
    Version = C.codeVersion();
  }
  ArrayRef<Function> Functions = MF ? Current : Known;
  proto::Tensor &Tensor = *Out.add_tensors();
  Tensor.set_name("vector");
  Tensor.set_dtype(proto::FLOAT32);
  if (Context.Of == Scope::Function) {
    Tensor.add_shape(static_cast<int64_t>(Functions.size()));
    for (const Function &F : Functions) {
      append(F.Row, *Tensor.mutable_data());
      Out.add_rows(toText(F.Name));
    }
  } else {
    std::vector<double> Sum(Dimension);
    for (const Function &F : Functions)
      addTo(Sum, F.Row);
    append(Sum, *Tensor.mutable_data());
  }
  Tensor.add_shape(Dimension);
  return Error::success();
}
