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

/// A name of a program, which can be any bytes, as UTF-8 text that no other
/// name has: a backslash, and what is not UTF-8, becomes a backslash and two
/// hexadecimal digits, as LLVM IR writes it. ASCII around a name stays around
/// its text.
std::string toText(llvm::StringRef Name);

/// The name whose text \p Text is. Text that no name has gives a name that no
/// program has: the empty one.
std::string fromText(llvm::StringRef Text);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_SYMBOLNAMES_H
