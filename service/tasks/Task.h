//===- Task.h - A kind of decision that is handed out -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_TASKS_TASK_H
#define MLCOMPILER_GYM_SERVICE_TASKS_TASK_H

#include "LLVMOptions.h"
#include "StoppedDecision.h"
#include "TaskOptions.h"
#include "TensorSpecs.h"
#include "Tensors.h"
#include "mlcompiler_gym/v1/compiler_service.pb.h"
#include "llvm/IR/PassManager.h"
#include "llvm/Support/Registry.h"

namespace llvm {
class PassBuilder;
namespace legacy {
class PassManagerBase;
}
} // namespace llvm

namespace mlcompiler {

namespace proto = ::mlcompiler_gym::v1;

class Compilation;

/// A kind of decision: what it looks like to an agent, and how LLVM is made to
/// stop at each decision.
///
/// A task makes LLVM ask an InteractiveModelRunner, or asks the DecisionPoint
/// itself. The session does everything between that and the agent. One object
/// serves one compile. Creating, configuring and describing a task changes
/// nothing outside of it, so any process may do that. Everything else is done
/// in a session.
class Task : public StoppedDecision {
public:
  /// Creates the task called \p Name with \p Options. If there is no such task,
  /// option or value, fails with a message that lists what is accepted.
  static llvm::Expected<std::unique_ptr<Task>>
  create(llvm::StringRef Name,
         const google::protobuf::RepeatedPtrField<proto::Option> &Options);

  /// The complete description.
  const proto::TaskSpec &spec() const { return Spec; }

  /// Sets the options of LLVM that the task needs, for the rest of the process.
  virtual void apply(LLVMOptions &Process) const {}

  /// Writes all tensors of the decision that LLVM does not write itself. LLVM
  /// has written its own by then.
  virtual void write(Tensors &To) const {}

  /// What LLVM made of each decision, one object for each, in order. Empty if
  /// LLVM does exactly what was decided. Called when the pipeline is done.
  virtual llvm::json::Array taken() const { return {}; }

protected:
  explicit Task(proto::TaskSpec::Kind Kind) { Spec.set_kind(Kind); }

  /// Declares the options.
  virtual void declare(TaskOptions &Options) {}

  /// Fails if the values of the options do not fit together.
  virtual llvm::Error check() { return llvm::Error::success(); }

  /// Fills in everything except the name, the doc, the kind and the options.
  virtual void describe(proto::TaskSpec &Spec) const = 0;

private:
  proto::TaskSpec Spec;
};

/// A task whose decisions come up before the pipeline.
class UpfrontTask : public Task {
public:
  /// Called before the pipeline is built. Asks for the decisions and carries
  /// them out.
  virtual void decide(Compilation &C, LLVMOptions &Process) = 0;

  static bool classof(const Task *T) {
    return T->spec().kind() == proto::TaskSpec::BEFORE_PIPELINE;
  }

protected:
  UpfrontTask() : Task(proto::TaskSpec::BEFORE_PIPELINE) {}
};

/// A task whose decisions come up in the pipeline.
class PipelineTask : public Task {
public:
  /// Called before the pipeline is built. May register analyses, and passes at
  /// extension points.
  virtual void install(llvm::PassBuilder &PB,
                       llvm::ModuleAnalysisManager &MAM) = 0;

  static bool classof(const Task *T) {
    return T->spec().kind() == proto::TaskSpec::IN_PIPELINE;
  }

protected:
  PipelineTask() : Task(proto::TaskSpec::IN_PIPELINE) {}
};

/// A task whose decisions come up when code is generated, function by function.
class CodegenTask : public Task {
public:
  /// Called before code is generated. May add analyses.
  virtual void install(llvm::legacy::PassManagerBase &PM) = 0;

  const llvm::MachineFunction *machineFunction() const override = 0;

  static bool classof(const Task *T) {
    return T->spec().kind() == proto::TaskSpec::IN_CODEGEN;
  }

protected:
  CodegenTask() : Task(proto::TaskSpec::IN_CODEGEN) {}
};

/// A task whose agent goes on deciding after the pipeline, for as long as it
/// likes.
class OpenEndedTask : public Task {
public:
  /// Called after the pipeline. Returns only with an error.
  virtual llvm::Error drive(Compilation &C) = 0;

  static bool classof(const Task *T) {
    return T->spec().kind() == proto::TaskSpec::OPEN_ENDED;
  }

protected:
  OpenEndedTask() : Task(proto::TaskSpec::OPEN_ENDED) {}
};

using TaskRegistry = llvm::Registry<Task>;

/// Says that the feature \p Name, which the option of that name adds, is what
/// LLVM's heuristic would do.
void setHeuristicFeature(proto::TaskSpec &Spec, llvm::StringRef Name);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_TASK_H
