//===- LoopBody.h - What a loop does in an iteration ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_TASKS_LOOPBODY_H
#define MLCOMPILER_GYM_SERVICE_TASKS_LOOPBODY_H

#include "FeatureText.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/Analysis/ScalarEvolution.h"
#include <array>
#include <string>
#include <utility>
#include <vector>

namespace mlcompiler {

/// Numbers of some instructions of a loop, for one iteration.
constexpr FeatureText BodyFeatures[] = {
    {"instructions", "instructions"},
    {"loads", "loads"},
    {"stores", "stores"},
    {"floating_point",
     "floating-point additions, multiplications and the like"},
    {"slow", "divisions, remainders and calls"},
    {"branches", "conditional branches within the body"},
    {"bytes", "bytes loaded and stored"},
    {"unit_stride", "accesses of which the next lies right behind"},
    {"strided", "accesses at another constant distance"},
    {"invariant", "accesses to one address in all iterations"},
    {"irregular", "accesses at addresses of no constant distance"},
    {"arrays", "objects accessed, as far as they can be told apart"},
    {"recurrences", "values handed from one iteration to the next, apart from "
                    "counters and sums"},
};
constexpr size_t BodyFeatureCount = std::size(BodyFeatures);
using BodyNumbers = std::array<float, BodyFeatureCount>;

/// Counts instructions of one innermost loop.
class BodyMeter {
public:
  BodyMeter(const llvm::Loop &L, llvm::ScalarEvolution &SE) : L(L), SE(SE) {}

  void count(llvm::Instruction &I);
  /// Counts a load or store at the address of \p Access, which is a load or
  /// store itself.
  void countAccess(llvm::Instruction &Access, bool IsLoad);
  /// Counts a load from an array with one element for each iteration.
  void countElementLoad(float Bytes);

  const BodyNumbers &numbers() const { return Numbers; }
  const llvm::SmallPtrSetImpl<const llvm::Value *> &objects() const {
    return Objects;
  }
  /// Whether a store goes to addresses that are no constant distance apart.
  bool storesIrregularly() const { return StoresIrregularly; }
  float recurrences() { return of("recurrences"); }

private:
  float &of(llvm::StringRef Name);
  bool isRecurrence(llvm::PHINode &Phi);

  const llvm::Loop &L;
  llvm::ScalarEvolution &SE;
  BodyNumbers Numbers{};
  llvm::SmallPtrSet<const llvm::Value *, 8> Objects;
  bool StoresIrregularly = false;
};

/// The headers of a function's innermost loops in the order of the program,
/// each with the loop's name: the function, the loop's number in it, and the
/// line if that is known.
std::vector<std::pair<llvm::BasicBlock *, std::string>>
innermostLoops(llvm::Function &F, llvm::LoopInfo &LI);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_LOOPBODY_H
