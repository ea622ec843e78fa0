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

/// Programs by the SHA-256 of their bytes, in memory, so that a session gets
/// its program by being forked. Bounded in bytes and in number: the program
/// used least recently goes first, and its next Open is answered NOT_FOUND.
class ProgramStore {
public:
  ProgramStore(size_t MostBytes, size_t MostPrograms)
      : MostBytes(MostBytes), MostPrograms(MostPrograms) {}

  /// Returns the 32 bytes of the hash.
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
  /// Used most recently first.
  std::list<Entry> Entries;
  std::map<std::string, std::list<Entry>::iterator> ByHash;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_PROGRAMSTORE_H
