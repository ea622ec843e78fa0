//===- LoopFactorsReport.h - What LLVM made of the factors ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_TASKS_LOOPFACTORSREPORT_H
#define MLCOMPILER_GYM_SERVICE_TASKS_LOOPFACTORSREPORT_H

#include "llvm/Analysis/LoopInfo.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/ValueMap.h"
#include "llvm/Support/JSON.h"
#include <optional>
#include <string>
#include <vector>

namespace mlcompiler {

/// What became of one loop. A factor of 1 means that nothing was done.
struct TakenFactors {
  /// The loop's name.
  std::string Loop;
  /// What the agent chose, by factor; nullopt if no agent was asked.
  std::optional<llvm::json::Object> Asked;
  int64_t Width = 1;
  int64_t Interleave = 1;
  /// How often the loop, or the vector loop that it became, was unrolled.
  int64_t Unroll = 1;
  /// The same for the scalar loop with the iterations that fill no vector.
  int64_t Remainder = 1;
  /// The factor by which the loop around it was unrolled and jammed.
  int64_t UnrollAndJam = 1;
  /// Why the loop was neither vectorised nor interleaved, as LLVM puts it.
  std::string Why;
};

/// Reads from LLVM's remarks what LLVM does to the loops of one function at a
/// time.
///
/// Remarks name blocks: the header of a loop, or of a loop that was made from
/// it. So every block that is new when the next loop is vectorised belongs to
/// the loop before.
class LoopFactorsReport {
public:
  /// From now on, remarks are about the loops of \p F, none of which is known
  /// yet. Other diagnostics go where they went before.
  void enter(llvm::Function &F);
  /// The function's passes are done.
  void leave();

  /// Adds a loop of the function. The reference is valid until the next call.
  TakenFactors &add(const llvm::Loop &L, std::string Name);

  const std::vector<TakenFactors> &loops() const { return Loops; }

private:
  class Reader;
  friend class Reader;

  /// The loop that a block belongs to.
  struct Owner {
    enum { Nothing, Body, Vector, Around } Part = Nothing;
    size_t Index = 0;
  };

  void read(const llvm::DiagnosticInfoOptimizationBase &Remark);
  void readVectorizer(const llvm::DiagnosticInfoOptimizationBase &Remark,
                      TakenFactors &Of);
  void claimNewBlocks();

  std::vector<TakenFactors> Loops;
  llvm::Function *F = nullptr;
  llvm::ValueMap<const llvm::BasicBlock *, Owner> Owners;
  /// The index of the loop that new blocks belong to; beyond the end if there
  /// is none.
  size_t Latest = 0;
  bool Listening = false;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_LOOPFACTORSREPORT_H
