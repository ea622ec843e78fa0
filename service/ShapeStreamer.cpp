//===- ShapeStreamer.cpp - The room that functions take -------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "ShapeStreamer.h"
#include "FrequencyPass.h"
#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/CodeGen/AsmPrinter.h"
#include "llvm/CodeGen/MachineFunction.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/MCAsmBackend.h"
#include "llvm/MC/MCCodeEmitter.h"
#include "llvm/MC/MCContext.h"
#include "llvm/MC/MCExpr.h"
#include "llvm/MC/MCInst.h"
#include "llvm/MC/MCInstrInfo.h"
#include "llvm/MC/MCSectionELF.h"
#include "llvm/MC/MCStreamer.h"
#include "llvm/MC/MCSymbolELF.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Target/TargetMachine.h"

using namespace llvm;
using namespace mlcompiler;

namespace {

using Part = CodeShape::Part;

/// Does as much of an object streamer's work as sizes need: it encodes every
/// instruction, and keeps its length.
class ShapeStreamer : public MCStreamer {
public:
  ShapeStreamer(MCContext &Context, const TargetMachine &Target,
                ShapeConsumer Consumer)
      : MCStreamer(Context), Consumer(Consumer),
        Instructions(*Target.getMCInstrInfo()),
        Backend(Target.getTarget().createMCAsmBackend(
            *Target.getMCSubtargetInfo(), *Target.getMCRegisterInfo(),
            Target.Options.MCOptions)),
        Emitter(Target.getTarget().createMCCodeEmitter(Instructions, Context)) {
  }

  bool isUsable() const { return Backend && Emitter; }

  void beginFunction(const MachineFunction &MF) {
    finishFunction();
    Function = MF.getName().str();
  }

  void emitLabel(MCSymbol *Symbol, SMLoc Loc) override {
    MCStreamer::emitLabel(Symbol, Loc);
    if (!isInText())
      return;
    if (Symbol->getName() == Function)
      add({Part::Entry});
    else
      add({Part::Label, 0, 0, number(*Symbol)});
  }

  void emitInstruction(const MCInst &Instruction,
                       const MCSubtargetInfo &STI) override {
    if (!isInText())
      return;
    const uint32_t Size = encodedSize(Instruction, STI);
    if (!Backend->mayNeedRelaxation(Instruction.getOpcode(),
                                    Instruction.getOperands(), STI)) {
      add({Part::Bytes, Size});
      return;
    }
    const MCSymbolRefExpr *Target = branchTarget(Instruction);
    if (!Target) {
      IsKnown = false;
      return;
    }
    MCInst Long = Instruction;
    Backend->relaxInstruction(Long, STI);
    Part Added{Part::Branch, Size, encodedSize(Long, STI)};
    const MCSymbol &Symbol = Target->getSymbol();
    if (Symbol.isTemporary() && !Symbol.getName().ends_with(LocalSuffix)) {
      Added.Target = number(Symbol);
    } else {
      Added.What = Part::Jump;
      // With a specifier, only the linker knows how far away the callee is.
      Added.Target = callee(Target->getSpecifier() ? "" : Symbol.getName());
    }
    add(Added);
  }

  void emitCodeAlignment(Align Alignment, const MCSubtargetInfo *STI,
                         unsigned MaxBytesToEmit) override {
    if (isInText())
      add({Part::Alignment, static_cast<uint32_t>(Alignment.value()), 0,
           MaxBytesToEmit ? MaxBytesToEmit
                          : static_cast<uint32_t>(Alignment.value())});
  }

  // The size of anything but an instruction is not known here.
  void emitBytes(StringRef Data) override { addUnknown(); }
  void emitValueImpl(const MCExpr *Value, unsigned Size, SMLoc Loc) override {
    addUnknown();
  }
  void emitULEB128Value(const MCExpr *Value) override { addUnknown(); }
  void emitSLEB128Value(const MCExpr *Value) override { addUnknown(); }
  void emitFill(const MCExpr &NumBytes, uint64_t FillValue,
                SMLoc Loc) override {
    addUnknown();
  }
  void emitFill(const MCExpr &NumValues, int64_t Size, int64_t Expr,
                SMLoc Loc) override {
    addUnknown();
  }
  void emitNops(int64_t NumBytes, int64_t ControlledNopLength, SMLoc Loc,
                const MCSubtargetInfo &STI) override {
    addUnknown();
  }
  void emitValueToAlignment(Align Alignment, int64_t Fill, uint8_t FillLength,
                            unsigned MaxBytesToEmit) override {
    addUnknown();
  }
  void emitValueToOffset(const MCExpr *Offset, unsigned char Value,
                         SMLoc Loc) override {
    addUnknown();
  }

  bool emitSymbolAttribute(MCSymbol *, MCSymbolAttr) override { return true; }
  void emitCommonSymbol(MCSymbol *, uint64_t, Align) override {}
  void finishImpl() override { finishFunction(); }

private:
  /// The suffix of the symbol that the assembly printer makes for a function
  /// that it knows to be near. The prefix is ".L".
  static constexpr StringLiteral LocalSuffix = "$local";

  bool isInText() const {
    const MCSection *Current = getCurrentSectionOnly();
    return Current && Current->isText();
  }

  void add(Part P) {
    const auto *Current =
        static_cast<const MCSectionELF *>(getCurrentSectionOnly());
    if (Shape.Parts.empty()) {
      Section = Current;
      Shape.Section = Current->getName().str();
      // Each group has a section of its own with the same name.
      if (const MCSymbolELF *Group = Current->getGroup())
        Shape.Section += '\0' + Group->getName().str();
    } else if (Section != Current) {
      IsKnown = false;
    }
    if (P.What == Part::Bytes && !Shape.Parts.empty() &&
        Shape.Parts.back().What == Part::Bytes)
      Shape.Parts.back().Size += P.Size;
    else
      Shape.Parts.push_back(P);
  }

  void addUnknown() {
    if (isInText()) {
      add({Part::Bytes});
      IsKnown = false;
    }
  }

  uint32_t encodedSize(const MCInst &Instruction, const MCSubtargetInfo &STI) {
    Code.clear();
    Fixups.clear();
    Emitter->encodeInstruction(Instruction, Code, Fixups, STI);
    return static_cast<uint32_t>(Code.size());
  }

  const MCSymbolRefExpr *branchTarget(const MCInst &Instruction) const {
    if (!Instructions.get(Instruction.getOpcode()).isBranch() ||
        !Instruction.getNumOperands() || !Instruction.getOperand(0).isExpr())
      return nullptr;
    return dyn_cast<MCSymbolRefExpr>(Instruction.getOperand(0).getExpr());
  }

  uint32_t number(const MCSymbol &Label) {
    return Labels.try_emplace(&Label, Labels.size()).first->second;
  }

  uint32_t callee(StringRef Symbol) {
    if (Symbol.consume_back(LocalSuffix))
      Symbol.consume_front(".L");
    auto Found = llvm::find(Shape.Callees, Symbol);
    if (Found == Shape.Callees.end())
      Found = Shape.Callees.insert(Found, Symbol.str());
    return static_cast<uint32_t>(Found - Shape.Callees.begin());
  }

  void finishFunction() {
    if (!Shape.Parts.empty())
      Consumer(Function, IsKnown && !Function.empty()
                             ? std::optional(withoutIdleLabels())
                             : std::nullopt);
    Function.clear();
    Shape = CodeShape();
    Labels.clear();
    IsKnown = true;
  }

  CodeShape withoutIdleLabels() {
    BitVector Used(Labels.size());
    for (const Part &P : Shape.Parts)
      if (P.What == Part::Branch)
        Used.set(P.Target);
    CodeShape Result;
    Result.Section = std::move(Shape.Section);
    Result.Callees = std::move(Shape.Callees);
    for (const Part &P : Shape.Parts) {
      if (P.What == Part::Label && !Used[P.Target])
        continue;
      if (P.What == Part::Bytes && !Result.Parts.empty() &&
          Result.Parts.back().What == Part::Bytes)
        Result.Parts.back().Size += P.Size;
      else
        Result.Parts.push_back(P);
    }
    return Result;
  }

  ShapeConsumer Consumer;
  const MCInstrInfo &Instructions;
  const std::unique_ptr<MCAsmBackend> Backend;
  const std::unique_ptr<MCCodeEmitter> Emitter;
  SmallVector<char, 32> Code;
  SmallVector<MCFixup, 4> Fixups;

  std::string Function;
  CodeShape Shape;
  /// The section that the function is in.
  const MCSection *Section = nullptr;
  DenseMap<const MCSymbol *, uint32_t> Labels;
  bool IsKnown = true;
};

} // namespace

bool mlcompiler::addShapePrinter(TargetMachine &Target,
                                 legacy::PassManagerBase &PM,
                                 MCContext &Context, ShapeConsumer Consumer) {
  auto Streamer = std::make_unique<ShapeStreamer>(Context, Target, Consumer);
  if (!Streamer->isUsable())
    return true;
  Target.getTarget().createNullTargetStreamer(*Streamer);
  PM.add(createFrequencyPass(
      [&Shapes = *Streamer](const MachineFunction &MF,
                            const MachineBlockFrequencyInfo &) {
        Shapes.beginFunction(MF);
      }));
  AsmPrinter *Printer =
      Target.getTarget().createAsmPrinter(Target, std::move(Streamer));
  if (!Printer)
    return true;
  PM.add(Printer);
  return false;
}
