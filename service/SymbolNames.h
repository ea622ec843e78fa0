//===- SymbolNames.h - Names of a program as text ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_SYMBOLNAMES_H
#define MLCOMPILER_GYM_SERVICE_SYMBOLNAMES_H

#include "llvm/ADT/StringRef.h"
#include <string>

namespace mlcompiler {

/// Returns a name of a program, which can be any bytes, as UTF-8 text.
/// Different names have different texts. A backslash, and every byte that is
/// not UTF-8, becomes a backslash and two hexadecimal digits, as in LLVM IR.
/// ASCII around a name stays around its text.
std::string toText(llvm::StringRef Name);

/// Returns the name whose text is \p Text. If \p Text is not the text of any
/// name, returns the empty name, which no program has.
std::string fromText(llvm::StringRef Text);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_SYMBOLNAMES_H
