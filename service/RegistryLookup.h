//===- RegistryLookup.h - Finding a registered thing by name ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_REGISTRYLOOKUP_H
#define MLCOMPILER_GYM_SERVICE_REGISTRYLOOKUP_H

#include "Failure.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"

namespace mlcompiler {

/// The entries of a registry in the order of their names. The order in which
/// the linker puts them would mean nothing to a reader.
template <typename RegistryT>
llvm::SmallVector<const typename RegistryT::entry *> sortedEntries() {
  llvm::SmallVector<const typename RegistryT::entry *> Entries;
  for (const typename RegistryT::entry &Entry : RegistryT::entries())
    Entries.push_back(&Entry);
  llvm::sort(Entries, [](const auto *A, const auto *B) {
    return A->getName() < B->getName();
  });
  return Entries;
}

/// Returns the entry called \p Name. If there is none, fails with a message
/// that lists the names of all entries, and calls them \p Kind.
template <typename RegistryT>
llvm::Expected<const typename RegistryT::entry *> lookUp(llvm::StringRef Kind,
                                                         llvm::StringRef Name) {
  auto Entries = sortedEntries<RegistryT>();
  for (const auto *Entry : Entries)
    if (Entry->getName() == Name)
      return Entry;
  auto Names =
      llvm::map_range(Entries, [](const auto *E) { return E->getName(); });
  return fail(mlcompiler_gym::v1::INVALID_ARGUMENT,
              "unknown " + Kind + " '" + Name +
                  "'; known: " + llvm::join(Names, ", "));
}

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_REGISTRYLOOKUP_H
