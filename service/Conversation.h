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
/// Contract: there is one reply for each request, in order. A request's time
/// runs from its beginning to its reply. If the process dies in between, the
/// client is told why.
/// Failure mode: a session is of no use without its client. So the process ends
/// when the client has gone. It also ends, with an error for the client, when
/// it receives something that is no request.
class Conversation {
public:
  /// From now on, \p Client is told what ends this process.
  explicit Conversation(Channel Client);

  /// Ends the process without running destructors: there is nothing to save,
  /// and freeing a module takes longer than leaving it to the kernel.
  [[noreturn]] static void leave();

  /// The deadline of requests that bring none; 0: none.
  void setDeadline(unsigned Milliseconds) { DefaultDeadline = Milliseconds; }

  /// Reads a request and begins it.
  const proto::Request &receive();
  /// Begins \p Read, a request that was received elsewhere.
  void begin(proto::Request Read);
  /// Begins the request once more after a fork, which inherits neither the
  /// running time nor the reports to the client.
  void beginAgain();
  /// The latest request that has been begun.
  const proto::Request &request() const { return Request; }
  /// The descriptor that came with it; see Channel.
  std::optional<int> takeDescriptor() { return Client.takeDescriptor(); }

  /// What reply() will send; empty after each reply.
  proto::Reply &answer() { return Answer; }
  void reply();
  void replyError(llvm::Error E, bool SessionEnded);

  /// Lets go of the client, which another process serves.
  void abandon();
  /// Serves \p Other from now on, in a fork, which has another client.
  void adopt(Channel Other);

private:
  void startTime();

  Channel Client;
  unsigned DefaultDeadline = 0;
  /// Both are members so that their memory is used again.
  proto::Request Request;
  proto::Reply Answer;
};

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_CONVERSATION_H
