//===- Conversation.cpp - What a session and its client say ---------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Conversation.h"
#include "CrashReport.h"
#include "Failure.h"
#include <unistd.h>

using namespace llvm;
using namespace mlcompiler;

Conversation::Conversation(Channel TheClient) : Client(std::move(TheClient)) {
  crash::reportTo(Client.socket());
}

void Conversation::leave() { _exit(0); }

const proto::Request &Conversation::receive() {
  StringRef Frame;
  switch (Client.read(Frame)) {
  case Channel::Status::Frame:
    if (Request.ParseFromArray(Frame.data(), static_cast<int>(Frame.size())))
      break;
    replyError(fail(proto::MALFORMED_REQUEST,
                    "these bytes are not a Request of mlcompiler_gym.v1"),
               /*SessionEnded=*/true);
    leave();
  case Channel::Status::TooLarge:
    replyError(fail(proto::MALFORMED_REQUEST,
                    "a message of this length is not accepted; is the stream "
                    "out of step?"),
               /*SessionEnded=*/true);
    leave();
  case Channel::Status::Pending:
  case Channel::Status::EndOfStream:
    leave();
  }
  startTime();
  return Request;
}

void Conversation::begin(proto::Request Read) {
  Request = std::move(Read);
  startTime();
}

void Conversation::beginAgain() {
  crash::reportTo(Client.socket());
  startTime();
}

void Conversation::startTime() {
  crash::beginRequest(Request.deadline_ms() ? Request.deadline_ms()
                                            : DefaultDeadline);
}

void Conversation::reply() {
  if (size_t Bytes = Answer.ByteSizeLong(); Bytes > MaxFrameBytes)
    Answer = errorReply(proto::RESOURCE_EXHAUSTED,
                        "the reply would have " + std::to_string(Bytes) +
                            " bytes; a message may have at most " +
                            std::to_string(MaxFrameBytes),
                        /*SessionEnded=*/false);
  crash::endRequest();
  {
    crash::ReplyUnderWay Sending;
    if (!Client.write(Answer))
      leave();
  }
  Answer.Clear();
}

void Conversation::replyError(Error E, bool SessionEnded) {
  Answer = errorReply(std::move(E), SessionEnded);
  reply();
}

void Conversation::abandon() {
  crash::endRequest();
  crash::reportTo(-1);
  Client.close();
}

void Conversation::adopt(Channel Other) {
  crash::afterFork();
  Client = std::move(Other);
  crash::reportTo(Client.socket());
}
