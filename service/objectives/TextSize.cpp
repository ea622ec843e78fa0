//===- TextSize.cpp - Size of the machine code ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Objective.h"
#include "llvm/Object/ObjectFile.h"

using namespace llvm;
using namespace mlcompiler;

namespace {

class TextSize : public Objective {
  bool isOfCode() const override { return true; }

  Expected<double> measure(Compilation &C) const override {
    if (std::optional<uint64_t> Bytes = C.textSize())
      return *Bytes;
    auto Code = C.object();
    if (!Code)
      return Code.takeError();
    auto Object =
        object::ObjectFile::createObjectFile(MemoryBufferRef(*Code, "object"));
    if (!Object)
      return Object.takeError();
    uint64_t Bytes = 0;
    for (const object::SectionRef &Section : (*Object)->sections())
      if (Section.isText())
        Bytes += Section.getSize();
    return Bytes;
  }
};

} // namespace

static ObjectiveRegistry::Add<TextSize>
    X("text_size", "Bytes in the executable sections of the object file.");
