//===- BlockCycles.cpp - llvm-mca's cycles, block by block ----------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "BlockCycles.h"
#include "BlockLatency.h"
#include "BlockStreamer.h"
#include "llvm/MC/MCContext.h"
#include "llvm/MC/MCExpr.h"
#include "llvm/MC/MCInst.h"
#include "llvm/MC/MCInstrAnalysis.h"
#include "llvm/MC/MCInstrInfo.h"
#include "llvm/MC/MCRegisterInfo.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/MCA/CustomBehaviour.h"
#include "llvm/MCA/InstrBuilder.h"
#include "llvm/MCA/Support.h"
#include "llvm/Target/TargetMachine.h"
#include <unistd.h>

using namespace llvm;
using namespace mlcompiler;

/// The symbol of an operand, which may also have an offset; empty if it has
/// none.
static StringRef symbolOf(const MCOperand &Operand) {
  const MCExpr *Expr = Operand.isExpr() ? Operand.getExpr() : nullptr;
  while (Expr) {
    if (const auto *Reference = dyn_cast<MCSymbolRefExpr>(Expr))
      return Reference->getSymbol().getName();
    if (const auto *Specified = dyn_cast<MCSpecifierExpr>(Expr))
      Expr = Specified->getSubExpr();
    else if (const auto *Binary = dyn_cast<MCBinaryExpr>(Expr))
      Expr = Binary->getLHS();
    else
      break;
  }
  return "";
}

namespace {

/// Silences stderr, which belongs to the client: llvm-mca's library prints a
/// warning for every call and return.
class SilentStderr {
public:
  SilentStderr() : Saved(dup(STDERR_FILENO)) {
    // Standard input is the null device. A session cannot open it again.
    dup2(STDIN_FILENO, STDERR_FILENO);
  }
  ~SilentStderr() {
    dup2(Saved, STDERR_FILENO);
    close(Saved);
  }

private:
  const int Saved;
};

/// Costs blocks by llvm-mca's tables.
class CostModel {
public:
  CostModel(const MCSubtargetInfo &STI, const MCInstrInfo &Instructions,
            const MCRegisterInfo &Registers, const MCInstrAnalysis *Analysis)
      : STI(STI), Model(STI.getSchedModel()), Instructions(Instructions),
        Registers(Registers), Instruments(STI, Instructions),
        Builder(STI, Instructions, Registers, Analysis, Instruments,
                /*CallLatency=*/100),
        Masks(Model.getNumProcResourceKinds()) {
    mca::computeProcResourceMasks(Model, Masks);
    for (unsigned I = 1; I < Masks.size(); ++I)
      ResourceOf[mca::getResourceStateIndex(Masks[I])] = I;
  }

  /// The costs of one execution of the block.
  BlockCosts cost(ArrayRef<MCInst> Block) {
    BlockCosts Costs;
    unsigned MicroOps = 0;
    SmallVector<unsigned, 32> Usage(Masks.size());
    SmallVector<TimedInstruction, 16> Timed;
    // The builder remembers instructions by their addresses.
    Builder.clear();
    for (const MCInst &Each : Block) {
      const MCInstrDesc &Description = Instructions.get(Each.getOpcode());
      count(Description, Costs);
      auto Instruction = Builder.createInstruction(Each, {});
      if (!Instruction) {
        // An instruction without a scheduling class still has to be issued.
        consumeError(Instruction.takeError());
        ++MicroOps;
        continue;
      }
      const mca::InstrDesc &Known = (*Instruction)->getDesc();
      MicroOps += (*Instruction)->getNumMicroOps();
      for (const auto &[Mask, Used] : Known.Resources)
        if (Used.size())
          Usage[ResourceOf[mca::getResourceStateIndex(Mask)]] += Used.size();
      // A callee's time is counted in the callee.
      if (Description.isCall())
        continue;
      if (Known.MaxLatency >= SlowLatency)
        Costs[BlockCosts::slow] += Known.MaxLatency;
      Timed.push_back(time(Each, Description, **Instruction));
    }
    const BlockLatency Latency = timeBlock(Timed);
    Costs[BlockCosts::micro_ops] = MicroOps;
    Costs[BlockCosts::throughput] =
        mca::computeBlockRThroughput(Model, Model.IssueWidth, MicroOps, Usage);
    Costs[BlockCosts::latency] = Latency.Once;
    Costs[BlockCosts::repeated_latency] = Latency.Repeated;
    Costs[BlockCosts::forwarded] = Latency.Forwarded;
    Costs[BlockCosts::blocks] = 1;
    return Costs;
  }

private:
  /// Cycles of a slow instruction. A multiplication that loads takes fewer.
  static constexpr unsigned SlowLatency = 15;

  void count(const MCInstrDesc &Description, BlockCosts &Costs) const {
    ++Costs[BlockCosts::instructions];
    Costs[BlockCosts::loads] += Description.mayLoad();
    Costs[BlockCosts::stores] += Description.mayStore();
    Costs[BlockCosts::conditional] += Description.isConditionalBranch();
    Costs[BlockCosts::jumps] +=
        Description.isUnconditionalBranch() || Description.isIndirectBranch();
    Costs[BlockCosts::calls] += Description.isCall();
    Costs[BlockCosts::returns] += Description.isReturn();
    Costs[BlockCosts::moves] += Description.isMoveReg();
    Costs[BlockCosts::vectors] +=
        any_of(Description.operands(), [&](const MCOperandInfo &Operand) {
          return Operand.RegClass >= 0 && !Operand.isLookupRegClassByHwMode() &&
                 Registers.getRegClass(Operand.RegClass).getSizeInBits() >= 128;
        });
  }

  void addUnits(MCPhysReg Register, SmallVectorImpl<unsigned> &To) const {
    if (Register)
      for (MCRegUnit Unit : Registers.regunits(Register))
        To.push_back(static_cast<unsigned>(Unit));
  }

  TimedInstruction time(const MCInst &Inst, const MCInstrDesc &Description,
                        const mca::Instruction &Known) const {
    TimedInstruction Timed;
    Timed.Latency = Known.getDesc().MaxLatency;
    Timed.Loads = Description.mayLoad();
    Timed.Stores = Description.mayStore();
    SmallVector<unsigned, 4> Units;
    for (const mca::ReadState &Read : Known.getUses()) {
      if (Read.isIndependentFromDef())
        continue;
      // An operand that is combined with a load is needed when the load is
      // done.
      const mca::ReadDescriptor &Of = Read.getDescriptor();
      const int Later = STI.getReadAdvanceCycles(
          Model.getSchedClassDesc(Of.SchedClassID), Of.UseIndex, 0);
      Units.clear();
      addUnits(Read.getRegisterID(), Units);
      for (unsigned Unit : Units)
        Timed.Reads.push_back({Unit, Later});
    }
    for (const mca::WriteState &Write : Known.getDefs()) {
      Units.clear();
      addUnits(Write.getRegisterID(), Units);
      for (unsigned Unit : Units)
        Timed.Writes.push_back({Unit, unsigned(Write.getLatency())});
    }
    if (Timed.Loads || Timed.Stores)
      findAddress(Inst, Description, Timed);
    return Timed;
  }

  /// Finds the operands that make up the address. If the target does not mark
  /// them, they are all but the first, which is what is loaded or stored.
  void findAddress(const MCInst &Inst, const MCInstrDesc &Description,
                   TimedInstruction &Timed) const {
    ArrayRef<MCOperandInfo> Operands = Description.operands();
    const bool Marked = any_of(Operands, isAddress);
    hash_code Hash = 0;
    for (auto [Place, Operand] : enumerate(Inst)) {
      if (Marked ? Place >= Operands.size() || !isAddress(Operands[Place])
                 : Place == 0)
        continue;
      if (Operand.isReg()) {
        Hash = hash_combine(Hash, Operand.getReg().id());
        addUnits(Operand.getReg(), Timed.AddressRegisters);
      } else if (Operand.isImm()) {
        Hash = hash_combine(Hash, Operand.getImm());
      } else if (Operand.isExpr()) {
        Hash = hash_combine(Hash, symbolOf(Operand));
      }
    }
    Timed.Address = Hash;
  }

  static bool isAddress(const MCOperandInfo &Operand) {
    return Operand.OperandType == MCOI::OPERAND_MEMORY;
  }

  const MCSubtargetInfo &STI;
  const MCSchedModel &Model;
  const MCInstrInfo &Instructions;
  const MCRegisterInfo &Registers;
  mca::InstrumentManager Instruments;
  mca::InstrBuilder Builder;
  SmallVector<uint64_t, 32> Masks;
  DenseMap<unsigned, unsigned> ResourceOf;
};

} // namespace

/// Adds the symbols that the calls and jumps of a block name.
static void findTargets(ArrayRef<MCInst> Block, const MCInstrInfo &Instructions,
                        SmallVectorImpl<StringRef> &Targets) {
  Targets.clear();
  for (const MCInst &Each : Block) {
    const MCInstrDesc &Description = Instructions.get(Each.getOpcode());
    if (!Description.isCall() && !Description.isBranch())
      continue;
    StringRef Symbol;
    for (const MCOperand &Operand : Each)
      if (StringRef Named = symbolOf(Operand); !Named.empty())
        Symbol = Named;
    if (!Symbol.empty() || Description.isCall())
      Targets.push_back(Symbol);
  }
}

Error mlcompiler::costBlocks(Compilation &C, StringRef Objective,
                             function_ref<void(const CostedBlock &)> Consumer) {
  std::string WithoutModel;
  const MCRegisterInfo *Registers = nullptr;
  std::unique_ptr<MCInstrInfo> Instructions;
  std::unique_ptr<MCInstrAnalysis> Analysis;
  std::unique_ptr<MCSubtargetInfo> Wanted;
  DenseMap<const MCSubtargetInfo *, std::unique_ptr<CostModel>> Models;
  SmallVector<StringRef, 8> Targets;
  auto Add = [&](const StreamedBlock &Block) {
    const MCSubtargetInfo &STI = Wanted ? *Wanted : Block.Subtarget;
    if (!STI.getSchedModel().hasInstrSchedModel()) {
      WithoutModel = STI.getCPU().str();
      return;
    }
    auto &Model = Models[&STI];
    if (!Model)
      Model = std::make_unique<CostModel>(STI, *Instructions, *Registers,
                                          Analysis.get());
    findTargets(Block.Instructions, *Instructions, Targets);
    BlockCosts Costs = Model->cost(Block.Instructions);
    Costs[BlockCosts::taken] = Block.Taken;
    Costs[BlockCosts::unpredictable] = Block.Unlikely;
    Consumer({Block.Function, Block.Frequency, Costs, Targets});
  };
  auto AddPrinter = [&](TargetMachine &TM, legacy::PassManagerBase &PM,
                        MCContext &MC) {
    Registers = MC.getRegisterInfo();
    // A function that names a cpu is compiled for that cpu, as by `llc`. Its
    // cost is still that on the cpu that the user names.
    if (!C.cpu().empty())
      Wanted.reset(TM.getTarget().createMCSubtargetInfo(
          TM.getTargetTriple(), C.cpu(), TM.getTargetFeatureString()));
    Instructions.reset(TM.getTarget().createMCInstrInfo());
    Analysis.reset(TM.getTarget().createMCInstrAnalysis(Instructions.get()));
    return addBlockPrinter(TM, PM, MC, Add);
  };
  SilentStderr Silent;
  if (Error E = C.generate(AddPrinter))
    return E;
  if (!WithoutModel.empty())
    return fail(proto::INVALID_ARGUMENT,
                "LLVM has no scheduling model for cpu '" + WithoutModel +
                    "', which " + Objective.str() + " needs; name another cpu");
  return Error::success();
}
