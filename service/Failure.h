//===- Failure.h - An error with a protocol code ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_FAILURE_H
#define MLCOMPILER_GYM_SERVICE_FAILURE_H

#include "mlcompiler_gym/v1/compiler_service.pb.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/Error.h"
#include <string>

namespace mlcompiler {

/// An error as the client will read it.
class Failure : public llvm::ErrorInfo<Failure> {
public:
  static char ID;

  Failure(mlcompiler_gym::v1::ErrorCode Code, const llvm::Twine &Message)
      : Code(Code), Message(Message.str()) {}

  void log(llvm::raw_ostream &OS) const override;
  std::error_code convertToErrorCode() const override;

  const mlcompiler_gym::v1::ErrorCode Code;
  const std::string Message;
};

inline llvm::Error fail(mlcompiler_gym::v1::ErrorCode Code,
                        const llvm::Twine &Message) {
  return llvm::make_error<Failure>(Code, Message);
}

/// What a process reported as it died (CrashReport.h), passed on by another
/// process, which goes on.
class ReportedFailure : public llvm::ErrorInfo<ReportedFailure> {
public:
  static char ID;

  explicit ReportedFailure(mlcompiler_gym::v1::Error Report)
      : Report(std::move(Report)) {}

  void log(llvm::raw_ostream &OS) const override;
  std::error_code convertToErrorCode() const override;

  const mlcompiler_gym::v1::Error Report;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_FAILURE_H
