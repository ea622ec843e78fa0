//===- IRText.cpp - The module as text ------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "ObservationSource.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace mlcompiler;

namespace {

class IRText : public TextSource {
  std::string text(const ObservationContext &Context) const override {
    std::string Text;
    raw_string_ostream OS(Text);
    // Without a buffer, the text is appended to in pieces of a few bytes.
    OS.SetBufferSize(1 << 16);
    Context.Compile.module().print(OS, nullptr);
    OS.flush();
    return Text;
  }
};

} // namespace

static ObservationRegistry::Add<IRText> X("ir",
                                          "The module as textual LLVM IR.");
