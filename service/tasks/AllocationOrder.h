//===- AllocationOrder.h - LLVM's order of registers ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Declares a class that LLVM 22 passes to eviction advisors, but whose header
/// it does not install (lib/CodeGen/AllocationOrder.h). The members must be the
/// same as there. Tests compare the columns of this order with the columns that
/// LLVM fills in.
///
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_TASKS_ALLOCATIONORDER_H
#define MLCOMPILER_GYM_SERVICE_TASKS_ALLOCATIONORDER_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/MC/MCRegister.h"

namespace llvm {

/// Registers in the order in which they are tried: the hints first, then the
/// rest of the class, unless only hints are allowed.
class AllocationOrder {
  const SmallVector<MCPhysReg, 16> Hints;
  ArrayRef<MCPhysReg> Order;
  /// How many registers of Order may be taken.
  const int IterationLimit;

public:
  AllocationOrder(SmallVector<MCPhysReg, 16> &&Hints, ArrayRef<MCPhysReg> Order,
                  bool HardHints)
      : Hints(std::move(Hints)), Order(Order),
        IterationLimit(HardHints ? 0 : static_cast<int>(Order.size())) {}

  ArrayRef<MCPhysReg> hints() const { return Hints; }
  ArrayRef<MCPhysReg> getOrder() const { return Order; }
  bool hasHardHints() const { return !IterationLimit; }
};

} // namespace llvm

#endif // MLCOMPILER_GYM_SERVICE_TASKS_ALLOCATIONORDER_H
