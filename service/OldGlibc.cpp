//===- OldGlibc.cpp - What older C libraries do not have --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
//
// GCC's runtime is linked in statically. The one that this is built with calls
// two functions of newer C libraries: libstdc++'s random_device calls
// arc4random (glibc 2.36), and the unwinder calls _dl_find_object (glibc 2.35).
// With the definitions here, the program also runs with glibc 2.34. They are
// not exported.
//
//===----------------------------------------------------------------------===//

#include <cstdint>
#include <cstdlib>
#include <link.h>
#include <sys/random.h>

#define HIDDEN __attribute__((visibility("hidden")))

namespace {

/// The loaded object that contains an address.
struct Search {
  uintptr_t Address;
  struct dl_find_object *Found;
};

int look(struct dl_phdr_info *Object, size_t, void *Data) {
  auto *Wanted = static_cast<Search *>(Data);
  uintptr_t Start = 0, End = 0;
  void *Frames = nullptr;
  for (int I = 0; I != Object->dlpi_phnum; ++I) {
    const ElfW(Phdr) &Header = Object->dlpi_phdr[I];
    uintptr_t First = Object->dlpi_addr + Header.p_vaddr;
    if (Header.p_type == PT_GNU_EH_FRAME)
      Frames = reinterpret_cast<void *>(First);
    else if (Header.p_type == PT_LOAD && Wanted->Address >= First &&
             Wanted->Address < First + Header.p_memsz) {
      Start = First;
      End = First + Header.p_memsz;
    }
  }
  if (!End)
    return 0;
  if (!Frames)
    return -1;
  *Wanted->Found = {};
  Wanted->Found->dlfo_map_start = reinterpret_cast<void *>(Start);
  Wanted->Found->dlfo_map_end = reinterpret_cast<void *>(End);
  Wanted->Found->dlfo_eh_frame = Frames;
  return 1;
}

} // namespace

extern "C" {

HIDDEN uint32_t arc4random() noexcept {
  uint32_t Number;
  // The kernel gives so few bytes at once, or none.
  if (getrandom(&Number, sizeof(Number), 0) != sizeof(Number))
    abort();
  return Number;
}

HIDDEN int _dl_find_object(void *Address,
                           struct dl_find_object *Found) noexcept {
  Search Wanted{reinterpret_cast<uintptr_t>(Address), Found};
  return dl_iterate_phdr(look, &Wanted) == 1 ? 0 : -1;
}
}
