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

/// The options of a task. Each is declared once. The declaration serves to
/// describe the option to the client, to check its value, and to store the
/// value in the task.
///
/// Declaring and assigning options changes only the task's own fields, so any
/// process may do both.
class TaskOptions {
public:
  // Each of these declares an option that is stored in Field. The value of
  // Field at this point is the default. Field must outlive this object.
  void flag(llvm::StringRef Name, bool &Field, const llvm::Twine &Doc);
  /// Bounds are inclusive.
  void integer(llvm::StringRef Name, int64_t &Field, int64_t Low, int64_t High,
               const llvm::Twine &Doc);
  void number(llvm::StringRef Name, double &Field, double Low, double High,
              const llvm::Twine &Doc);
  /// The value is one of \p Values.
  void choice(llvm::StringRef Name, std::string &Field,
              llvm::ArrayRef<llvm::StringRef> Values, const llvm::Twine &Doc);
  /// The value can be anything. Each of \p Known stands for something longer.
  void text(llvm::StringRef Name, std::string &Field,
            llvm::ArrayRef<llvm::StringRef> Known, const llvm::Twine &Doc);

  /// Gives the fields their values. Fails if there is no such option, with a
  /// message that lists the options of \p Task, or if a value is not as
  /// declared.
  llvm::Error
  assign(llvm::StringRef Task,
         const google::protobuf::RepeatedPtrField<proto::Option> &Values);

  /// Fills in what the client is told about them.
  void describe(proto::TaskSpec &Spec) const;

private:
  struct Declared {
    proto::OptionSpec Spec;
    /// Stores a value; returns false if it is not accepted.
    std::function<bool(llvm::StringRef)> Assign;
    /// What is accepted, for a message: "true or false".
    std::string Accepted;
  };

  Declared &add(proto::OptionSpec::Type Type, llvm::StringRef Name,
                std::string Default, const llvm::Twine &Doc);

  std::vector<Declared> All;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_TASKS_TASKOPTIONS_H
