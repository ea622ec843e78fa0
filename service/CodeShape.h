//===- CodeShape.h - How much room machine code takes -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_CODESHAPE_H
#define MLCOMPILER_GYM_SERVICE_CODESHAPE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mlcompiler {

/// What an assembler must know of a function's machine code to say how many
/// bytes it takes: that of its branches which reach far is not known before
/// everything between them and their targets is, and targets may lie in other
/// functions.
struct CodeShape {
  struct Part {
    enum Kind : uint8_t {
      /// Size bytes.
      Bytes,
      /// Up to the next multiple of Size, a power of two, if that takes no more
      /// than Target bytes.
      Alignment,
      /// Where branches to the label of number Target go.
      Label,
      /// Where the function begins for others.
      Entry,
      /// A branch to the label of number Target, of Size bytes; LongSize if it
      /// reaches far.
      Branch,
      /// The same to the function of that number in Callees.
      Jump,
    };
    Kind What;
    uint32_t Size = 0;
    uint32_t LongSize = 0;
    uint32_t Target = 0;

    bool operator==(const Part &Other) const {
      return What == Other.What && Size == Other.Size &&
             LongSize == Other.LongSize && Target == Other.Target;
    }
  };

  /// The section that it lies in, and the group that this belongs to.
  std::string Section;
  std::vector<Part> Parts;
  /// The functions that are jumped to.
  std::vector<std::string> Callees;

  std::string encode() const;
  static std::optional<CodeShape> decode(llvm::StringRef Bytes);
};

/// A function among the others of its module.
struct PlacedCode {
  llvm::StringRef Function;
  CodeShape Shape;
};

/// Bytes in all sections once the functions have been laid out in their order,
/// as LLVM's assembler does it: with every branch short to begin with, those
/// that do not reach are made long all at once, over and over. \p Reached says
/// which function a callee is, if the assembler knows how far away that is as
/// long as both lie in the same section; empty if a jump there is always long.
uint64_t layOut(llvm::ArrayRef<PlacedCode> Functions,
                llvm::function_ref<llvm::StringRef(llvm::StringRef)> Reached);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_CODESHAPE_H
