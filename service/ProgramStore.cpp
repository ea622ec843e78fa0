//===- ProgramStore.cpp - Uploaded programs -------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "ProgramStore.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/SHA256.h"

using namespace llvm;
using namespace mlcompiler;

std::string ProgramStore::insert(StringRef Program) {
  auto Digest = SHA256::hash(arrayRefFromStringRef(Program));
  std::string Hash(Digest.begin(), Digest.end());
  if (find(Hash))
    return Hash;
  Entries.push_front({Hash, Program.str()});
  ByHash[Hash] = Entries.begin();
  Bytes += Program.size();
  while ((Bytes > MostBytes || Entries.size() > MostPrograms) &&
         Entries.size() > 1) {
    Bytes -= Entries.back().Program.size();
    ByHash.erase(Entries.back().Hash);
    Entries.pop_back();
  }
  return Hash;
}

const std::string *ProgramStore::find(const std::string &Hash) {
  auto It = ByHash.find(Hash);
  if (It == ByHash.end())
    return nullptr;
  Entries.splice(Entries.begin(), Entries, It->second);
  return &It->second->Program;
}
