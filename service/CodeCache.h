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

/// Keeps what is known about the machine code of functions, by a hash of
/// everything that the code depends on. The memory is shared by the nursery and
/// all processes forked from it, so a session finds what any other session has
/// inserted.
///
/// Contract: the size is fixed. No call waits, and none fails: an entry that
/// does not fit is not kept, and new entries replace the oldest in their part
/// of the memory. An entry is found as it was inserted.
/// Failure mode: an entry that two processes write at once, or that a process
/// half writes before it dies, no longer matches its checksum, and is not
/// found. A process that an attacker has taken over could insert false entries.
/// Where clients do not trust each other, run without the cache
/// (`--code-cache-bytes=0`).
class CodeCache {
public:
  /// How often sessions have found code, and how often they have generated it.
  struct Counts {
    uint64_t Found = 0;
    /// Functions whose code was generated.
    uint64_t Generated = 0;
    /// Modules whose whole code was generated, because the code of some
    /// function depends on more than is hashed.
    uint64_t Whole = 0;
  };

  /// Reserves \p Bytes. Without memory, the cache is off.
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

/// The cache of this service, which is off until reserve() is called.
namespace codecache {
/// Call once, before the first fork.
void reserve(size_t Bytes);
CodeCache &get();
} // namespace codecache

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_CODECACHE_H
