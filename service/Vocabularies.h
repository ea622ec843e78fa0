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

/// Opens the vocabularies in \p Folder, for this process and its forks, which
/// cannot open files themselves. A vocabulary is parsed only when it is first
/// asked for.
void readVocabularies(llvm::StringRef Folder);

/// Seed embeddings of entities, in the format of LLVM's IR2Vec and MIR2Vec.
class Vocabulary {
public:
  using Vector = llvm::ArrayRef<double>;

  /// Returns the vocabulary of "<folder>/<name>.json". It is parsed when it is
  /// first asked for, and then kept for this process and its forks. Fails
  /// unless it has all of \p Sections, with vectors of \p Dimension.
  static llvm::Expected<const Vocabulary *>
  load(llvm::StringRef Name, llvm::ArrayRef<llvm::StringRef> Sections,
       size_t Dimension);

  /// Returns the embedding of an entity; empty if there is none, which LLVM
  /// takes for zeros.
  Vector find(llvm::StringRef Section, llvm::StringRef Entity) const;

private:
  llvm::StringMap<llvm::StringMap<std::vector<double>>> Sections;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_VOCABULARIES_H
