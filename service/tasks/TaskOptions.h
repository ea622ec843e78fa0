//===- TaskOptions.h - What a task can be told ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_TASKS_TASKOPTIONS_H
#define MLCOMPILER_GYM_SERVICE_TASKS_TASKOPTIONS_H

#include "mlcompiler_gym/v1/compiler_service.pb.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/Error.h"
#include <functional>
#include <string>
#include <vector>

namespace mlcompiler {

namespace proto = ::mlcompiler_gym::v1;

/// The options of a task, declared once: from that they are described to the
/// client, checked, and put where the task has them.
///
/// To declare or assign them changes the task's own fields and nothing else, so
/// both may be done in any process.
class TaskOptions {
public:
  // Each declares an option that ends up in Field, whose value until then is
  // the default. Field outlives this object.
  void flag(llvm::StringRef Name, bool &Field, const llvm::Twine &Doc);
  /// Bounds are inclusive.
  void integer(llvm::StringRef Name, int64_t &Field, int64_t Low, int64_t High,
               const llvm::Twine &Doc);
  void number(llvm::StringRef Name, double &Field, double Low, double High,
              const llvm::Twine &Doc);
  /// One of \p Values.
  void choice(llvm::StringRef Name, std::string &Field,
              llvm::ArrayRef<llvm::StringRef> Values, const llvm::Twine &Doc);
  /// Anything; each of \p Known stands for something longer.
  void text(llvm::StringRef Name, std::string &Field,
            llvm::ArrayRef<llvm::StringRef> Known, const llvm::Twine &Doc);

  /// Gives the fields their values. Fails if there is no such option, naming
  /// those of \p Task, or a value is not what was declared.
  llvm::Error
  assign(llvm::StringRef Task,
         const google::protobuf::RepeatedPtrField<proto::Option> &Values);

  /// Fills in what the client is told of them.
  void describe(proto::TaskSpec &Spec) const;

private:
  struct Declared {
    proto::OptionSpec Spec;
    /// Returns false if it is not such a value.
    std::function<bool(llvm::StringRef)> Assign;
    /// What it must be, for a message: "true or false".
    std::string Accepted;
  };

  Declared &add(proto::OptionSpec::Type Type, llvm::StringRef Name,
                std::string Default, const llvm::Twine &Doc);

  std::vector<Declared> All;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_TASKOPTIONS_H
