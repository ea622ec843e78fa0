//===- Wire.cpp - Framed messages over a Unix socket ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Wire.h"
#include "Failure.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/JSON.h"
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace llvm;
using namespace mlcompiler;

static constexpr size_t PrefixBytes = 4;
static constexpr size_t ReceiveBytes = 4 << 10;

/// One recvmsg. Appends to \p Buffer and \p Descriptors; returns what recvmsg
/// returned. The kernel ends it before bytes that bring further descriptors.
static ssize_t receiveSome(int Socket, int Flags, std::string &Buffer,
                           SmallVectorImpl<int> &Descriptors, size_t Capacity) {
  size_t Old = Buffer.size();
  Buffer.resize(Old + Capacity);
  iovec Bytes{&Buffer[Old], Capacity};
  alignas(cmsghdr) char Control[CMSG_SPACE(sizeof(int) * MaxDescriptors)];
  msghdr Message{};
  Message.msg_iov = &Bytes;
  Message.msg_iovlen = 1;
  Message.msg_control = Control;
  Message.msg_controllen = sizeof(Control);
  ssize_t Got;
  do
    Got = recvmsg(Socket, &Message, Flags | MSG_CMSG_CLOEXEC);
  while (Got < 0 && errno == EINTR);
  Buffer.resize(Old + std::max<ssize_t>(Got, 0));
  if (Got < 0)
    return Got;
  for (cmsghdr *C = CMSG_FIRSTHDR(&Message); C; C = CMSG_NXTHDR(&Message, C)) {
    if (C->cmsg_level != SOL_SOCKET || C->cmsg_type != SCM_RIGHTS)
      continue;
    size_t Count = (C->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    const char *Data = reinterpret_cast<const char *>(CMSG_DATA(C));
    for (size_t I = 0; I != Count; ++I) {
      int Descriptor;
      memcpy(&Descriptor, Data + I * sizeof(int), sizeof(int));
      Descriptors.push_back(Descriptor);
    }
  }
  return Got;
}

Channel &Channel::operator=(Channel &&Other) noexcept {
  close();
  Socket = std::exchange(Other.Socket, -1);
  Buffer = std::move(Other.Buffer);
  FrameBegin = std::exchange(Other.FrameBegin, 0);
  FrameEnd = std::exchange(Other.FrameEnd, 0);
  Descriptors = std::exchange(Other.Descriptors, {});
  Out = std::move(Other.Out);
  SentBytes = std::exchange(Other.SentBytes, 0);
  Other.Buffer.clear();
  Other.Out.clear();
  return *this;
}

void Channel::close() {
  dropDescriptors(SIZE_MAX);
  if (Socket >= 0)
    ::close(std::exchange(Socket, -1));
  Buffer.clear();
  FrameBegin = FrameEnd = 0;
  Out.clear();
  SentBytes = 0;
}

void Channel::dropDescriptors(size_t End) {
  while (!Descriptors.empty() && Descriptors.front().Offset < End) {
    ::close(Descriptors.front().Descriptor);
    Descriptors.pop_front();
  }
}

Channel::Status Channel::next(StringRef &Frame) {
  if (FrameEnd) {
    dropDescriptors(FrameEnd);
    for (Received &R : Descriptors)
      R.Offset -= FrameEnd;
    Buffer.erase(0, FrameEnd);
    FrameBegin = FrameEnd = 0;
  }
  if (Buffer.size() < PrefixBytes)
    return Status::Pending;
  uint32_t Length = support::endian::read32le(Buffer.data());
  if (Length > MaxFrameBytes)
    return Status::TooLarge;
  if (Buffer.size() < PrefixBytes + Length)
    return Status::Pending;
  FrameEnd = PrefixBytes + Length;
  Frame = StringRef(Buffer).substr(PrefixBytes, Length);
  return Status::Frame;
}

Channel::Status Channel::receive(int Flags) {
  // A large frame is read in pieces as large as what is still missing.
  size_t Capacity = ReceiveBytes;
  if (Buffer.size() >= PrefixBytes)
    Capacity = std::max<size_t>(
        Capacity, std::min<size_t>(support::endian::read32le(Buffer.data()) +
                                       PrefixBytes - Buffer.size(),
                                   4 << 20));
  const size_t Offset = Buffer.size();
  SmallVector<int, 4> Arrived;
  ssize_t Got = receiveSome(Socket, Flags, Buffer, Arrived, Capacity);
  for (int Descriptor : Arrived)
    Descriptors.push_back({Offset, Descriptor});
  if (Got > 0)
    return Status::Frame;
  if (Got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
    return Status::Pending;
  return Status::EndOfStream;
}

Channel::Status Channel::read(StringRef &Frame) {
  while (true) {
    Status S = next(Frame);
    if (S != Status::Pending)
      return S;
    if (receive(0) == Status::EndOfStream)
      return Status::EndOfStream;
  }
}

Channel::Status Channel::poll(StringRef &Frame) {
  Status S = next(Frame);
  if (S != Status::Pending)
    return S;
  S = receive(MSG_DONTWAIT);
  return S == Status::Frame ? next(Frame) : S;
}

bool Channel::write(const proto::Reply &Message, bool Wait) {
  if (!hasUnsent()) {
    Out.clear();
    SentBytes = 0;
  }
  const size_t Begin = Out.size();
  const size_t Length = Message.ByteSizeLong();
  Out.resize(Begin + PrefixBytes + Length);
  support::endian::write32le(&Out[Begin], static_cast<uint32_t>(Length));
  Message.SerializeWithCachedSizesToArray(
      reinterpret_cast<uint8_t *>(&Out[Begin]) + PrefixBytes);
  return flush(Wait);
}

bool Channel::flush(bool Wait) {
  while (hasUnsent()) {
    ssize_t Sent = send(Socket, Out.data() + SentBytes, Out.size() - SentBytes,
                        MSG_NOSIGNAL | (Wait ? 0 : MSG_DONTWAIT));
    if (Sent < 0 && errno == EINTR)
      continue;
    if (Sent < 0)
      return !Wait && (errno == EAGAIN || errno == EWOULDBLOCK);
    SentBytes += Sent;
  }
  return true;
}

int Channel::takeDescriptor() {
  if (Descriptors.empty() || Descriptors.front().Offset >= FrameEnd)
    return -1;
  int Descriptor = Descriptors.front().Descriptor;
  Descriptors.pop_front();
  return Descriptor;
}

std::string Channel::unread() const { return Buffer.substr(FrameEnd); }

void Channel::prepend(std::string Bytes) {
  Buffer.insert(0, Bytes);
  FrameBegin = FrameEnd = 0;
}

bool mlcompiler::sendDescriptors(int Socket, ArrayRef<int> Descriptors,
                                 StringRef Payload) {
  iovec Bytes{const_cast<char *>(Payload.data()), Payload.size()};
  alignas(cmsghdr) char Control[CMSG_SPACE(sizeof(int) * MaxDescriptors)] = {};
  const size_t Size = Descriptors.size() * sizeof(int);
  msghdr Message{};
  Message.msg_iov = &Bytes;
  Message.msg_iovlen = 1;
  Message.msg_control = Control;
  Message.msg_controllen = CMSG_SPACE(Size);
  cmsghdr *C = CMSG_FIRSTHDR(&Message);
  C->cmsg_level = SOL_SOCKET;
  C->cmsg_type = SCM_RIGHTS;
  C->cmsg_len = CMSG_LEN(Size);
  memcpy(CMSG_DATA(C), Descriptors.data(), Size);
  ssize_t Sent;
  do
    Sent = sendmsg(Socket, &Message, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (Sent < 0 && errno == EINTR);
  return Sent >= 0;
}

bool mlcompiler::receiveDescriptors(int Socket,
                                    SmallVectorImpl<int> &Descriptors,
                                    std::string &Payload, size_t Capacity) {
  Descriptors.clear();
  Payload.clear();
  ssize_t Got = receiveSome(Socket, 0, Payload, Descriptors, Capacity);
  if (Got)
    return Got > 0;
  // An empty datagram, or the end? Only the end stays.
  pollfd Peer{Socket, 0, 0};
  return ::poll(&Peer, 1, 0) == 0 || !(Peer.revents & (POLLHUP | POLLERR));
}

proto::Reply mlcompiler::errorReply(proto::ErrorCode Code,
                                    const std::string &Message,
                                    bool SessionEnded) {
  proto::Reply R;
  R.mutable_error()->set_code(Code);
  // Names in a program can be any bytes, a string of the protocol cannot.
  R.mutable_error()->set_message(json::fixUTF8(Message));
  R.mutable_error()->set_session_ended(SessionEnded);
  return R;
}

proto::Reply mlcompiler::errorReply(Error E, bool SessionEnded) {
  proto::Reply R;
  handleAllErrors(
      std::move(E),
      [&](const Failure &F) {
        R = errorReply(F.Code, F.Message, SessionEnded);
      },
      [&](const ErrorInfoBase &Other) {
        R = errorReply(proto::INVALID_PROGRAM, Other.message(), SessionEnded);
      });
  return R;
}

proto::Reply mlcompiler::noProcessReply() {
  return errorReply(proto::RESOURCE_EXHAUSTED,
                    std::string("no process could be made for the session: ") +
                        strerror(errno),
                    /*SessionEnded=*/true);
}
