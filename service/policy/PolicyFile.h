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

/// Reads the contents of a `.policy` file, which need not be trusted, and
/// checks them: a policy that is accepted can be evaluated. If something is
/// wrong, returns false and says what in \p Why, in a sentence.
///
/// The contents are decoded by protozero, which is headers only. A plugin that
/// is loaded into another compiler cannot bring protobuf's library along.
bool readPolicy(std::string_view File, Policy &P, std::string &Why);

/// Whether \p M can be evaluated. If not, \p Why says what is wrong with it.
bool checkModel(const Model &M, std::string &Why);

} // namespace policy
} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_POLICY_POLICYFILE_H
