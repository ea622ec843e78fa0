//===- MIRText.cpp - The machine function as text -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "ObservationSource.h"
#include "llvm/CodeGen/MachineFunction.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace mlcompiler;

namespace {

class MIRText : public TextSource {
  bool needsDecision() const override { return true; }
  std::string text(const ObservationContext &Context) const override {
    const MachineFunction *MF = Context.Stopped->machineFunction();
    if (!MF)
      return "";
    std::string Text;
    raw_string_ostream OS(Text);
    MF->print(OS);
    return Text;
  }
};

} // namespace

static ObservationRegistry::Add<MIRText>
    X("mir", "The machine function that the compiler is stopped in, as LLVM "
             "prints it; empty where decisions are not made in one.");
