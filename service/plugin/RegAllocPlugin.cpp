//===- RegAllocPlugin.cpp - Policies for LLVM's allocator -----------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// The features and every legality check are those of LLVM's own ML advisors,
/// as in the service. In the service they ask an InteractiveModelRunner, which
/// the service defines itself. A plugin cannot do that, so it puts its own
/// runner where LLVM would create one.
///
//===----------------------------------------------------------------------===//

#include "RegAllocPlugin.h"
#include "PolicyRunner.h"
#include "tasks/EvictionAdvisor.h"
#include "tasks/PriorityAdvisor.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/CodeGen/MachineFunction.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include <malloc.h>

using namespace llvm;
using namespace mlcompiler;

static const char *const NoRunner =
    "this build of LLVM is not the one that the plugin was made for: its "
    "advisor has no room for a runner";

//===----------------------------------------------------------------------===//
// LLVM's own providers of advisors
//===----------------------------------------------------------------------===//

namespace {

/// The members of LLVM 22.1's providers, which no header declares: they are
/// null until the first advisor asks for a runner.
struct StockEvictionProvider : RegAllocEvictionAdvisorProvider {
  std::vector<TensorSpec> Features;
  std::unique_ptr<MLModelRunner> Runner;
};

struct StockPriorityProvider : RegAllocPriorityAdvisorProvider {
  std::unique_ptr<MLModelRunner> Runner;
};

} // namespace

/// Returns \p Object as a T; null if its memory is too small for one.
template <typename T, typename Base> static T *lookInto(Base *Object) {
  if (!Object || malloc_usable_size(Object) < sizeof(T))
    return nullptr;
  T *Members = static_cast<T *>(Object);
  return Members->Runner ? nullptr : Members;
}

static std::vector<TensorSpec> stockEvictionFeatures() {
  std::vector<TensorSpec> All;
  const std::vector<int64_t> Shape{1, EvictionColumns};
  for (const EvictionFeature &Each : evictionFeatures())
    All.push_back(Each.IsFloat
                      ? TensorSpec::createSpec<float>(Each.Name, Shape)
                      : TensorSpec::createSpec<int64_t>(Each.Name, Shape));
  All.push_back(TensorSpec::createSpec<float>("progress", {1}));
  return All;
}

static std::vector<TensorSpec> stockPriorityFeatures() {
  return {TensorSpec::createSpec<int64_t>("li_size", {1}),
          TensorSpec::createSpec<int64_t>("stage", {1}),
          TensorSpec::createSpec<float>("weight", {1})};
}

//===----------------------------------------------------------------------===//
// Evictions
//===----------------------------------------------------------------------===//

namespace {

class DefaultEvictionProvider : public RegAllocEvictionAdvisorProvider {
public:
  explicit DefaultEvictionProvider(LLVMContext &Context)
      : RegAllocEvictionAdvisorProvider(AdvisorMode::Default, Context) {}

  std::unique_ptr<RegAllocEvictionAdvisor>
  getAdvisor(const MachineFunction &MF, const RAGreedy &RA,
             MachineBlockFrequencyInfo *, MachineLoopInfo *) override {
    return std::make_unique<DefaultEvictionAdvisor>(MF, RA);
  }
};

class PolicyEvictionProvider : public RegAllocEvictionAdvisorProvider,
                               public EvictionListener,
                               public PolicyRunner::Source {
public:
  /// Returns null, and complains, if LLVM's provider is not what it should be.
  static std::unique_ptr<PolicyEvictionProvider>
  create(LLVMContext &Context, std::unique_ptr<FittedPolicy> Policy) {
    std::unique_ptr<RegAllocEvictionAdvisorProvider> Stock(
        createReleaseModeAdvisorProvider(Context));
    auto *Members = lookInto<StockEvictionProvider>(Stock.get());
    if (!Members || Members->Features != stockEvictionFeatures()) {
      Policies::get().complain(Policy->Name, NoRunner);
      return nullptr;
    }
    return std::unique_ptr<PolicyEvictionProvider>(new PolicyEvictionProvider(
        Context, std::move(Stock), *Members, std::move(Policy)));
  }

  std::unique_ptr<RegAllocEvictionAdvisor>
  getAdvisor(const MachineFunction &MF, const RAGreedy &RA,
             MachineBlockFrequencyInfo *MBFI, MachineLoopInfo *Loops) override {
    std::unique_ptr<RegAllocEvictionAdvisor> Theirs =
        Stock->getAdvisor(MF, RA, MBFI, Loops);
    if (Runner.hasAdvisor())
      return std::make_unique<EvictionAdvisor>(MF, RA, std::move(Theirs),
                                               *this);
    Policies::get().complain(Name, NoRunner);
    Policies::get().report(Ctx);
    return std::make_unique<DefaultEvictionAdvisor>(MF, RA);
  }

private:
  PolicyEvictionProvider(LLVMContext &Context,
                         std::unique_ptr<RegAllocEvictionAdvisorProvider> Stock,
                         StockEvictionProvider &Members,
                         std::unique_ptr<FittedPolicy> Policy)
      : RegAllocEvictionAdvisorProvider(AdvisorMode::Release, Context),
        Name(Policy->Name), Stock(std::move(Stock)),
        Runner(*new PolicyRunner(Context, evictionKind(), Members.Features,
                                 std::move(Policy), *this, EvictionMaskName)) {
    Members.Runner.reset(&Runner);
  }

  void asked(const EvictionAdvisor &Asking) override { Advisor = &Asking; }
  void tooManyRegisters(const MachineFunction &MF, StringRef RegisterClass,
                        size_t Registers) override {
    if (!std::exchange(HasComplained, true))
      Policies::get().complain(
          Name,
          "function '" + MF.getName() + "' uses register class " +
              RegisterClass + ", which has " + Twine(Registers) +
              " registers to choose from; LLVM's features have room for " +
              Twine(EvictNothing) + ". For such it is not asked");
    Policies::get().report(Ctx);
  }

  void write(StringRef Feature, PolicyRunner &Asked, void *To) override {
    if (Feature == EvictionDefaultName) {
      *static_cast<int64_t *>(To) = heuristicColumn(Asked);
      return;
    }
    copy(Advisor->weights(), static_cast<float *>(To));
  }
  float heuristic(PolicyRunner &Asked) override {
    return heuristicColumn(Asked);
  }
  int64_t heuristicColumn(const PolicyRunner &Asked) const {
    return Advisor->heuristicColumn(
        [&](int64_t Column) { return Asked.mask()[Column] != 0; });
  }

  const std::string Name;
  const std::unique_ptr<RegAllocEvictionAdvisorProvider> Stock;
  /// Stock owns the runner.
  PolicyRunner &Runner;
  const EvictionAdvisor *Advisor = nullptr;
  bool HasComplained = false;
};

/// Takes the place of LLVM's analysis: it has the same ID and is added first.
class PolicyEvictionAnalysis : public RegAllocEvictionAdvisorAnalysisLegacy {
public:
  PolicyEvictionAnalysis()
      : RegAllocEvictionAdvisorAnalysisLegacy(AdvisorMode::Release) {}

private:
  bool doInitialization(Module &M) override {
    LLVMContext &Context = M.getContext();
    std::vector<TensorSpec> Known = stockEvictionFeatures();
    Known.push_back(TensorSpec::createSpec<int64_t>(EvictionDefaultName, {1}));
    Known.push_back(TensorSpec::createSpec<float>(
        EvictionWeightsName, {EvictionColumns, EvictionWeights}));
    if (auto Policy = Policies::get().fit(evictionKind(), Known))
      Provider = PolicyEvictionProvider::create(Context, std::move(Policy));
    if (!Provider)
      Provider = std::make_unique<DefaultEvictionProvider>(Context);
    Policies::get().report(Context);
    return false;
  }
};

} // namespace

//===----------------------------------------------------------------------===//
// Priorities
//===----------------------------------------------------------------------===//

namespace {

class DefaultPriorityProvider : public RegAllocPriorityAdvisorProvider {
public:
  DefaultPriorityProvider()
      : RegAllocPriorityAdvisorProvider(AdvisorMode::Default) {}

  std::unique_ptr<RegAllocPriorityAdvisor>
  getAdvisor(const MachineFunction &MF, const RAGreedy &RA,
             SlotIndexes &Indexes) override {
    return std::make_unique<DefaultPriorityAdvisor>(MF, RA, &Indexes);
  }
};

class PolicyPriorityProvider : public RegAllocPriorityAdvisorProvider,
                               public PriorityListener,
                               public PolicyRunner::Source {
public:
  /// Returns null, and complains, if LLVM's provider is not what it should be.
  static std::unique_ptr<PolicyPriorityProvider>
  create(LLVMContext &Context, std::unique_ptr<FittedPolicy> Policy) {
    std::unique_ptr<RegAllocPriorityAdvisorProvider> Stock(
        createReleaseModePriorityAdvisorProvider());
    auto *Members = lookInto<StockPriorityProvider>(Stock.get());
    if (!Members) {
      Policies::get().complain(Policy->Name, NoRunner);
      return nullptr;
    }
    return std::unique_ptr<PolicyPriorityProvider>(new PolicyPriorityProvider(
        Context, std::move(Stock), *Members, std::move(Policy)));
  }

  std::unique_ptr<RegAllocPriorityAdvisor>
  getAdvisor(const MachineFunction &MF, const RAGreedy &RA,
             SlotIndexes &Indexes) override {
    std::unique_ptr<RegAllocPriorityAdvisor> Theirs =
        Stock->getAdvisor(MF, RA, Indexes);
    if (Runner.hasAdvisor())
      return std::make_unique<PriorityAdvisor>(MF, RA, Indexes,
                                               std::move(Theirs), *this);
    Policies::get().complain(Name, NoRunner);
    Policies::get().report(Context);
    return std::make_unique<DefaultPriorityAdvisor>(MF, RA, &Indexes);
  }

private:
  PolicyPriorityProvider(LLVMContext &Context,
                         std::unique_ptr<RegAllocPriorityAdvisorProvider> Stock,
                         StockPriorityProvider &Members,
                         std::unique_ptr<FittedPolicy> Policy)
      : RegAllocPriorityAdvisorProvider(AdvisorMode::Release), Context(Context),
        Name(Policy->Name), Stock(std::move(Stock)),
        Runner(*new PolicyRunner(Context, priorityKind(),
                                 stockPriorityFeatures(), std::move(Policy),
                                 *this)) {
    Members.Runner.reset(&Runner);
  }

  void asked(const PriorityAdvisor &Asking) override { Advisor = &Asking; }

  void write(StringRef, PolicyRunner &, void *To) override {
    *static_cast<int64_t *>(To) = Advisor->shownPriority();
  }
  float heuristic(PolicyRunner &) override { return Advisor->shownPriority(); }
  LLVMContext &Context;
  const std::string Name;
  const std::unique_ptr<RegAllocPriorityAdvisorProvider> Stock;
  /// Stock owns the runner.
  PolicyRunner &Runner;
  const PriorityAdvisor *Advisor = nullptr;
};

/// Takes the place of LLVM's analysis: it has the same ID and is added first.
class PolicyPriorityAnalysis : public RegAllocPriorityAdvisorAnalysisLegacy {
public:
  PolicyPriorityAnalysis()
      : RegAllocPriorityAdvisorAnalysisLegacy(AdvisorMode::Release) {}

private:
  bool doInitialization(Module &M) override {
    std::vector<TensorSpec> Known = stockPriorityFeatures();
    Known.push_back(TensorSpec::createSpec<int64_t>(PriorityDefaultName, {1}));
    if (auto Policy = Policies::get().fit(priorityKind(), Known))
      Provider =
          PolicyPriorityProvider::create(M.getContext(), std::move(Policy));
    if (!Provider)
      Provider = std::make_unique<DefaultPriorityProvider>();
    Policies::get().report(M.getContext());
    return false;
  }
};

//===----------------------------------------------------------------------===//
// Installing
//===----------------------------------------------------------------------===//

/// Reports complaints about policies where no other part of the plugin does.
class ReportPass : public ImmutablePass {
public:
  ReportPass() : ImmutablePass(ID) {}

  StringRef getPassName() const override { return "Report on policies"; }

  bool doInitialization(Module &M) override {
    Policies::get().report(M.getContext());
    return false;
  }

  static char ID;
};

} // namespace

char ReportPass::ID = 0;

/// Whether there is a policy that does not leave the decision to LLVM.
static bool isDecided(const policy::Kind &K) {
  const NamedFile *File = Policies::get().find(K);
  return File && File->Policy.Builtin != "llvm";
}

void mlcompiler::installRegAlloc(legacy::PassManagerBase &PM) {
  if (isDecided(evictionKind()))
    PM.add(new PolicyEvictionAnalysis());
  if (isDecided(priorityKind()))
    PM.add(new PolicyPriorityAnalysis());
  if (Policies::get().hasComplaints())
    PM.add(new ReportPass());
}
