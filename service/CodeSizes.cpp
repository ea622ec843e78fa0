//===- CodeSizes.cpp - Bytes of code, function by function ----------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "CodeSizes.h"
#include "CodeGeneration.h"
#include "SeenBodies.h"
#include "llvm/IR/GlobalAlias.h"
#include "llvm/Target/TargetMachine.h"

using namespace llvm;
using namespace mlcompiler;

/// Whether the assembler knows where a function or alias is, by a symbol that
/// no other module sees. The assembly printer makes such a symbol even for some
/// functions that others see.
static bool isNear(const GlobalValue &GV, const TargetMachine &Target) {
  return GV.hasLocalLinkage() ||
         (Target.getRelocationModel() != Reloc::Static && GV.isDSOLocal() &&
          GV.getParent()->getPIELevel() == PIELevel::Default &&
          GV.canBenefitFromLocalAlias());
}

std::optional<uint64_t> mlcompiler::sumOfFunctions(const Module &M,
                                                   const TargetMachine &Target,
                                                   StringRef Settings,
                                                   ShapeGenerator Generate) {
  CodeCache &Cache = codecache::get();
  const auto GiveUp = [&]() -> std::optional<uint64_t> {
    Cache.count({0, 0, 1});
    return std::nullopt;
  };
  if (!areFunctionsIndependent(M, Target))
    return GiveUp();
  const auto Keys = hashFunctions(M, Settings);
  if (!Keys)
    return GiveUp();

  std::vector<PlacedCode> Placed;
  StringMap<size_t> Missing;
  StringSet<> Names;
  for (const FunctionKey &Each : *Keys) {
    const StringRef Name = Each.Of->getName();
    Placed.push_back({Name, {}});
    if (const std::optional<std::string> Found = Cache.find(Each.Key)) {
      auto Shape = CodeShape::decode(*Found);
      // The entry is empty if a shape does not describe the code.
      if (!Shape)
        return GiveUp();
      Placed.back().Shape = std::move(*Shape);
      continue;
    }
    Missing[Name] = Placed.size() - 1;
    Names.insert(Name);
  }

  const size_t Wanted = Names.size();
  if (Wanted) {
    for (const FunctionKey &Each : *Keys)
      if (mayReveal(*Each.Of))
        Names.insert(Each.Of->getName());
    std::vector<std::pair<size_t, std::optional<CodeShape>>> Taken;
    bool Extra = false;
    auto Take = [&](StringRef Name, std::optional<CodeShape> Shape) {
      const auto Found = Missing.find(Name);
      if (Found == Missing.end()) {
        Extra |= !Names.contains(Name);
        return;
      }
      Taken.push_back({Found->second, std::move(Shape)});
      Missing.erase(Found);
    };
    // Generating the whole code will fail in the same way, and report it.
    if (Error E = Generate(Names, Take)) {
      consumeError(std::move(E));
      return GiveUp();
    }
    bool Whole = Missing.empty() && !Extra;
    for (auto &[At, Shape] : Taken) {
      // If there is something that belongs to no function of the module, it is
      // not known which function brought it along.
      const bool Known = Shape && !Extra;
      Cache.insert((*Keys)[At].Key, Known ? Shape->encode() : "");
      Whole &= Known;
      if (Known)
        Placed[At].Shape = std::move(*Shape);
    }
    if (!Whole)
      return GiveUp();
  }
  Cache.count({Keys->size() - Wanted, Wanted, 0});
  return layOut(Placed, [&](StringRef Callee) -> StringRef {
    Callee.consume_back(DroppedSuffix);
    const GlobalValue *GV = M.getNamedValue(Callee);
    if (!GV || !isNear(*GV, Target))
      return "";
    if (auto *Alias = dyn_cast<GlobalAlias>(GV))
      GV = dyn_cast<Function>(Alias->getAliasee());
    return GV ? GV->getName() : "";
  });
}
