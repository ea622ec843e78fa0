//===- Task.h - A kind of decision that is handed out -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_TASKS_TASK_H
#define MLCOMPILER_GYM_SERVICE_TASKS_TASK_H

#include "Failure.h"
#include "mlcompiler_gym/v1/compiler_service.pb.h"
#include "llvm/Analysis/TensorSpec.h"
#include "llvm/IR/PassManager.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Registry.h"

namespace llvm {
class MachineFunction;
class PassBuilder;
namespace legacy {
class PassManagerBase;
}
} // namespace llvm

namespace mlcompiler {

namespace proto = ::mlcompiler_gym::v1;

class Compilation;

/// A kind of decision: what it looks like to an agent, and how LLVM is made to
/// stop at each.
///
/// A task brings LLVM to ask an InteractiveModelRunner; everything between the
/// runner and the agent is the session's. One object serves one compile.
class Task {
public:
  virtual ~Task() = default;

  /// Fills in everything but the name and the doc, which are the registry's.
  virtual void describe(proto::TaskSpec &Spec) const = 0;

  /// Takes the options, complete with defaults, before the program is loaded.
  virtual llvm::Error
  configure(const llvm::StringMap<std::string> &Options) = 0;

  /// Called before the pipeline is built; may register analyses.
  virtual void install(llvm::ModuleAnalysisManager &MAM) {}

  /// Whether the agent goes on deciding after the pipeline, for as long as it
  /// likes.
  virtual bool isOpenEnded() const { return false; }
  /// Called after the pipeline if so. Returns only with an error.
  virtual llvm::Error drive(Compilation &C) { return llvm::Error::success(); }

  /// What has been run so far, in the syntax of `opt -passes=`; empty if that
  /// is not all there is to it.
  virtual std::string pipeline() const { return ""; }
  /// Called then, too; may have passes of its own run at extension points.
  virtual void install(llvm::PassBuilder &PB) {}

  /// Whether decisions come up when code is generated, and not in the pipeline.
  virtual bool decidesInCodegen() const { return false; }
  /// Called before code is generated; may add analyses.
  virtual void install(llvm::legacy::PassManagerBase &PM) {}

  /// See DecisionPoint.
  virtual std::vector<llvm::TensorSpec> extraFeatures() const { return {}; }
  virtual void computeExtraFeatures(const char *Features, char *To) {}

  /// The function that the compiler is stopped in, if decisions come function
  /// by function.
  virtual const llvm::MachineFunction *machineFunction() const {
    return nullptr;
  }

  /// What the compiler is stopped at, for a person.
  virtual llvm::json::Object describeDecision() const = 0;

  /// The same in a few words, for the list of decisions taken.
  virtual std::string decisionLabel() const = 0;
};

using TaskRegistry = llvm::Registry<Task>;

/// The description of a registered task, complete, as it is with its default
/// options.
proto::TaskSpec describeTask(const TaskRegistry::entry &Entry);

/// The description of the task called \p Name, configured with \p Options.
llvm::Expected<proto::TaskSpec>
describeTask(llvm::StringRef Name,
             const google::protobuf::RepeatedPtrField<proto::Option> &Options);

/// The task called \p Name, configured with \p Options. Fails if there is no
/// such task or option, naming those that exist.
llvm::Expected<std::unique_ptr<Task>>
createTask(llvm::StringRef Name,
           const google::protobuf::RepeatedPtrField<proto::Option> &Options);

/// A TensorSpec of LLVM in the protocol's terms.
void describeTensor(const llvm::TensorSpec &Spec, proto::TensorSpec &Out);

/// Bytes of one element.
size_t elementBytes(proto::DType Type);

/// Bytes of one such tensor.
size_t tensorBytes(const proto::TensorSpec &Spec);

/// Gives the LLVM command-line option \p Name a value, for this process.
/// Fails if the value does not parse.
llvm::Error setOption(llvm::StringRef Name, llvm::StringRef Value);

void setBounds(proto::TensorSpec &Tensor, double Low, double High);

/// Whether a feature is among those of a session opened so.
bool isSent(const proto::TensorSpec &Feature, const proto::Open &Options);

/// The value of an option that is "true" or "false".
llvm::Expected<bool> parseFlag(llvm::StringRef Name, llvm::StringRef Value);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_TASK_H
