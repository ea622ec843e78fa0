//===- Failure.cpp - An error with a protocol code ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Failure.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlcompiler;

char Failure::ID = 0;

void Failure::log(llvm::raw_ostream &OS) const { OS << Message; }

std::error_code Failure::convertToErrorCode() const {
  return llvm::inconvertibleErrorCode();
}

char ReportedFailure::ID = 0;

void ReportedFailure::log(llvm::raw_ostream &OS) const {
  OS << Report.message();
}

std::error_code ReportedFailure::convertToErrorCode() const {
  return llvm::inconvertibleErrorCode();
}
