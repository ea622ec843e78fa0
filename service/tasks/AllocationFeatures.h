//===- AllocationFeatures.h - What an allocation looks like -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_TASKS_ALLOCATIONFEATURES_H
#define MLCOMPILER_GYM_SERVICE_TASKS_ALLOCATIONFEATURES_H

#include "Allocation.h"
#include "InterferenceGraph.h"
#include <array>

namespace mlcompiler {

/// Numbers of what may be done with it.
constexpr FeatureText ColumnFeatures[] = {
    {"free", "1: a register that is free"},
    {"hint", "1: a register that the target or a copy hints at"},
    {"saves_copies", "frequency-weighted copies that this register saves now"},
    {"saves_later", "frequency-weighted copies that this register saves if "
                    "waiting live ranges also get it, which are copied to or "
                    "from it"},
    {"denies", "frequency-weighted copies that waiting live ranges could save "
               "with this register, and cannot any more"},
    {"opens_saved", "1: a register that the function must save for its caller "
                    "and has not used so far"},
    {"spills", "live ranges that are spilled for it"},
    {"heaviest", "largest spill weight among them"},
    {"cost",
     "what it adds to the score by a rough guess: of what is spilled, 4 "
     "for each read and 1 for each write, by frequency; of what is "
     "split, 0.2 for each copy"},
};
/// The places of some of them.
enum {
  IsFree = 0,
  SavesCopies = 2,
  SavesLater,
  Denies,
  Spills = 6,
  Heaviest,
  Cost
};
constexpr size_t ColumnFeatureCount = std::size(ColumnFeatures);
using ColumnNumbers = std::array<float, ColumnFeatureCount>;

/// Numbers of the function.
constexpr FeatureText ProgressFeatures[] = {
    {"waiting", "live ranges without a register, except the one at hand"},
    {"at_first", "live ranges when nothing had been decided"},
    {"spilled", "live ranges spilled so far, by decisions for them or for "
                "others"},
    {"cost", "sum of the costs, as columns have them, of what was decided"},
};
enum { WaitingNow = 0, Spilled = 2, Spent };
constexpr size_t ProgressFeatureCount = std::size(ProgressFeatures);
using ProgressNumbers = std::array<float, ProgressFeatureCount>;

RangeNumbers describeRange(const Allocation &Of, const llvm::LiveInterval &LI);

/// A rough guess of what spilling \p LI adds to the score.
float spillCost(const Allocation &Of, const llvm::LiveInterval &LI);

/// Describes a register that the current live range of \p Of may be given.
ColumnNumbers describeRegister(const Allocation &Of,
                               const RegisterColumn &Column);

/// Copies between waiting live ranges and physical registers, as far as they
/// depend on the register that the live range at hand gets.
class LaterCopies {
public:
  explicit LaterCopies(const Allocation &Of);

  /// Adds what a register comes to, to the numbers of its column.
  void describe(llvm::MCRegister Register, ColumnNumbers &Numbers) const;

private:
  /// What this register would save, or deny.
  struct Found {
    llvm::MCRegister Register;
    size_t Number;
    double Frequency;
  };

  const llvm::TargetRegisterInfo &TRI;
  llvm::SmallVector<Found, 8> All;
};

/// A rough guess of what the copies at the loop's borders add to the score.
float splitCost(const Allocation &Of, const llvm::MachineLoop &Loop);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_ALLOCATIONFEATURES_H
