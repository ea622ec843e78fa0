//===- LoopReport.h - What became of each loop ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_LOOPREPORT_H
#define MLCOMPILER_GYM_SERVICE_LOOPREPORT_H

#include "llvm/Support/JSON.h"

namespace mlcompiler {

/// What has become of each innermost loop so far, one object for each. There is
/// one report for the process, because a process serves one compile.
llvm::json::Array &loopReport();

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_LOOPREPORT_H
