//===- Rehearsal.h - What may be the end of a process -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_REHEARSAL_H
#define MLCOMPILER_GYM_SERVICE_REHEARSAL_H

#include "mlcompiler_gym/v1/compiler_service.pb.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <optional>
#include <string>

namespace mlcompiler {

/// Forks this process to look ahead. The fork gets nothing back, goes on with
/// what would come next, and ends with conclude(). This process waits for it,
/// and gets what it concluded; or, if it does not come that far, fails with
/// what it has reported, were it a crash, too little memory, or the deadline of
/// the request. Meanwhile the deadline is the fork's alone.
llvm::Expected<std::optional<std::string>> lookAhead();

/// Ends a fork that looks ahead.
[[noreturn]] void conclude(llvm::StringRef What);

/// Does \p Body in a fork of this process, and fails if that does not survive
/// it, as lookAhead() does.
///
/// To be called before doing the same here, where that may be the end of the
/// session. It takes as long again, and a fork.
llvm::Error rehearse(llvm::function_ref<void()> Body);

/// What a fork has written into a pipe before it ended: a reply, or the report
/// of what has ended it. If it is neither, it was killed.
mlcompiler_gym::v1::Reply readReport(llvm::StringRef Bytes);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_REHEARSAL_H
