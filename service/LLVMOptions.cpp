//===- LLVMOptions.cpp - LLVM's command-line options ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "LLVMOptions.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/ErrorHandling.h"
#include <map>

using namespace llvm;
using namespace mlcompiler;

static std::map<std::string, std::string> &valuesSet() {
  static std::map<std::string, std::string> Values;
  return Values;
}

void LLVMOptions::set(StringRef Name, StringRef Value) {
  cl::Option *Option = cl::getRegisteredOptions().lookup(Name);
  if (!Option || Option->addOccurrence(0, Name, Value))
    reportFatalInternalError("LLVM does not take '-" + Twine(Name) + "=" +
                             Value + "'");
  valuesSet()[Name.str()] = Value.str();
}

std::string LLVMOptions::inForce() {
  std::string Lines;
  for (const auto &[Name, Value] : valuesSet())
    Lines += Name + "=" + Value + "\n";
  return Lines;
}
