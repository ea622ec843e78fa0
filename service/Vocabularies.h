//===- Vocabularies.h - Seed embeddings from files --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_VOCABULARIES_H
#define MLCOMPILER_GYM_SERVICE_VOCABULARIES_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace mlcompiler {

/// Takes hold of the vocabularies in \p Folder, for this process and those
/// forked from it, which can open no file. What is in them is looked at when
/// one is first asked for.
void readVocabularies(llvm::StringRef Folder);

/// Seed embeddings of entities, in the format of LLVM's IR2Vec and MIR2Vec.
class Vocabulary {
public:
  using Vector = llvm::ArrayRef<double>;

  /// "<folder>/<name>.json". It is parsed when it is first asked for, and then
  /// known to this process and those forked from it. Fails unless it has all of
  /// \p Sections, with vectors of \p Dimension.
  static llvm::Expected<const Vocabulary *>
  load(llvm::StringRef Name, llvm::ArrayRef<llvm::StringRef> Sections,
       size_t Dimension);

  /// Empty if there is no such entity; LLVM takes that for zeros.
  Vector find(llvm::StringRef Section, llvm::StringRef Entity) const;

private:
  llvm::StringMap<llvm::StringMap<std::vector<double>>> Sections;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_VOCABULARIES_H
