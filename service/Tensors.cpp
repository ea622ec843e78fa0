//===- Tensors.cpp - What one decision is decided from --------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Tensors.h"
#include "FiniteFeatures.h"
#include "TensorSpecs.h"
#include "llvm/Analysis/TensorSpec.h"
#include "llvm/Support/ErrorHandling.h"
#include <cstring>

using namespace llvm;
using namespace mlcompiler;

Tensors::Tensors(FeatureLayout Sent)
    : Layout(std::move(Sent)), Buffer(Layout.bytes()),
      Written(Layout.names().size()) {}

const FeatureLayout::Place &Tensors::place(StringRef Name, proto::DType Type,
                                           size_t Elements) {
  const Place *Found = Layout.lookUp(Name);
  if (!Found || Found->Type != Type ||
      (Elements && Found->Elements != Elements))
    reportFatalInternalError("'" + Twine(Name) + "' is no feature that " +
                             Layout.task() + " sends, or not as it says");
  Written.set(Found->Number);
  return *Found;
}

void *Tensors::bind(const TensorSpec &Spec) {
  proto::TensorSpec Described;
  describeTensor(Spec, Described);
  return Buffer.data() +
         place(Spec.name(), Described.dtype(), Spec.getElementCount()).Byte;
}

void Tensors::checkWritten() const {
  if (const int Number = Written.find_first_unset(); Number >= 0)
    reportFatalInternalError("feature '" + Twine(Layout.names()[Number]) +
                             "' of " + Layout.task() + " is never written");
}

void Tensors::makeFinite() {
  char *At = Buffer.data();
  for (const FeatureLayout::Run &Run : Layout.runs()) {
    if (Run.Type == proto::FLOAT32) {
      for (size_t I = 0; I != Run.Count; ++I) {
        float Value;
        char *Element = At + I * sizeof(Value);
        std::memcpy(&Value, Element, sizeof(Value));
        Value = finiteFeature(Value);
        std::memcpy(Element, &Value, sizeof(Value));
      }
    }
    At += Run.Count * elementBytes(Run.Type);
  }
}

void Tensors::toFloats(std::string &Out) const {
  Out.resize(Layout.elements() * sizeof(float));
  const char *From = Buffer.data();
  char *To = Out.data();
  for (const FeatureLayout::Run &Run : Layout.runs()) {
    size_t Bytes = Run.Count * sizeof(float);
    if (Run.Type == proto::FLOAT32) {
      std::memcpy(To, From, Bytes);
    } else {
      for (size_t I = 0; I != Run.Count; ++I) {
        int64_t Integer;
        std::memcpy(&Integer, From + I * sizeof(Integer), sizeof(Integer));
        float Value = static_cast<float>(Integer);
        std::memcpy(To + I * sizeof(Value), &Value, sizeof(Value));
      }
    }
    From += Run.Count * elementBytes(Run.Type);
    To += Bytes;
  }
}
