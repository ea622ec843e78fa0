//===- CodeCosts.cpp - What a run of the code costs -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "ObservationSource.h"
#include "ProgramCosts.h"
#include "TensorSpecs.h"
#include <limits>

using namespace llvm;
using namespace mlcompiler;

namespace {

class CodeCosts : public ObservationSource {
  void describe(proto::ObservationSpec &Spec) const override {
    Spec.set_media("tensors");
    proto::TensorSpec &Tensor = *Spec.add_tensors();
    Tensor.set_name("vector");
    Tensor.set_dtype(proto::FLOAT32);
    Tensor.add_shape(BlockCosts::Count);
    setBounds(Tensor, 0, std::numeric_limits<float>::max());
    Tensor.set_doc("What is executed in a run; columns: "
#define COLUMN(Name, Doc) #Name " (" Doc "), "
                   MLCOMPILER_COSTS(COLUMN)
#undef COLUMN
                       "in this order");
  }

  Error observe(const ObservationContext &Context,
                proto::Observation &Out) override {
    auto Costs = programCosts(Context.Compile, "code_costs", Entered::ByEither);
    if (!Costs)
      return Costs.takeError();
    proto::Tensor &Tensor = *Out.add_tensors();
    Tensor.set_name("vector");
    Tensor.set_dtype(proto::FLOAT32);
    Tensor.add_shape(BlockCosts::Count);
    for (double Each : Costs->Values) {
      const float Value =
          std::min<double>(Each, std::numeric_limits<float>::max());
      Tensor.mutable_data()->append(reinterpret_cast<const char *>(&Value),
                                    sizeof(Value));
    }
    return Error::success();
  }
};

} // namespace

static ObservationRegistry::Add<CodeCosts>
    X("code_costs",
      "What a run of the code that would be generated costs. Each block counts "
      "as often as it is executed: as the program's profile says if it has "
      "one, otherwise as LLVM guesses for each call from outside.");
