//===- VectorSource.h - Numbers of a piece of the program -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_OBSERVATIONS_VECTORSOURCE_H
#define MLCOMPILER_GYM_SERVICE_OBSERVATIONS_VECTORSOURCE_H

#include "ObservationSource.h"
#include "TensorSpecs.h"
#include "llvm/ADT/DenseMap.h"

namespace llvm {
class CallBase;
class Function;
class Loop;
} // namespace llvm

namespace mlcompiler {

/// A vector of numbers of a function, and so of the module: the sum over its
/// functions. Functions that have not changed are not looked at again.
///
/// A subclass adds to rows of zeros, which may be several functions' one after
/// the other.
class VectorSource : public ObservationSource {
public:
  using Row = llvm::MutableArrayRef<double>;

  void describe(proto::ObservationSpec &Spec) const final;
  llvm::Error observe(const ObservationContext &Context,
                      proto::Observation &Out) final;

protected:
  /// Dtype, the one dimension, bounds and doc of the vector. Elements are
  /// converted to the dtype after they have been summed up.
  virtual void describeVector(proto::TensorSpec &Spec) const = 0;

  /// Called before a row is computed; fails if none can be.
  virtual llvm::Error prepare(Compilation &C) { return llvm::Error::success(); }

  virtual void addFunction(llvm::Function &F, Row To) = 0;

  /// Adds what is of the module and of none of its functions.
  virtual void addModule(llvm::Module &M, Row To) {}

  /// Whether a function's row depends on that function alone.
  virtual bool isLocal() const { return true; }

  virtual bool hasLoops() const { return false; }
  /// Blocks of inner loops are the outer one's, too.
  virtual void addLoop(llvm::Loop &L, Row To) {}

  virtual bool hasCallSites() const { return false; }
  virtual void addCallSite(llvm::CallBase &Call, Row To) {}

private:
  struct Known {
    uint64_t Version = 0;
    std::vector<double> Row;
  };

  llvm::ArrayRef<double> functionRow(Compilation &C, llvm::Function &F);
  llvm::ArrayRef<double> moduleRow(Compilation &C);
  void addLoopRows(Compilation &C, proto::Observation &Out);
  void addCallSiteRows(Compilation &C, proto::Observation &Out);
  /// Appends a row, of what is called \p Name if it is not the module's.
  void append(llvm::ArrayRef<double> Row, proto::Observation &Out,
              std::string Name = "");

  proto::TensorSpec Vector;
  size_t Size = 0;
  llvm::DenseMap<const llvm::Function *, Known> Functions;
  Known Module;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_OBSERVATIONS_VECTORSOURCE_H
