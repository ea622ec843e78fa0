//===- Tensors.h - What one decision is decided from ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_TENSORS_H
#define MLCOMPILER_GYM_SERVICE_TENSORS_H

#include "FeatureLayout.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallBitVector.h"
#include "llvm/Support/Endian.h"
#include <type_traits>
#include <vector>

namespace llvm {
class TensorSpec;
}

namespace mlcompiler {

/// The tensors of a decision, in one buffer that is laid out as they are sent.
/// The same one serves all decisions of a session.
///
/// Contract: LLVM's own tensors are bound once and written by LLVM from then
/// on; a task writes the others by their names, all of them at each decision.
/// Failure mode: a tensor that is not sent, or is not what the task says of it,
/// is a mistake in the task, and ends the process with a fatal error.
class Tensors {
public:
  /// As the protocol has them, which knows no alignment.
  template <typename T>
  using Elements = llvm::MutableArrayRef<llvm::support::little_t<T>>;

  Tensors() = default;
  explicit Tensors(FeatureLayout Sent);
  /// The buffer stays where it is. There is no copy, which LLVM would not
  /// write to.
  Tensors(Tensors &&) = default;
  Tensors &operator=(Tensors &&) = default;

  const FeatureLayout &layout() const { return Layout; }

  /// Where LLVM is to write the tensor that it has as \p Spec.
  void *bind(const llvm::TensorSpec &Spec);

  /// The elements of a tensor, row-major; T is int64_t or float.
  template <typename T> Elements<T> elements(llvm::StringRef Name) {
    return view<T>(place(Name, typeOf<T>()));
  }

  /// Writes the one element of a tensor.
  template <typename T> void set(llvm::StringRef Name, T Value) {
    set<T>(Name, llvm::ArrayRef<T>(Value));
  }
  /// Writes all of them.
  template <typename T>
  void set(llvm::StringRef Name, llvm::ArrayRef<T> Values) {
    llvm::copy(Values,
               view<T>(place(Name, typeOf<T>(), Values.size())).begin());
  }

  /// Ends the process if nothing has ever written one of the tensors.
  void checkWritten() const;

  /// Puts finite numbers in the place of others, which no network takes: a live
  /// range that must not be spilled has an infinite weight, and relative to
  /// another one like it, none that is a number.
  void makeFinite();

  /// All tensors, as they are sent.
  llvm::StringRef bytes() const { return {Buffer.data(), Buffer.size()}; }

  /// Writes every element as a float.
  void toFloats(std::string &Out) const;

  /// Whether the task says at each decision which actions are legal.
  bool hasMask() const { return Layout.mask().has_value(); }
  /// Whether an action is legal, by the tensor that is the mask.
  bool isLegal(int64_t Action) const {
    return llvm::support::endian::read64le(Buffer.data() + Layout.mask()->Byte +
                                           Action * sizeof(int64_t));
  }

private:
  using Place = FeatureLayout::Place;

  template <typename T> static constexpr proto::DType typeOf() {
    static_assert(std::is_same_v<T, float> || std::is_same_v<T, int64_t>);
    return std::is_same_v<T, float> ? proto::FLOAT32 : proto::INT64;
  }

  template <typename T> Elements<T> view(const Place &P) {
    return {
        reinterpret_cast<llvm::support::little_t<T> *>(Buffer.data() + P.Byte),
        P.Elements};
  }

  /// The place of a tensor that is about to be written, and is of that dtype
  /// and, unless it is 0, number of elements.
  const Place &place(llvm::StringRef Name, proto::DType Type,
                     size_t Elements = 0);

  FeatureLayout Layout;
  std::vector<char> Buffer;
  /// By Place::Number.
  llvm::SmallBitVector Written;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TENSORS_H
