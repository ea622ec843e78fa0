//===- PolicyFile.h - Policies from bytes -----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_POLICY_POLICYFILE_H
#define MLCOMPILER_GYM_SERVICE_POLICY_POLICYFILE_H

#include "policy/Model.h"
#include <string_view>

namespace mlcompiler {
namespace policy {

/// Reads the contents of a `.policy` file, which may be anybody's, and checks
/// them: what is accepted can be evaluated. Returns false and says in \p Why,
/// in a sentence, what is wrong with it otherwise.
///
/// Decoded by protozero, headers alone, for a plugin of another's compiler
/// cannot bring protobuf's library along.
bool readPolicy(std::string_view File, Policy &P, std::string &Why);

/// Whether \p M can be evaluated; \p Why says what is wrong with it otherwise.
bool checkModel(const Model &M, std::string &Why);

} // namespace policy
} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_POLICY_POLICYFILE_H
