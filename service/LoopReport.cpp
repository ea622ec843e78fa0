//===- LoopReport.cpp - What became of each loop --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "LoopReport.h"

using namespace llvm;

json::Array &mlcompiler::loopReport() {
  static json::Array Report;
  return Report;
}
