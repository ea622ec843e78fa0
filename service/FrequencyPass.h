//===- FrequencyPass.h - A look at each machine function --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_FREQUENCYPASS_H
#define MLCOMPILER_GYM_SERVICE_FREQUENCYPASS_H

#include <functional>

namespace llvm {
class MachineBlockFrequencyInfo;
class MachineFunction;
class Pass;
} // namespace llvm

namespace mlcompiler {

using FunctionVisitor = std::function<void(
    const llvm::MachineFunction &, const llvm::MachineBlockFrequencyInfo &)>;

/// A pass that calls \p Visit with each machine function as it is at that
/// point, and changes nothing.
llvm::Pass *createFrequencyPass(FunctionVisitor Visit);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_FREQUENCYPASS_H
