//===- EvictionAdvisor.h - Who asks what to evict ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_TASKS_EVICTIONADVISOR_H
#define MLCOMPILER_GYM_SERVICE_TASKS_EVICTIONADVISOR_H

#include "CandidateColumns.h"
#include "policy/Kind.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/CodeGen/RegAllocEvictionAdvisor.h"
#include <array>

namespace mlcompiler {

/// The answer "evict nothing", which is also the number of candidates that
/// LLVM's tensors have room for.
constexpr int64_t EvictNothing = 32;
constexpr int64_t EvictionColumns = EvictNothing + 1;
/// How many interfering live ranges of a candidate have their weights sent.
constexpr int64_t EvictionWeights = 8;

constexpr const char *EvictionMaskName = "mask";
constexpr const char *EvictionDefaultName = "eviction_default";
constexpr const char *EvictionWeightsName = "interference_weights";

const policy::Kind &evictionKind();

/// One of LLVM's own features, which has an element for each column.
struct EvictionFeature {
  const char *Name;
  bool IsFloat;
  double High;
  const char *Doc;
};

/// LLVM's list RA_EVICT_FEATURES_LIST, which is in none of its headers, without
/// "progress", which comes last and has one element.
llvm::ArrayRef<EvictionFeature> evictionFeatures();

class EvictionAdvisor;

/// Is told what an EvictionAdvisor does.
class EvictionListener {
public:
  virtual ~EvictionListener() = default;

  /// LLVM's own advisor is about to answer.
  virtual void asked(const EvictionAdvisor &Advisor) = 0;
  /// \p Advisor is about to be destroyed.
  virtual void done(const EvictionAdvisor &Advisor) {}
  /// There are more candidates than LLVM's features have room for. If this
  /// returns, LLVM's heuristic decides.
  virtual void tooManyRegisters(const llvm::MachineFunction &MF,
                                llvm::StringRef RegisterClass,
                                size_t Registers) = 0;
};

/// Remembers what LLVM asks about while LLVM's own advisor answers.
class EvictionAdvisor : public llvm::RegAllocEvictionAdvisor {
public:
  EvictionAdvisor(const llvm::MachineFunction &MF, const llvm::RAGreedy &RA,
                  std::unique_ptr<llvm::RegAllocEvictionAdvisor> Stock,
                  EvictionListener &Listener)
      : RegAllocEvictionAdvisor(MF, RA), Stock(std::move(Stock)),
        Heuristic(MF, RA), Listener(Listener) {}
  ~EvictionAdvisor() override { Listener.done(*this); }

  const llvm::MachineFunction &machineFunction() const { return MF; }
  const llvm::LiveInterval &virtReg() const { return *VirtReg; }
  CandidateColumns columns() const {
    return CandidateColumns(*VirtReg, *VRM, RegClassInfo, *Matrix);
  }

  /// Returns what the heuristic would do, or what comes nearest to that if it
  /// is not legal. LLVM masks columns whose live ranges have been evicted too
  /// often. It also masks EvictNothing for a live range that cannot be spilled.
  /// The heuristic knows neither of these rules.
  int64_t
  heuristicColumn(llvm::function_ref<bool(int64_t Column)> IsLegal) const;

  /// The spill weights of the live ranges that each column evicts, a row for
  /// each column.
  using Weights = std::array<float, EvictionColumns * EvictionWeights>;
  Weights weights() const;

private:
  llvm::MCRegister tryFindEvictionCandidate(
      const llvm::LiveInterval &VirtReg, const llvm::AllocationOrder &Order,
      uint8_t CostPerUseLimit,
      const llvm::SmallVirtRegSet &FixedRegisters) const override;
  bool canEvictHintInterference(
      const llvm::LiveInterval &VirtReg, llvm::MCRegister PhysReg,
      const llvm::SmallVirtRegSet &FixedRegisters) const override {
    return Stock->canEvictHintInterference(VirtReg, PhysReg, FixedRegisters);
  }
  llvm::MCRegister askHeuristic() const;

  const std::unique_ptr<llvm::RegAllocEvictionAdvisor> Stock;
  const llvm::DefaultEvictionAdvisor Heuristic;
  EvictionListener &Listener;
  mutable const llvm::LiveInterval *VirtReg = nullptr;
  mutable const llvm::AllocationOrder *Order = nullptr;
  mutable uint8_t CostPerUseLimit = 0;
  mutable const llvm::SmallVirtRegSet *FixedRegisters = nullptr;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_EVICTIONADVISOR_H
