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

/// What an assembler must know about a function's machine code to tell how many
/// bytes it takes. The size of a branch depends on how far away its target is,
/// and so on everything in between. The target may lie in another function.
struct CodeShape {
  struct Part {
    enum Kind : uint8_t {
      /// Size bytes of code or data, which no layout changes.
      Bytes,
      /// Padding up to the next multiple of Size, which is a power of two; none
      /// if it would take more than Target bytes.
      Alignment,
      /// The place that branches to label number Target go to.
      Label,
      /// The place that jumps from other functions go to.
      Entry,
      /// A branch to label number Target. It takes Size bytes if it is short,
      /// and LongSize bytes if it is long.
      Branch,
      /// A branch to function number Target of Callees, with the same two
      /// sizes.
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

  /// The section that the code lies in, with its group.
  std::string Section;
  std::vector<Part> Parts;
  /// The functions that Jumps go to.
  std::vector<std::string> Callees;

  std::string encode() const;
  static std::optional<CodeShape> decode(llvm::StringRef Bytes);
};

/// A function among the others of its module.
struct PlacedCode {
  llvm::StringRef Function;
  CodeShape Shape;
};

/// Lays out the functions in their order, as LLVM's assembler does, and returns
/// how many bytes all sections take. Every branch begins short. Then all
/// branches that do not reach their targets are made long at once, until every
/// branch reaches.
///
/// \p Reached returns the function that a callee's name stands for, if the
/// assembler can measure the distance to it when it lies in the same section.
/// It returns an empty name if a jump to that callee is always long.
uint64_t layOut(llvm::ArrayRef<PlacedCode> Functions,
                llvm::function_ref<llvm::StringRef(llvm::StringRef)> Reached);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_CODESHAPE_H
