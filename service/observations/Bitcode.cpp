//===- Bitcode.cpp - The module as bitcode --------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "ObservationSource.h"

using namespace llvm;
using namespace mlcompiler;

namespace {

class Bitcode : public ObservationSource {
  void describe(proto::ObservationSpec &Spec) const override {
    Spec.set_media("bytes");
  }

  Error observe(const ObservationContext &Context,
                proto::Observation &Out) override {
    if (Version != Context.Compile.version()) {
      auto Written = Context.Compile.emit(proto::Emit::BITCODE);
      if (!Written)
        return Written.takeError();
      Known.assign(Written->begin(), Written->end());
      Version = Context.Compile.version();
    }
    Out.set_data(Known);
    return Error::success();
  }

  uint64_t Version = 0;
  std::string Known;
};

} // namespace

static ObservationRegistry::Add<Bitcode>
    X("bitcode", "The module as LLVM bitcode, as Emit writes it.");
