//===- CodeCache.h - What processes know of machine code --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_CODECACHE_H
#define MLCOMPILER_GYM_SERVICE_CODECACHE_H

#include "llvm/ADT/StringRef.h"
#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace mlcompiler {

/// Hashes everything that a function's machine code depends on.
using CodeKey = std::array<uint8_t, 32>;

/// What is known of functions' machine code, by what that depends on: one piece
/// of memory that the nursery shares with all that is forked from it, so that a
/// session knows what any other has found out.
///
/// Contract: of a fixed size. Nothing waits and nothing fails: what does not
/// fit is not kept, and in each part of the memory the oldest makes room. What
/// is found is what has been inserted.
/// Failure mode: an entry that two processes write at once, or that one writes
/// over as it dies, no longer matches its checksum, and is not found. A process
/// that has been taken over could insert what is not true; where clients do not
/// trust each other, there is no such memory (`--code-cache-bytes=0`).
class CodeCache {
public:
  /// How often sessions have found what they wanted, and what they did then.
  struct Counts {
    uint64_t Found = 0;
    /// Functions that code was generated for.
    uint64_t Generated = 0;
    /// Modules whose whole code was generated, since one function's does not
    /// depend on what is hashed alone.
    uint64_t Whole = 0;
  };

  /// Room for \p Bytes, or none if there is no memory.
  explicit CodeCache(size_t Bytes);
  CodeCache(const CodeCache &) = delete;
  CodeCache &operator=(const CodeCache &) = delete;
  ~CodeCache();

  bool isOn() const { return Buckets; }
  size_t bytes() const;

  std::optional<std::string> find(const CodeKey &Key) const;
  void insert(const CodeKey &Key, llvm::StringRef Value);

  void count(const Counts &More);
  Counts counts() const;

private:
  struct Shared;

  char *bucket(const CodeKey &Key) const;

  Shared *Memory = nullptr;
  size_t Buckets = 0;
};

/// The service's; off until reserve() is called.
namespace codecache {
/// To be called once, before anything is forked.
void reserve(size_t Bytes);
CodeCache &get();
} // namespace codecache

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_CODECACHE_H
