//===- IRInstructions.cpp - Number of IR instructions ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Objective.h"

using namespace llvm;
using namespace mlcompiler;

namespace {

class IRInstructions : public Objective {
  Expected<double> measure(Compilation &C) const override {
    return C.module().getInstructionCount();
  }
};

} // namespace

static ObjectiveRegistry::Add<IRInstructions>
    X("ir_instructions", "LLVM IR instructions in all functions defined in the "
                         "module.");
