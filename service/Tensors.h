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
/// One buffer serves all decisions of a session.
///
/// Contract: LLVM's own tensors are bound once, and LLVM writes them from then
/// on. The task writes all other tensors, by name, at each decision.
/// Failure mode: writing a tensor that is not sent, or that has another type or
/// size than the task says, is a mistake in the task. It ends the process with
/// a fatal error.
class Tensors {
public:
  /// Elements as in the protocol, which has no alignment.
  template <typename T>
  using Elements = llvm::MutableArrayRef<llvm::support::little_t<T>>;

  Tensors() = default;
  explicit Tensors(FeatureLayout Sent);
  /// A move leaves the buffer where it is. Copying is not allowed, because LLVM
  /// would not write to the copy.
  Tensors(Tensors &&) = default;
  Tensors &operator=(Tensors &&) = default;

  const FeatureLayout &layout() const { return Layout; }

  /// Returns where LLVM must write the tensor that it calls \p Spec.
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

  /// Replaces infinities and NaN, which no network takes; see finiteFeature().
  void makeFinite();

  /// All tensors, as they are sent.
  llvm::StringRef bytes() const { return {Buffer.data(), Buffer.size()}; }

  /// Writes every element as a float.
  void toFloats(std::string &Out) const;

  /// Whether the task says at each decision which actions are legal.
  bool hasMask() const { return Layout.mask().has_value(); }
  /// Whether the mask, which is one of the tensors, allows an action.
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

  /// Returns the place of a tensor that is about to be written. The tensor must
  /// have this type, and this number of elements unless \p Elements is 0.
  const Place &place(llvm::StringRef Name, proto::DType Type,
                     size_t Elements = 0);

  FeatureLayout Layout;
  std::vector<char> Buffer;
  /// By Place::Number.
  llvm::SmallBitVector Written;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TENSORS_H
