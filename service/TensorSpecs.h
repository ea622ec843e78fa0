//===- TensorSpecs.h - What tensors are, in the protocol's terms *- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_TENSORSPECS_H
#define MLCOMPILER_GYM_SERVICE_TENSORSPECS_H

#include "mlcompiler_gym/v1/compiler_service.pb.h"
#include "llvm/Analysis/TensorSpec.h"

namespace mlcompiler {

namespace proto = ::mlcompiler_gym::v1;

/// Describes a TensorSpec of LLVM in the protocol's terms.
void describeTensor(const llvm::TensorSpec &Spec, proto::TensorSpec &Out);

/// Bytes of one element.
size_t elementBytes(proto::DType Type);

/// Bytes of one such tensor.
size_t tensorBytes(const proto::TensorSpec &Spec);

void setBounds(proto::TensorSpec &Tensor, double Low, double High);

/// Whether a session that was opened with \p Options sends a feature.
bool isSent(const proto::TensorSpec &Feature, const proto::Open &Options);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TENSORSPECS_H
