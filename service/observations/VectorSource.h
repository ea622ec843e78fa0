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

/// A vector of numbers of a function. The module's vector is the sum over its
/// functions. Functions that have not changed are not looked at again.
///
/// A subclass adds to rows that begin as zeros. The vectors of several
/// functions may be added to one row.
class VectorSource : public ObservationSource {
public:
  using Row = llvm::MutableArrayRef<double>;

  void describe(proto::ObservationSpec &Spec) const final;
  llvm::Error observe(const ObservationContext &Context,
                      proto::Observation &Out) final;

protected:
  /// Fills in dtype, the one dimension, bounds and doc of the vector. Elements
  /// are converted to the dtype after they have been summed up.
  virtual void describeVector(proto::TensorSpec &Spec) const = 0;

  /// Called before a row is computed. Fails if no row can be computed.
  virtual llvm::Error prepare(Compilation &C) { return llvm::Error::success(); }

  virtual void addFunction(llvm::Function &F, Row To) = 0;

  /// Adds what belongs to the module and to none of its functions.
  virtual void addModule(llvm::Module &M, Row To) {}

  /// Whether a function's row depends on that function alone.
  virtual bool isLocal() const { return true; }

  virtual bool hasLoops() const { return false; }
  /// Adds a loop. Blocks of inner loops also belong to the outer loop.
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
  /// Appends a row. \p Name is what it is about, unless that is the module.
  void append(llvm::ArrayRef<double> Row, proto::Observation &Out,
              std::string Name = "");

  proto::TensorSpec Vector;
  size_t Size = 0;
  llvm::DenseMap<const llvm::Function *, Known> Functions;
  Known Module;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_OBSERVATIONS_VECTORSOURCE_H
