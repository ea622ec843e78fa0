//===- Conversation.h - What a session and its client say -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_CONVERSATION_H
#define MLCOMPILER_GYM_SERVICE_CONVERSATION_H

#include "Wire.h"

namespace mlcompiler {

/// The requests of a session's client and the replies to them.
///
/// Contract: one reply for each request, in order. The time of a request runs
/// from when it is begun to its reply; should the process die in between, the
/// client hears why.
/// Failure mode: a session is nothing without its client. So the process ends
/// when the client has gone, and, with an error for it, when what it sends is
/// no request.
class Conversation {
public:
  /// Reports of what ends this process go to \p Client from now on.
  explicit Conversation(Channel Client);

  /// Ends the process without running destructors: there is nothing to save,
  /// and freeing a module takes longer than leaving it to the kernel.
  [[noreturn]] static void leave();

  /// The deadline of requests that bring none; 0: none.
  void setDeadline(unsigned Milliseconds) { DefaultDeadline = Milliseconds; }

  /// Reads a request and begins it.
  const proto::Request &receive();
  /// Begins \p Read, which has been read elsewhere.
  void begin(proto::Request Read);
  /// Begins the request once more: after a fork, where no time runs and no
  /// report goes to the client.
  void beginAgain();
  /// The latest request that has been begun.
  const proto::Request &request() const { return Request; }
  /// The descriptor that came with it; see Channel.
  std::optional<int> takeDescriptor() { return Client.takeDescriptor(); }

  /// What reply() will send; empty after each reply.
  proto::Reply &answer() { return Answer; }
  void reply();
  void replyError(llvm::Error E, bool SessionEnded);

  /// Lets go of the client, whom another process serves.
  void abandon();
  /// In a fork, whose client is another.
  void adopt(Channel Other);

private:
  void startTime();

  Channel Client;
  unsigned DefaultDeadline = 0;
  /// Both are kept for the memory that they have.
  proto::Request Request;
  proto::Reply Answer;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_CONVERSATION_H
