//===- Loops.cpp - What became of each loop -------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "LoopReport.h"
#include "ObservationSource.h"
#include "llvm/Support/FormatVariadic.h"

using namespace llvm;
using namespace mlcompiler;

namespace {

class Loops : public TextSource {
  bool isJSON() const override { return true; }
  std::string text(const ObservationContext &Context) const override {
    return formatv("{0}", json::Value(json::Array(loopReport())));
  }
};

} // namespace

static ObservationRegistry::Add<Loops> X(
    "loops",
    "What became of each innermost loop that loop_distribution has come to, "
    "as a JSON array of objects: loop (its name), skipped (why it could not "
    "be split, if so), nodes (how many), groups (of each node), checks (pairs "
    "compared at run time), reloads (values loaded back), arrays (of values "
    "that cross loops).");
