//===- CanonicalIR.h - IR as bytes that say nothing else --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_CANONICALIR_H
#define MLCOMPILER_GYM_SERVICE_CANONICALIR_H

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/IR/Attributes.h"
#include "llvm/IR/InstrTypes.h"
#include "llvm/IR/Module.h"

namespace mlcompiler {

/// Writes parts of a module as bytes. The bytes hold everything that a code
/// generator can see of a part, and nothing else of the module. Values, types
/// and metadata are numbered in the order in which the part uses them. Other
/// globals are named only, and have bytes of their own. Names of types, and of
/// values in functions, are left out, since no code depends on them.
///
/// Contract: two parts with the same bytes are the same to a code generator.
/// Failure mode: a construct that this class does not know is not written, and
/// isWhole() is false.
class CanonicalIR {
public:
  explicit CanonicalIR(const llvm::Module &M);

  /// Forgets what has been written, and all numbers.
  void clear();

  /// Writes everything within a function's braces, and for each value that is
  /// used there, the order of its uses.
  void writeBody(const llvm::Function &F);
  /// Writes what is visible of a global without looking into a function: name,
  /// linkage, attributes, and the initializer of a constant.
  void writeGlobal(const llvm::GlobalValue &GV);
  void writeMetadata(const llvm::MDNode &Node) { metadata(&Node); }

  llvm::StringRef bytes() const { return Bytes; }
  /// The globals that the bytes name, in the order in which they come up.
  llvm::ArrayRef<const llvm::GlobalValue *> named() const {
    return Named.getArrayRef();
  }
  /// Whether everything could be written.
  bool isWhole() const { return Whole; }

private:
  void put(uint64_t Number);
  void put(llvm::StringRef Text);
  void number(const llvm::APInt &Number);
  void type(llvm::Type *T);
  void value(const llvm::Value *V);
  void constant(const llvm::Constant *C);
  void contents(const llvm::Constant &C);
  void metadata(const llvm::Metadata *MD);
  void attachments(llvm::ArrayRef<std::pair<unsigned, llvm::MDNode *>> All);
  void attributes(llvm::AttributeSet Set);
  void attributes(const llvm::AttributeList &List);
  void instruction(const llvm::Instruction &I);
  void special(const llvm::Instruction &I);
  void call(const llvm::CallBase &Call);
  void uses(const llvm::Value &V);
  void usesWithin(const llvm::Function &F);

  llvm::SmallString<0> Bytes;
  bool Whole = true;
  llvm::SetVector<const llvm::GlobalValue *> Named;
  llvm::DenseMap<llvm::Type *, unsigned> Types;
  llvm::DenseMap<const llvm::Constant *, unsigned> Constants;
  llvm::DenseMap<const llvm::Metadata *, unsigned> Nodes;
  /// The numbers of a function's arguments, blocks and instructions.
  llvm::DenseMap<const llvm::Value *, unsigned> Locals;
  /// How often instructions of a function use constants.
  llvm::MapVector<const llvm::Constant *, unsigned> ConstantUses;

  /// Names of the module's kinds of metadata, which clear() keeps.
  llvm::SmallVector<llvm::StringRef> MetadataKinds;
  llvm::DenseMap<llvm::AttributeSet, std::string> AttributeTexts;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_CANONICALIR_H
