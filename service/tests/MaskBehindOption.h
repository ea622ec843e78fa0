//===- MaskBehindOption.h - A task to test with -----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_TESTS_MASKBEHINDOPTION_H
#define MLCOMPILER_GYM_SERVICE_TESTS_MASKBEHINDOPTION_H

#include "TensorSpecs.h"
#include <initializer_list>
#include <string>

namespace mlcompiler {

/// A task with two actions. Its mask comes after a feature that the option
/// "more" adds.
inline proto::TaskSpec maskBehindOption() {
  using llvm::TensorSpec;
  proto::TaskSpec Spec;
  Spec.set_name("tested");
  describeTensor(TensorSpec::createSpec<int64_t>("action", {1}),
                 *Spec.mutable_action()->mutable_tensor());
  Spec.mutable_action()->add_meanings("first");
  Spec.mutable_action()->add_meanings("second");
  Spec.mutable_action()->set_mask("mask");
  proto::TensorSpec &More = *Spec.add_features();
  describeTensor(TensorSpec::createSpec<float>("more", {3}), More);
  More.set_option("more");
  describeTensor(TensorSpec::createSpec<int64_t>("mask", {2}),
                 *Spec.add_features());
  return Spec;
}

inline proto::Open withMore(const char *Value) {
  proto::Open Options;
  proto::Option &More = *Options.add_options();
  More.set_name("more");
  More.set_value(Value);
  return Options;
}

template <typename T> std::string bytesOf(std::initializer_list<T> Row) {
  return std::string(reinterpret_cast<const char *>(Row.begin()),
                     Row.size() * sizeof(T));
}

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TESTS_MASKBEHINDOPTION_H
