//===- LLVMOptions.cpp - LLVM's command-line options ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "LLVMOptions.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/ErrorHandling.h"

using namespace llvm;
using namespace mlcompiler;

void LLVMOptions::set(StringRef Name, StringRef Value) {
  cl::Option *Option = cl::getRegisteredOptions().lookup(Name);
  if (!Option || Option->addOccurrence(0, Name, Value))
    reportFatalInternalError("LLVM does not take '-" + Twine(Name) + "=" +
                             Value + "'");
}
