//===- PriorityAdvisor.h - Who asks in which order to allocate --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_TASKS_PRIORITYADVISOR_H
#define MLCOMPILER_GYM_SERVICE_TASKS_PRIORITYADVISOR_H

#include "policy/Kind.h"
#include "llvm/CodeGen/RegAllocPriorityAdvisor.h"

namespace mlcompiler {

constexpr const char *PriorityDefaultName = "priority_default";
/// The largest number that is both a float and an unsigned.
constexpr unsigned LargestPriority = 4294967040u;

const policy::Kind &priorityKind();

class PriorityAdvisor;

/// Is told what a PriorityAdvisor does.
class PriorityListener {
public:
  virtual ~PriorityListener() = default;

  /// LLVM's own advisor is about to answer.
  virtual void asked(const PriorityAdvisor &Advisor) = 0;
  /// \p Advisor is about to be destroyed.
  virtual void done(const PriorityAdvisor &Advisor) {}
};

/// Remembers what LLVM asks about while LLVM's own advisor answers.
class PriorityAdvisor : public llvm::RegAllocPriorityAdvisor {
public:
  PriorityAdvisor(const llvm::MachineFunction &MF, const llvm::RAGreedy &RA,
                  llvm::SlotIndexes &Indexes,
                  std::unique_ptr<llvm::RegAllocPriorityAdvisor> Stock,
                  PriorityListener &Listener)
      : RegAllocPriorityAdvisor(MF, RA, &Indexes), MF(MF),
        Stock(std::move(Stock)), Heuristic(MF, RA, &Indexes),
        Listener(Listener) {}
  ~PriorityAdvisor() override { Listener.done(*this); }

  const llvm::MachineFunction &machineFunction() const { return MF; }
  const llvm::LiveInterval &virtReg() const { return *VirtReg; }
  unsigned heuristicPriority() const;
  /// The same, bounded by what a float can hold.
  unsigned shownPriority() const {
    return std::min(heuristicPriority(), LargestPriority);
  }

private:
  unsigned getPriority(const llvm::LiveInterval &LI) const override;

  const llvm::MachineFunction &MF;
  const std::unique_ptr<llvm::RegAllocPriorityAdvisor> Stock;
  const llvm::DefaultPriorityAdvisor Heuristic;
  PriorityListener &Listener;
  mutable const llvm::LiveInterval *VirtReg = nullptr;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_PRIORITYADVISOR_H
