//===- Decisions.cpp - The decision at hand and those taken ---------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "ObservationSource.h"
#include "SymbolNames.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

using namespace llvm;
using namespace mlcompiler;

namespace {

class CurrentDecision : public TextSource {
  bool needsDecision() const override { return true; }
  bool isJSON() const override { return true; }
  std::string text(const ObservationContext &Context) const override {
    return formatv("{0}", json::Value(Context.Stopped->describeDecision()));
  }
};

class TakenDecisions : public TextSource {
  bool isJSON() const override { return true; }
  std::string text(const ObservationContext &Context) const override {
    json::Array Decisions;
    for (const TakenDecision &D : Context.Taken)
      Decisions.push_back(
          json::Array{toText(D.Label), toHex(D.Action, /*LowerCase=*/true)});
    return formatv("{0}", json::Value(std::move(Decisions)));
  }
};

class OptArguments : public TextSource {
  bool needsDecision() const override { return true; }
  bool isJSON() const override { return true; }
  std::string text(const ObservationContext &Context) const override {
    json::Array Arguments;
    const std::string Pipeline = Context.Stopped->pipeline();
    if (!Pipeline.empty()) {
      Arguments.push_back("-passes=" + Pipeline);
      for (std::string &Argument : Context.Compile.optArguments())
        Arguments.push_back(std::move(Argument));
    }
    return formatv("{0}", json::Value(std::move(Arguments)));
  }
};

} // namespace

static ObservationRegistry::Add<CurrentDecision>
    X("decision", "What the compiler is stopped at, as a JSON object whose "
                  "fields depend on the task.");
static ObservationRegistry::Add<TakenDecisions>
    Y("decisions", "The decisions taken so far, as a JSON array of pairs: what "
                   "was decided, and the bytes of the action in hexadecimal.");
static ObservationRegistry::Add<OptArguments>
    Z("opt_arguments",
      "What `opt` must be told to get from the program to the module as it "
      "stands, as a JSON array. In a task that decides before the pipeline, to "
      "get to what LLVM makes of it by itself. Empty in other tasks whose "
      "decisions are not passes.");
