//===- LoopFactors.cpp - How wide and how often a loop is made ------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Hands out the factors that LLVM has a cost model for: by how much each
/// innermost loop is vectorised, interleaved and unrolled. The agent's choice
/// is put into the metadata of the loop, as by `#pragma clang loop`, before
/// LLVM's vectoriser. LLVM's remarks then tell what it did.
///
//===----------------------------------------------------------------------===//

#include "DecisionPoint.h"
#include "Failure.h"
#include "IR2VecCounts.h"
#include "LoopFactorsReport.h"
#include "LoopFacts.h"
#include "LoopFlags.h"
#include "Rehearsal.h"
#include "SymbolNames.h"
#include "Task.h"
#include "llvm/IR/ModuleSlotTracker.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Transforms/Scalar/LoopPassManager.h"
#include "llvm/Transforms/Scalar/LoopRotation.h"
#include <algorithm>

using namespace llvm;
using namespace mlcompiler;

namespace {

constexpr const char *MaskName = "mask";
constexpr const char *CostModelName = "cost_model";
constexpr const char *EmbeddingName = "ir2vec";
constexpr const char *ReorderingFlag = "hints-allow-reordering";
constexpr float Largest = 1e9f;

/// The length of an embedding.
constexpr size_t Dimension = 75;

/// One of the factors of a loop that an agent may choose.
struct Factor {
  const char *Name;
  const char *Doc;
  /// The values that it can have; 0 is LLVM's choice.
  ArrayRef<unsigned> Values;
  /// The property that sets it, and the prefix of all properties about the same
  /// factor.
  const char *Property;
  const char *Prefix;
};

constexpr unsigned Widths[] = {0, 1, 2, 4, 8, 16};
constexpr unsigned Factorings[] = {0, 1, 2, 4, 8};
// LLVM never unrolls and jams by itself.
constexpr unsigned Jams[] = {0, 2, 4, 8};
enum { Width, Interleave, Unroll, UnrollAndJam, FactorCount };
constexpr Factor Factors[FactorCount] = {
    {"width", "how many iterations a vector instruction makes at once", Widths,
     "llvm.loop.vectorize.width", "llvm.loop.vectorize."},
    {"interleave",
     "how many vectors, or if there are none iterations, are "
     "under way at the same time",
     Factorings, "llvm.loop.interleave.count", "llvm.loop.interleave."},
    {"unroll",
     "how many copies of the body, vectorised or not, the loop has "
     "behind one another",
     Factorings, "llvm.loop.unroll.count", "llvm.loop.unroll."},
    {"unroll_and_jam",
     "how many iterations of the loop around it are made in "
     "one run of this one, if that loop has no other",
     Jams, "llvm.loop.unroll_and_jam.count", "llvm.loop.unroll_and_jam."},
};

/// What LLVM's cost model would choose.
constexpr FeatureText CostModelFeatures[] = {
    {"width", "iterations that a vector instruction makes"},
    {"interleave", "vectors under way at the same time"},
    {"unroll", "copies of the body"},
};

class LoopFactors : public PipelineTask {
public:
  void apply(LLVMOptions &Process) const override;
  void install(PassBuilder &PB, ModuleAnalysisManager &MAM) override;
  void write(Tensors &To) const override;
  json::Object describeDecision() const override;
  std::string decisionLabel() const override;
  json::Array taken() const override;

  /// Asks about the innermost loops of \p F, which are rotated, before the
  /// vectoriser.
  void enter(Function &F, FunctionAnalysisManager &FAM);
  /// Called behind the passes that the factors are for.
  void leave();

private:
  void declare(TaskOptions &Options) override;
  Error check() override;
  void describe(proto::TaskSpec &Spec) const override;
  std::vector<TensorSpec> features() const;
  int64_t actionCount() const;
  void describeCombinations(proto::ActionSpec &Action) const;
  void describeChoices(proto::ActionSpec &Action) const;
  SmallVector<unsigned> ask() const;
  bool lookAtCostModel();
  void examine(LoopAnalyst &Analyst);
  bool isLegal(size_t Which, unsigned Value) const;
  bool decide(TakenFactors &Entry);
  void embed(Tensors::Elements<float> To) const;

  bool IsAsked[FactorCount] = {true, true, true, false};
  bool ShowsCostModel = false;
  bool IsEmbedded = false;
  bool IsFlat = true;
  /// The factors asked for, in the order of Factors.
  SmallVector<size_t> Asked;
  /// The right to set options. When a parked session is forked, the fork has it
  /// as well.
  mutable std::optional<LLVMOptions> Process;
  Seeds Seed;
  LoopFactorsReport Report;
  /// What the cost model would choose for the function's loops, by their
  /// numbers, as CostModelFeatures. Empty unless that is shown.
  std::vector<std::vector<int64_t>> ByItself;
  /// Whether this is a fork that finds that out. It asks nothing, and its
  /// report has the function's loops from FirstAhead on.
  bool LooksAhead = false;
  size_t FirstAhead = 0;

  // The loop that the current decision is about.
  std::string Name;
  size_t Number = 0;
  Loop *L = nullptr;
  LoopFacts Facts;
  /// For each factor asked for, which of its values are legal.
  SmallVector<SmallVector<bool>> Legal;
};

/// Runs before the vectoriser.
struct LoopFactorsPass : PassInfoMixin<LoopFactorsPass> {
  explicit LoopFactorsPass(LoopFactors &Task) : Task(&Task) {}

  PreservedAnalyses run(Function &F, FunctionAnalysisManager &FAM) {
    Task->enter(F, FAM);
    // No analysis depends on the metadata of loops.
    return PreservedAnalyses::all();
  }

  LoopFactors *Task;
};

/// Runs behind the unroller.
struct LoopFactorsEndPass : PassInfoMixin<LoopFactorsEndPass> {
  explicit LoopFactorsEndPass(LoopFactors &Task) : Task(&Task) {}

  PreservedAnalyses run(Function &, FunctionAnalysisManager &) {
    Task->leave();
    return PreservedAnalyses::all();
  }

  LoopFactors *Task;
};

} // namespace

static TaskRegistry::Add<LoopFactors>
    X("loop_factors", "By how much each innermost loop is vectorised, "
                      "interleaved and unrolled.");

void LoopFactors::declare(TaskOptions &Options) {
  for (size_t Which = 0; Which != FactorCount; ++Which)
    Options.flag(Factors[Which].Name, IsAsked[Which],
                 Twine("whether to ask ") + Factors[Which].Doc);
  Options.flag(CostModelName, ShowsCostModel,
               "whether to show what LLVM would do by itself, which takes the "
               "passes from the vectoriser to the unroller once more");
  Options.flag(EmbeddingName, IsEmbedded,
               "whether to send IR2Vec's embedding of the loop");
  Options.flag("flat", IsFlat,
               "whether an action is the number of a combination; otherwise it "
               "has an element for each factor");
}

Error LoopFactors::check() {
  for (size_t Which = 0; Which != FactorCount; ++Which)
    if (IsAsked[Which])
      Asked.push_back(Which);
  if (!Asked.empty())
    return Error::success();
  return fail(proto::INVALID_ARGUMENT,
              "nothing is asked: one of the options width, interleave, unroll "
              "and unroll_and_jam must be true");
}

void LoopFactors::apply(LLVMOptions &Rights) const {
  Process = Rights;
  // The pass is off by default. Without the metadata it does nothing.
  Process->set("enable-unroll-and-jam",
               IsAsked[UnrollAndJam] ? "true" : "false");
}

int64_t LoopFactors::actionCount() const {
  int64_t Count = 1;
  for (size_t Which : Asked)
    Count *= Factors[Which].Values.size();
  return Count;
}

/// The values that an action stands for, one for each factor asked for; the
/// last one changes fastest.
static SmallVector<unsigned> decode(int64_t Action, ArrayRef<size_t> Asked) {
  SmallVector<unsigned> Values(Asked.size());
  for (size_t At = Asked.size(); At-- != 0;) {
    const ArrayRef<unsigned> Known = Factors[Asked[At]].Values;
    Values[At] = Known[Action % Known.size()];
    Action /= Known.size();
  }
  return Values;
}

std::vector<TensorSpec> LoopFactors::features() const {
  int64_t Flags = 0;
  for (size_t Which : Asked)
    Flags += Factors[Which].Values.size();
  return {TensorSpec::createSpec<int64_t>(MaskName,
                                          {IsFlat ? actionCount() : Flags}),
          TensorSpec::createSpec<float>("loop", {LoopFeatureCount}),
          TensorSpec::createSpec<float>("body", {BodyFeatureCount}),
          TensorSpec::createSpec<float>(
              CostModelName, {int64_t(std::size(CostModelFeatures))}),
          TensorSpec::createSpec<float>(EmbeddingName, {Dimension})};
}

static std::string spell(unsigned Value) {
  return Value ? std::to_string(Value) : "LLVM's";
}

void LoopFactors::describe(proto::TaskSpec &Spec) const {
  Spec.set_default_pipeline("default<O3>");
  Spec.set_default_objective("loop_cost");
  Spec.set_default_programs("loops");
  Spec.set_default_level("O2");
  // Action 0 leaves every factor to LLVM.
  Spec.mutable_heuristic()->set_action(0);
  Spec.set_inactive_action(0);
  proto::ActionSpec &Action = *Spec.mutable_action();
  Action.mutable_tensor()->set_doc("what is asked of LLVM for the loop");
  Action.set_mask(MaskName);
  if (IsFlat)
    describeCombinations(Action);
  else
    describeChoices(Action);

  const std::string Docs[] = {
      "1: this may be asked for", list(LoopFeatures),
      "Numbers per iteration: " + list(BodyFeatures),
      "What LLVM would do by itself. " + list(CostModelFeatures),
      "IR2Vec's symbolic embedding, of 75 dimensions, of the loop."};
  for (auto [Feature, Doc] : zip_equal(features(), Docs)) {
    proto::TensorSpec &Tensor = *Spec.add_features();
    describeTensor(Feature, Tensor);
    const bool IsVector = Feature.name() == EmbeddingName;
    setBounds(Tensor, IsVector ? -Largest : 0,
              Feature.name() == MaskName ? 1.0 : Largest);
    Tensor.set_doc(Doc);
    if (IsVector || Feature.name() == CostModelName)
      Tensor.set_option(Feature.name());
  }
}

void LoopFactors::describeCombinations(proto::ActionSpec &Action) const {
  proto::TensorSpec &Tensor = *Action.mutable_tensor();
  describeTensor(TensorSpec::createSpec<int64_t>("factors", {1}), Tensor);
  setBounds(Tensor, 0, static_cast<double>(actionCount()) - 1);
  for (int64_t Each = 0; Each != actionCount(); ++Each) {
    std::string Meaning;
    for (auto [Which, Value] : zip_equal(Asked, decode(Each, Asked)))
      Meaning += (Meaning.empty() ? "" : ", ") +
                 std::string(Factors[Which].Name) + " " + spell(Value);
    Action.add_meanings(Meaning);
  }
}

void LoopFactors::describeChoices(proto::ActionSpec &Action) const {
  proto::TensorSpec &Tensor = *Action.mutable_tensor();
  describeTensor(TensorSpec::createSpec<int64_t>(
                     "factors", {static_cast<int64_t>(Asked.size())}),
                 Tensor);
  size_t Most = 0;
  for (size_t Which : Asked) {
    proto::Choice &Described = *Action.add_choices();
    Described.set_name(Factors[Which].Name);
    Described.set_doc(Factors[Which].Doc);
    for (unsigned Value : Factors[Which].Values)
      Described.add_meanings(spell(Value));
    Most = std::max(Most, Factors[Which].Values.size());
  }
  setBounds(Tensor, 0, static_cast<double>(Most) - 1);
}

void LoopFactors::install(PassBuilder &PB, ModuleAnalysisManager &) {
  PB.registerVectorizerStartEPCallback(
      [this](FunctionPassManager &FPM, OptimizationLevel Level) {
        // At -O0 nothing is vectorised.
        if (Level == OptimizationLevel::O0)
          return;
        // LLVM does the same behind this point, so loops are seen as its
        // vectoriser will see them.
        FPM.addPass(createFunctionToLoopPassAdaptor(
            LoopRotatePass(Level != OptimizationLevel::Oz)));
        FPM.addPass(LoopFactorsPass(*this));
      });
  PB.registerVectorizerEndEPCallback(
      [this](FunctionPassManager &FPM, OptimizationLevel Level) {
        if (Level != OptimizationLevel::O0)
          FPM.addPass(LoopFactorsEndPass(*this));
      });
}

void LoopFactors::enter(Function &F, FunctionAnalysisManager &FAM) {
  auto &LI = FAM.getResult<LoopAnalysis>(F);
  const auto Loops = innermostLoops(F, LI);
  if (Loops.empty())
    return;
  if (IsEmbedded && !Seed.isLoaded())
    if (Error E = Seed.load(Dimension))
      DecisionPoint::Current->refuse(std::move(E));
  Report.enter(F);
  Process->set(ReorderingFlag, "true");
  if (ShowsCostModel && lookAtCostModel()) {
    for (const auto &[Header, Called] : Loops)
      Report.add(*LI.getLoopFor(Header), Called);
    return;
  }
  // A width that the program asks for allows sums in another order. A width
  // that the agent asks for does not.
  Process->set(ReorderingFlag, "false");
  bool IsWidened = false;
  LoopAnalyst Analyst(F, FAM);
  for (auto [At, Found] : enumerate(Loops)) {
    Number = At;
    Name = Found.second;
    L = LI.getLoopFor(Found.first);
    examine(Analyst);
    TakenFactors &Entry = Report.add(*L, Name);
    if (any_of(Legal, [](ArrayRef<bool> Of) { return count(Of, true) > 1; }))
      IsWidened |= decide(Entry);
  }
  L = nullptr;
  if (!IsWidened)
    Process->set(ReorderingFlag, "true");
}

/// Forks to find out what LLVM does by itself. Returns whether this is the
/// fork, which goes on as if there were no agent.
bool LoopFactors::lookAtCostModel() {
  auto Told = lookAhead();
  if (!Told)
    DecisionPoint::Current->refuse(Told.takeError());
  LooksAhead = !*Told;
  if (LooksAhead) {
    FirstAhead = Report.loops().size();
    return true;
  }
  ByItself = cantFail(json::parse<std::vector<std::vector<int64_t>>>(**Told));
  return false;
}

void LoopFactors::leave() {
  Report.leave();
  if (!LooksAhead)
    return;
  json::Array Told;
  for (const TakenFactors &Each : drop_begin(Report.loops(), FirstAhead))
    Told.push_back(json::Array{Each.Width, Each.Interleave, Each.Unroll});
  conclude(formatv("{0}", json::Value(std::move(Told))).str());
}

/// Finds out which values are legal for the loop.
void LoopFactors::examine(LoopAnalyst &Analyst) {
  Facts = Analyst.examine(*L);
  Legal.clear();
  for (size_t Which : Asked) {
    SmallVector<bool> &Values = Legal.emplace_back();
    for (unsigned Value : Factors[Which].Values)
      Values.push_back(!Value || isLegal(Which, Value));
  }
}

/// Whether LLVM could do what a value asks for.
bool LoopFactors::isLegal(size_t Which, unsigned Value) const {
  const Loop *Of = Which == UnrollAndJam ? L->getParentLoop() : L;
  // What the program itself asks for takes precedence.
  if (!Of || hasProperty(*Of, Factors[Which].Prefix) ||
      hasProperty(*Of, "llvm.loop.disable_nonforced"))
    return false;
  switch (Which) {
  case Width:
    if (!Facts.Legal || (Facts.SafeElements && Value > Facts.SafeElements))
      return false;
    break;
  case Interleave:
    // If there are dependences, LLVM takes only 1.
    if (!Facts.Legal || (Facts.SafeElements && Value > 1))
      return false;
    break;
  case UnrollAndJam:
    return Of->getSubLoops().size() == 1;
  }
  return !Facts.MostIterations || Value <= Facts.MostIterations;
}

/// The values that the agent answers with, one for each factor asked for.
SmallVector<unsigned> LoopFactors::ask() const {
  DecisionPoint &Agent = *DecisionPoint::Current;
  if (IsFlat)
    return decode(Agent.ask<int64_t>(), Asked);
  const StringRef Answer = Agent.decide();
  SmallVector<unsigned> Values;
  for (auto [At, Which] : enumerate(Asked))
    Values.push_back(Factors[Which].Values[support::endian::read64le(
        Answer.data() + At * sizeof(int64_t))]);
  return Values;
}

/// Asks the agent, and puts its answer into the metadata of the loop. Returns
/// whether a width above 1 was asked for.
bool LoopFactors::decide(TakenFactors &Entry) {
  const SmallVector<unsigned> Answer = ask();
  Entry.Asked.emplace();
  bool IsWidened = false;
  for (auto [Which, Value] : zip_equal(Asked, Answer)) {
    json::Value Spelled = nullptr;
    if (Value) {
      Spelled = Value;
      addProperty(Which == UnrollAndJam ? *L->getParentLoop() : *L,
                  Factors[Which].Property, Value);
      IsWidened |= Which == Width && Value > 1;
    }
    (*Entry.Asked)[Factors[Which].Name] = std::move(Spelled);
  }
  return IsWidened;
}

/// Which combinations are legal; the last factor changes fastest.
static std::vector<int64_t> combine(ArrayRef<SmallVector<bool>> Legal) {
  std::vector<int64_t> Mask(1, 1);
  for (ArrayRef<bool> Of : Legal) {
    std::vector<int64_t> Longer;
    for (int64_t Before : Mask)
      for (bool IsLegal : Of)
        Longer.push_back(Before && IsLegal);
    Mask = std::move(Longer);
  }
  return Mask;
}

void LoopFactors::write(Tensors &To) const {
  std::vector<int64_t> Mask;
  if (IsFlat)
    Mask = combine(Legal);
  else
    for (ArrayRef<bool> Of : Legal)
      append_range(Mask, Of);
  To.set<int64_t>(MaskName, Mask);
  LoopNumbers Loop = Facts.Loop;
  for (float &Value : Loop)
    Value = std::min(Value, Largest);
  To.set<float>("loop", Loop);
  To.set<float>("body", Facts.Body);
  if (ShowsCostModel)
    copy(ByItself[Number], To.elements<float>(CostModelName).begin());
  if (IsEmbedded)
    embed(To.elements<float>(EmbeddingName));
}

void LoopFactors::embed(Tensors::Elements<float> To) const {
  Counts<unsigned> Found;
  for (const BasicBlock *B : L->blocks())
    for (const Instruction &I : *B)
      countInstruction(I, Found);
  double Sum[Dimension] = {};
  Found.multiply(Seed, Sum);
  copy(Sum, To.begin());
}

/// The lines of a loop's blocks, as LLVM prints them in the module.
static json::Array printBody(const Loop &L) {
  const Function &F = *L.getHeader()->getParent();
  ModuleSlotTracker Slots(F.getParent());
  Slots.incorporateFunction(F);
  std::string Text;
  raw_string_ostream OS(Text);
  for (const BasicBlock *BB : L.blocks())
    BB->Value::print(OS, Slots);
  json::Array Lines;
  for (StringRef Line : split(StringRef(Text).trim('\n'), '\n'))
    Lines.push_back(json::fixUTF8(Line));
  return Lines;
}

json::Object LoopFactors::describeDecision() const {
  json::Object May;
  for (auto [Which, Of] : zip_equal(Asked, Legal)) {
    json::Array Values;
    for (auto [Value, IsLegal] : zip_equal(Factors[Which].Values, Of))
      if (IsLegal)
        Values.push_back(Value ? json::Value(Value) : json::Value(nullptr));
    May[Factors[Which].Name] = std::move(Values);
  }
  json::Object Described{
      {"loop", toText(Name)},
      {"function", toText(L->getHeader()->getParent()->getName())},
      {"body", printBody(*L)},
      {"may_be", std::move(May)}};
  if (!Facts.Legal)
    Described["not_vectorized"] = json::fixUTF8(Facts.Why);
  return Described;
}

std::string LoopFactors::decisionLabel() const { return Name; }

json::Array LoopFactors::taken() const {
  json::Array All;
  for (const TakenFactors &Each : Report.loops()) {
    if (!Each.Asked)
      continue;
    json::Object Entry{{"loop", toText(Each.Loop)},
                       {"asked", json::Object(*Each.Asked)},
                       {"width", Each.Width},
                       {"interleave", Each.Interleave},
                       {"unroll", Each.Unroll},
                       {"remainder", Each.Remainder},
                       {"unroll_and_jam", Each.UnrollAndJam}};
    if (!Each.Why.empty())
      Entry["why"] = json::fixUTF8(Each.Why);
    All.push_back(std::move(Entry));
  }
  return All;
}
