//===- PolicyFile.cpp - Policies from bytes -------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "policy/PolicyFile.h"
#include <protozero/pbf_message.hpp>

using namespace mlcompiler::policy;

namespace {

constexpr std::string_view Magic = "MLCGPOL";
constexpr char Version = '1';
constexpr size_t HeaderBytes = Magic.size() + 1 + 4;

/// Thrown if a list has more elements than a policy may have.
struct TooMany {
  const char *What;
  size_t Limit;
};

// The numbers of policy.proto, one enumeration for each message.
enum class PolicyField : uint32_t {
  Task = 1,
  Options = 2,
  Builtin = 4,
  Model = 5
};
enum class OptionField : uint32_t { Name = 1, Value = 2 };
enum class ModelField : uint32_t {
  Inputs = 1,
  Network = 2,
  Trees = 3,
  Bernoulli = 4,
  Categorical = 5,
  Scalar = 6
};
enum class InputField : uint32_t { Feature = 1, Elements = 2, Transforms = 3 };
enum class TransformField : uint32_t { SignedLog = 1, Scale = 2, Clip = 3 };
enum class ScaleField : uint32_t { Shift = 1, Factor = 2 };
enum class ClipField : uint32_t { Low = 1, High = 2 };
enum class NetworkField : uint32_t { Layers = 1 };
enum class DenseField : uint32_t {
  Outputs = 1,
  Weights = 2,
  Biases = 3,
  Activation = 4
};
enum class TreesField : uint32_t { Base = 1, Trees = 2 };
enum class TreeField : uint32_t {
  Output = 1,
  Input = 2,
  Threshold = 3,
  Left = 4,
  Right = 5,
  Value = 6
};
enum class ScalarField : uint32_t { Low = 1, High = 2, LogDeviation = 3 };

template <typename Field> using Message = protozero::pbf_message<Field>;

} // namespace

/// Appends to \p To the numbers of a packed field, or the number of one that is
/// not packed.
template <typename T, typename Field>
static void append(Message<Field> &M, std::vector<T> &To) {
  auto Take = [&To](const auto &Range) {
    To.insert(To.end(), Range.begin(), Range.end());
  };
  bool Packed = M.wire_type() == protozero::pbf_wire_type::length_delimited;
  if constexpr (std::is_same_v<T, double>) {
    if (Packed)
      Take(M.get_packed_double());
    else
      To.push_back(M.get_double());
  } else if constexpr (std::is_same_v<T, float>) {
    if (Packed)
      Take(M.get_packed_float());
    else
      To.push_back(M.get_float());
  } else {
    if (Packed)
      Take(M.get_packed_uint32());
    else
      To.push_back(M.get_uint32());
  }
}

template <typename T>
static T &grow(std::vector<T> &List, size_t Limit, const char *What) {
  if (List.size() == Limit)
    throw TooMany{What, Limit};
  return List.emplace_back();
}

static void read(Message<ClipField> M, Transform &T) {
  T.K = Transform::Kind::Clip;
  while (M.next())
    switch (M.tag()) {
    case ClipField::Low:
      T.Low = M.get_float();
      break;
    case ClipField::High:
      T.High = M.get_float();
      break;
    default:
      M.skip();
    }
}

static void read(Message<ScaleField> M, Transform &T) {
  T.K = Transform::Kind::Scale;
  while (M.next())
    switch (M.tag()) {
    case ScaleField::Shift:
      append(M, T.Shift);
      break;
    case ScaleField::Factor:
      append(M, T.Factor);
      break;
    default:
      M.skip();
    }
}

static void read(Message<TransformField> M, Transform &T) {
  while (M.next())
    switch (M.tag()) {
    case TransformField::SignedLog:
      T.K = Transform::Kind::SignedLog;
      M.skip();
      break;
    case TransformField::Scale:
      read(Message<ScaleField>(M.get_message()), T);
      break;
    case TransformField::Clip:
      read(Message<ClipField>(M.get_message()), T);
      break;
    default:
      M.skip();
    }
}

static void read(Message<InputField> M, Input &I) {
  while (M.next())
    switch (M.tag()) {
    case InputField::Feature:
      I.Feature = M.get_string();
      break;
    case InputField::Elements:
      I.Elements = M.get_uint32();
      break;
    case InputField::Transforms:
      read(Message<TransformField>(M.get_message()),
           grow(I.Transforms, MaxTransforms, "transforms of an input"));
      break;
    default:
      M.skip();
    }
}

static void read(Message<DenseField> M, Dense &L) {
  while (M.next())
    switch (M.tag()) {
    case DenseField::Outputs:
      L.Outputs = M.get_uint32();
      break;
    case DenseField::Weights:
      append(M, L.Weights);
      break;
    case DenseField::Biases:
      append(M, L.Biases);
      break;
    case DenseField::Activation:
      L.Function = static_cast<Activation>(M.get_enum());
      break;
    default:
      M.skip();
    }
}

static void read(Message<TreeField> M, Tree &T) {
  std::vector<uint32_t> Inputs, Lefts, Rights;
  std::vector<double> Thresholds, Values;
  while (M.next())
    switch (M.tag()) {
    case TreeField::Output:
      T.Output = M.get_uint32();
      break;
    case TreeField::Input:
      append(M, Inputs);
      break;
    case TreeField::Threshold:
      append(M, Thresholds);
      break;
    case TreeField::Left:
      append(M, Lefts);
      break;
    case TreeField::Right:
      append(M, Rights);
      break;
    case TreeField::Value:
      append(M, Values);
      break;
    default:
      M.skip();
    }
  size_t Count = Inputs.size();
  if (Thresholds.size() != Count || Lefts.size() != Count ||
      Rights.size() != Count || Values.size() != Count)
    return; // Without nodes it is refused.
  T.Nodes.reserve(Count);
  for (size_t I = 0; I != Count; ++I)
    T.Nodes.push_back(
        {Thresholds[I], Values[I], Inputs[I], Lefts[I], Rights[I]});
}

static void read(Message<TreesField> M, Model &To) {
  while (M.next())
    switch (M.tag()) {
    case TreesField::Base:
      append(M, To.Base);
      break;
    case TreesField::Trees:
      read(Message<TreeField>(M.get_message()),
           grow(To.Trees, MaxTrees, "trees"));
      break;
    default:
      M.skip();
    }
}

static void read(Message<ScalarField> M, Model &To) {
  while (M.next())
    switch (M.tag()) {
    case ScalarField::Low:
      To.Low = M.get_float();
      break;
    case ScalarField::High:
      To.High = M.get_float();
      break;
    case ScalarField::LogDeviation:
      To.HasDeviation = true;
      To.LogDeviation = M.get_float();
      break;
    default:
      M.skip();
    }
}

static void read(Message<NetworkField> M, Model &To) {
  while (M.next())
    if (M.tag() == NetworkField::Layers)
      read(Message<DenseField>(M.get_message()),
           grow(To.Layers, MaxLayers, "layers"));
    else
      M.skip();
}

static void read(Message<ModelField> M, Model &To) {
  while (M.next())
    switch (M.tag()) {
    case ModelField::Inputs:
      read(Message<InputField>(M.get_message()),
           grow(To.Inputs, MaxInputElements, "inputs"));
      break;
    case ModelField::Network:
      To.Computes = Function::Network;
      read(Message<NetworkField>(M.get_message()), To);
      break;
    case ModelField::Trees:
      To.Computes = Function::Trees;
      read(Message<TreesField>(M.get_message()), To);
      break;
    case ModelField::Bernoulli:
      To.Decides = Head::Bernoulli;
      M.skip();
      break;
    case ModelField::Categorical:
      To.Decides = Head::Categorical;
      M.skip();
      break;
    case ModelField::Scalar:
      To.Decides = Head::Scalar;
      read(Message<ScalarField>(M.get_message()), To);
      break;
    default:
      M.skip();
    }
}

static void read(Message<OptionField> M,
                 std::pair<std::string, std::string> &Option) {
  while (M.next())
    switch (M.tag()) {
    case OptionField::Name:
      Option.first = M.get_string();
      break;
    case OptionField::Value:
      Option.second = M.get_string();
      break;
    default:
      M.skip();
    }
}

static bool read(Message<PolicyField> M, Policy &P) {
  bool HasModel = false;
  while (M.next())
    switch (M.tag()) {
    case PolicyField::Task:
      P.Task = M.get_string();
      break;
    case PolicyField::Options:
      read(Message<OptionField>(M.get_message()),
           grow(P.Options, 64, "options"));
      break;
    case PolicyField::Builtin:
      P.Builtin = M.get_string();
      break;
    case PolicyField::Model:
      HasModel = true;
      read(Message<ModelField>(M.get_message()), P.Model);
      break;
    default:
      M.skip();
    }
  return HasModel;
}

bool mlcompiler::policy::readPolicy(std::string_view File, Policy &P,
                                    std::string &Why) {
  if (File.substr(0, Magic.size()) != Magic || File.size() < HeaderBytes) {
    Why = "this is not a policy file";
    return false;
  }
  if (File[Magic.size()] != Version) {
    Why =
        "this policy file is of another version than 1, which is what is known "
        "here";
    return false;
  }
  if (File.size() > MaxFileBytes) {
    Why = "the policy file has " + std::to_string(File.size()) +
          " bytes; it may have at most " + std::to_string(MaxFileBytes);
    return false;
  }
  size_t Length = 0;
  for (int I = 3; I >= 0; --I)
    Length = Length << 8 | static_cast<uint8_t>(File[Magic.size() + 1 + I]);
  File.remove_prefix(HeaderBytes);
  if (File.size() != Length) {
    Why = "the policy file says that " + std::to_string(Length) +
          " bytes follow its header, and there are " +
          std::to_string(File.size());
    return false;
  }
  bool HasModel;
  try {
    HasModel = read(Message<PolicyField>(File.data(), File.size()), P);
  } catch (const protozero::exception &) {
    Why = "the policy file is broken: its contents are not a Policy message";
    return false;
  } catch (const TooMany &Error) {
    Why = std::string("the policy has too many ") + Error.What + "; at most " +
          std::to_string(Error.Limit) + " are allowed";
    return false;
  }
  if (HasModel != P.Builtin.empty()) {
    Why = HasModel
              ? "the policy has a model and the name of a built-in one"
              : "the policy has neither a model nor the name of a built-in "
                "one";
    return false;
  }
  return !HasModel || checkModel(P.Model, Why);
}
