//===- CodeCache.cpp - What processes know of machine code ----------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "CodeCache.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/xxhash.h"
#include <atomic>
#include <cstring>
#include <memory>
#include <sys/mman.h>

using namespace llvm;
using namespace mlcompiler;

/// Entries lie in buckets of this size. A bucket is filled from its beginning,
/// and then again from its beginning. An entry may begin at any multiple of
/// Unit.
static constexpr size_t BucketBytes = 4096;
static constexpr size_t Unit = 16;

namespace {

/// Stands at the beginning of a bucket.
struct BucketHead {
  /// Where the next entry goes. It may hold any number, and is brought into
  /// range when it is read.
  std::atomic<uint32_t> Next;
};

/// Stands before an entry's bytes.
struct EntryHead {
  CodeKey Key;
  /// The checksum of key and bytes.
  uint64_t Checksum;
  uint64_t Size;
};

} // namespace

static_assert(sizeof(BucketHead) <= Unit && sizeof(EntryHead) % Unit == 0 &&
              std::atomic<uint64_t>::is_always_lock_free);

/// Stands before the first bucket.
struct CodeCache::Shared {
  std::atomic<uint64_t> Found, Generated, Whole;
};

static uint64_t checksum(const CodeKey &Key, StringRef Value) {
  return xxh3_64bits(ArrayRef<uint8_t>(Key)) * 31 +
         xxh3_64bits(arrayRefFromStringRef(Value));
}

CodeCache::CodeCache(size_t Bytes) {
  if (Bytes < 2 * BucketBytes)
    return;
  // Pages that were never written to take no memory.
  void *Mapped = mmap(nullptr, Bytes, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (Mapped == MAP_FAILED)
    return;
  Memory = static_cast<Shared *>(Mapped);
  Buckets = Bytes / BucketBytes - 1;
}

CodeCache::~CodeCache() {
  if (Memory)
    munmap(Memory, bytes());
}

size_t CodeCache::bytes() const {
  return Memory ? (Buckets + 1) * BucketBytes : 0;
}

char *CodeCache::bucket(const CodeKey &Key) const {
  uint64_t Number;
  memcpy(&Number, Key.data(), sizeof(Number));
  return reinterpret_cast<char *>(Memory) +
         (1 + Number % Buckets) * BucketBytes;
}

std::optional<std::string> CodeCache::find(const CodeKey &Key) const {
  if (!isOn())
    return std::nullopt;
  const char *Bucket = bucket(Key);
  // No list says where entries begin, because it could not be trusted.
  for (size_t At = Unit; At + sizeof(EntryHead) <= BucketBytes; At += Unit) {
    if (memcmp(Bucket + At, Key.data(), Key.size()) != 0)
      continue;
    EntryHead Head;
    memcpy(&Head, Bucket + At, sizeof(Head));
    if (Head.Size > BucketBytes - At - sizeof(Head))
      continue;
    // Other processes may write here in the meantime, so the copy is checked.
    std::string Value(Bucket + At + sizeof(Head), Head.Size);
    if (Head.Key == Key && Head.Checksum == checksum(Key, Value))
      return Value;
  }
  return std::nullopt;
}

void CodeCache::insert(const CodeKey &Key, StringRef Value) {
  const size_t Size = alignTo<Unit>(sizeof(EntryHead) + Value.size());
  if (!isOn() || Size > BucketBytes - Unit)
    return;
  char *Bucket = bucket(Key);
  std::atomic<uint32_t> &Next = reinterpret_cast<BucketHead *>(Bucket)->Next;
  size_t At = alignTo<Unit>(Next.load(std::memory_order_relaxed));
  if (At < Unit || At + Size > BucketBytes)
    At = Unit;
  Next.store(static_cast<uint32_t>(At + Size), std::memory_order_relaxed);
  const EntryHead Head{Key, checksum(Key, Value), Value.size()};
  memcpy(Bucket + At + sizeof(Head), Value.data(), Value.size());
  memcpy(Bucket + At, &Head, sizeof(Head));
}

void CodeCache::count(const Counts &More) {
  if (!isOn())
    return;
  Memory->Found.fetch_add(More.Found, std::memory_order_relaxed);
  Memory->Generated.fetch_add(More.Generated, std::memory_order_relaxed);
  Memory->Whole.fetch_add(More.Whole, std::memory_order_relaxed);
}

CodeCache::Counts CodeCache::counts() const {
  if (!isOn())
    return {};
  return {Memory->Found.load(std::memory_order_relaxed),
          Memory->Generated.load(std::memory_order_relaxed),
          Memory->Whole.load(std::memory_order_relaxed)};
}

static std::unique_ptr<CodeCache> &theCache() {
  static std::unique_ptr<CodeCache> Cache = std::make_unique<CodeCache>(0);
  return Cache;
}

void codecache::reserve(size_t Bytes) {
  theCache() = std::make_unique<CodeCache>(Bytes);
}

CodeCache &codecache::get() { return *theCache(); }
