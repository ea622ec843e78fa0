//===- EmbeddedBitcode.h - Modules inside other files -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_EMBEDDEDBITCODE_H
#define MLCOMPILER_GYM_SERVICE_EMBEDDEDBITCODE_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace llvm {
class raw_ostream;
}

namespace mlcompiler {

/// Writes every module in \p File to \p Folder as 0.bc, 1.bc and so on. For
/// each, it writes a line of JSON to \p Listing with the keys "file" and
/// "source"; the latter says where in \p File the module was.
///
/// \p File is bitcode, an object or executable with a .llvmbc section
/// (-fembed-bitcode) or a .llvm.lto section (-ffat-lto-objects), or an archive
/// of such files. Members that hold no module are skipped.
llvm::Error extractBitcode(llvm::StringRef File, llvm::StringRef Folder,
                           llvm::raw_ostream &Listing);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_EMBEDDEDBITCODE_H
