//===- FunctionKeys.cpp - What decides a function's code ------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// When LLVM's code generator for x86-64 generates the code of a function, it
/// also looks at:
///
/// - each global that the function names, without the bodies of other
///   functions: whether it is near, how it is aligned, which attributes calls
///   to it have. The value of a constant also counts: it is copied into
///   immediate operands, and loads through it may be folded, so that the
///   globals it names count in turn;
/// - the body of a function that returns one global variable, whose address
///   CodeGenPrepare uses in place of the call's result: mayReveal();
/// - flags of the module, its data layout, the target and LLVM's options;
/// - how often and in which order values are used (the loop strength reducer
///   takes the first use that it finds);
/// - how far away other functions are that it branches to; CodeShape.h deals
///   with that.
///
/// Modules that make it look at other functions are refused here. These are
/// modules with outlining, register allocation across functions, merged
/// globals, landing pads for indirect branches, inline assembly, or jumps to
/// blocks whose address is taken. Debug information is refused because its
/// records are not hashed.
///
//===----------------------------------------------------------------------===//

#include "FunctionKeys.h"
#include "CanonicalIR.h"
#include "CodeGeneration.h"
#include "SeenBodies.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/IR/GlobalAlias.h"
#include "llvm/IR/Metadata.h"
#include "llvm/Support/BLAKE3.h"
#include "llvm/Target/TargetMachine.h"

using namespace llvm;
using namespace mlcompiler;

static bool mayLookAtOthers(const TargetMachine &Target) {
  const TargetOptions &Options = Target.Options;
  return Options.EnableIPRA || Target.useIPRA() ||
         Options.SupportsDefaultOutlining ||
         Options.BBSections != BasicBlockSection::None || Options.EmulatedTLS ||
         Options.EnableMachineFunctionSplitter || Options.EmitAddrsig;
}

/// Whether a flag or list makes the code generator do something for the module
/// as a whole.
static bool hasModuleWideCode(const Module &M) {
  for (const StringRef Flag : {"cf-protection-branch", "ibt-seal", "kcfi"})
    if (M.getModuleFlag(Flag))
      return true;
  for (const StringRef Name : {"llvm.dbg.cu", "llvm.pseudo_probe_desc"})
    if (M.getNamedMetadata(Name))
      return true;
  return !M.getModuleInlineAsm().empty() || !M.ifuncs().empty();
}

/// Whether a global has the same name for assemblers and linkers as in the IR.
static bool isPlainlyNamed(const GlobalValue &GV) {
  return GV.hasName() && !GV.getName().starts_with("\1") &&
         !GV.getName().ends_with("$local") &&
         !GV.getName().ends_with(DroppedSuffix);
}

static bool isOrdinary(const Function &F) {
  return !F.hasPrivateLinkage() && !F.hasGC() && !F.hasPrefixData() &&
         !F.hasPrologueData() && !F.hasFnAttribute(Attribute::SafeStack);
}

bool mlcompiler::areFunctionsIndependent(const Module &M,
                                         const TargetMachine &Target) {
  const Triple &TheTriple = M.getTargetTriple();
  return TheTriple.getArch() == Triple::x86_64 &&
         TheTriple.isOSBinFormatELF() && !mayLookAtOthers(Target) &&
         !hasModuleWideCode(M) && all_of(M.global_values(), isPlainlyNamed) &&
         all_of(M.functions(), isOrdinary) &&
         all_of(M.aliases(), [](const GlobalAlias &A) {
           return isa<GlobalVariable>(A.getAliasee()) ||
                  (isa<Function>(A.getAliasee()) &&
                   isa<FunctionType>(A.getValueType()));
         });
}

static CodeKey hash(StringRef Bytes) {
  return BLAKE3::hash<32>(arrayRefFromStringRef(Bytes));
}

static StringRef text(const CodeKey &Key) {
  return StringRef(reinterpret_cast<const char *>(Key.data()), Key.size());
}

namespace {

/// Knows what is visible of each global, and looks at it once.
class Globals {
public:
  explicit Globals(CanonicalIR &Writer) : Writer(Writer) {}

  struct Known {
    bool Whole = false;
    /// Whether its body counts.
    bool Reveals = false;
    CodeKey Hash;
    std::vector<const GlobalValue *> Named;
  };

  const Known &of(const GlobalValue &GV) {
    auto [Place, New] = All.try_emplace(&GV);
    if (New) {
      Writer.clear();
      Writer.writeGlobal(GV);
      auto *F = dyn_cast<Function>(&GV);
      const bool Reveals = F && mayReveal(*F);
      if (Reveals)
        Writer.writeBody(*F);
      Place->second = std::make_unique<Known>(Known{Writer.isWhole(), Reveals,
                                                    hash(Writer.bytes()),
                                                    Writer.named().vec()});
    }
    return *Place->second;
  }

private:
  CanonicalIR &Writer;
  DenseMap<const GlobalValue *, std::unique_ptr<Known>> All;
};

} // namespace

/// Hashes what is the same for all functions.
static CodeKey hashSettings(const Module &M, StringRef Settings,
                            CanonicalIR &Writer) {
  Writer.clear();
  if (const NamedMDNode *Flags = M.getModuleFlagsMetadata())
    for (const MDNode *Flag : Flags->operands())
      Writer.writeMetadata(*Flag);
  std::string Text = (M.getTargetTriple().str() + "\n" + M.getDataLayoutStr() +
                      "\n" + Settings + "\n")
                         .str();
  Text += Writer.bytes();
  return hash(Text);
}

/// The order of the functions whose bodies count. When the code generator looks
/// at one, it has already changed those before it.
static std::string
orderOf(ArrayRef<const GlobalValue *> Functions,
        const DenseMap<const GlobalValue *, size_t> &Places) {
  std::vector<std::pair<size_t, size_t>> Order;
  for (const auto &[Index, F] : enumerate(Functions))
    Order.push_back({Places.lookup(F), Index});
  llvm::sort(Order);
  std::string Text;
  for (const auto &[Place, Index] : Order)
    Text += std::to_string(Index) + " ";
  return Text;
}

std::optional<std::vector<FunctionKey>>
mlcompiler::hashFunctions(const Module &M, StringRef Settings) {
  CanonicalIR Writer(M);
  const CodeKey Common = hashSettings(M, Settings, Writer);
  Globals Visible(Writer);
  DenseMap<const GlobalValue *, size_t> Places;
  for (const Function &F : M)
    Places[&F] = Places.size();
  std::vector<FunctionKey> Keys;
  for (const Function &F : M) {
    if (F.isDeclarationForLinker())
      continue;
    Writer.clear();
    Writer.writeBody(F);
    bool Whole = Writer.isWhole();
    BLAKE3 Hasher;
    Hasher.update(text(Common));
    Hasher.update(text(hash(Writer.bytes())));
    SetVector<const GlobalValue *> Reached;
    Reached.insert(&F);
    Reached.insert_range(Writer.named());
    SmallVector<const GlobalValue *> WithBodies{&F};
    for (size_t I = 0; I != Reached.size(); ++I) {
      const Globals::Known &Global = Visible.of(*Reached[I]);
      Whole &= Global.Whole;
      Hasher.update(text(Global.Hash));
      if (Global.Reveals && Reached[I] != &F)
        WithBodies.push_back(Reached[I]);
      Reached.insert_range(Global.Named);
    }
    if (!Whole)
      return std::nullopt;
    if (WithBodies.size() > 1)
      Hasher.update(orderOf(WithBodies, Places));
    Keys.push_back({&F, Hasher.final<32>()});
  }
  return Keys;
}
