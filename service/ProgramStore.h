//===- ProgramStore.h - Uploaded programs -----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_PROGRAMSTORE_H
#define MLCOMPILER_GYM_SERVICE_PROGRAMSTORE_H

#include "llvm/ADT/StringRef.h"
#include <list>
#include <map>
#include <string>

namespace mlcompiler {

/// Programs by the SHA-256 of their bytes. They are kept in memory, so that a
/// session has its program when it is forked. The store is bounded in bytes and
/// in number. The program used least recently goes first, and its next Open is
/// answered NOT_FOUND.
class ProgramStore {
public:
  ProgramStore(size_t MostBytes, size_t MostPrograms)
      : MostBytes(MostBytes), MostPrograms(MostPrograms) {}

  /// Stores a program and returns the 32 bytes of its hash.
  std::string insert(llvm::StringRef Program);

  /// Null if there is no such program. Valid until the next insert.
  const std::string *find(const std::string &Hash);

private:
  struct Entry {
    std::string Hash;
    std::string Program;
  };

  const size_t MostBytes;
  const size_t MostPrograms;
  size_t Bytes = 0;
  /// The program used most recently comes first.
  std::list<Entry> Entries;
  std::map<std::string, std::list<Entry>::iterator> ByHash;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_PROGRAMSTORE_H
