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

/// Forks this process to look ahead. The fork gets nullopt, does what would
/// come next, and ends with conclude(). This process waits for the fork, and
/// gets the text that the fork concluded with.
///
/// If the fork does not come that far, this fails with the fork's report: a
/// crash, too little memory, or the deadline of the request. While this process
/// waits, only the fork watches the deadline.
llvm::Expected<std::optional<std::string>> lookAhead();

/// Ends a fork that looks ahead.
[[noreturn]] void conclude(llvm::StringRef What);

/// Does \p Body in a fork of this process. If the fork does not survive that,
/// fails like lookAhead().
///
/// Call it before doing the same here, where that may end the session. It costs
/// a fork, and the time of \p Body once more.
llvm::Error rehearse(llvm::function_ref<void()> Body);

/// Reads what a fork wrote into a pipe before it ended: a reply, or the report
/// of what ended it. Otherwise, the fork was killed.
mlcompiler_gym::v1::Reply readReport(llvm::StringRef Bytes);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_REHEARSAL_H
