//===- TensorSpecs.cpp - What tensors are, in the protocol's terms --------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "TensorSpecs.h"
#include "llvm/ADT/STLExtras.h"

using namespace llvm;
using namespace mlcompiler;

void mlcompiler::describeTensor(const TensorSpec &Spec,
                                proto::TensorSpec &Out) {
  Out.set_name(Spec.name());
  Out.set_dtype(Spec.isElementType<float>() ? proto::FLOAT32 : proto::INT64);
  for (int64_t Dimension : Spec.shape())
    Out.add_shape(Dimension);
}

size_t mlcompiler::elementBytes(proto::DType Type) {
  return Type == proto::FLOAT32 ? sizeof(float) : sizeof(int64_t);
}

size_t mlcompiler::tensorBytes(const proto::TensorSpec &Spec) {
  size_t Bytes = elementBytes(Spec.dtype());
  for (int64_t Dimension : Spec.shape())
    Bytes *= Dimension;
  return Bytes;
}

void mlcompiler::setBounds(proto::TensorSpec &Tensor, double Low, double High) {
  Tensor.set_low(Low);
  Tensor.set_high(High);
}

bool mlcompiler::isSent(const proto::TensorSpec &Feature,
                        const proto::Open &Options) {
  return Feature.option().empty() ||
         any_of(Options.options(), [&](const proto::Option &O) {
           return O.name() == Feature.option() && O.value() == "true";
         });
}
