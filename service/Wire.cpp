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
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace llvm;
using namespace mlcompiler;

static constexpr size_t PrefixBytes = 4;
static constexpr size_t ReceiveBytes = 4 << 10;
static constexpr size_t MostAtOnce = 4 << 20;
/// If a message is longer than this, its memory is not kept for the next one.
static constexpr size_t KeptBytes = 1 << 20;

/// Calls recvmsg once, appends to \p Buffer and \p Descriptors, and returns
/// what recvmsg returned. The kernel lets recvmsg end behind bytes that bring
/// descriptors. \p LostSome says that it has dropped descriptors for want of
/// room.
static ssize_t receiveSome(int Socket, int Flags, std::string &Buffer,
                           SmallVectorImpl<int> &Descriptors, bool &LostSome,
                           size_t Capacity) {
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
  LostSome = Got >= 0 && (Message.msg_flags & MSG_CTRUNC);
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
  FrameEnd = 0;
  Out.clear();
  SentBytes = 0;
}

void Channel::dropDescriptors(size_t End) {
  while (!Descriptors.empty() && Descriptors.front().End <= End) {
    if (Descriptors.front().Descriptor != Lost)
      ::close(Descriptors.front().Descriptor);
    Descriptors.pop_front();
  }
}

size_t Channel::frameBytes() const {
  if (Buffer.size() < PrefixBytes)
    return 0;
  return PrefixBytes + size_t(support::endian::read32le(Buffer.data()));
}

Channel::Status Channel::next(StringRef &Frame) {
  if (FrameEnd) {
    dropDescriptors(FrameEnd);
    for (Received &R : Descriptors)
      R.End -= FrameEnd;
    Buffer.erase(0, FrameEnd);
    FrameEnd = 0;
    if (Buffer.capacity() > KeptBytes && Buffer.size() <= KeptBytes)
      Buffer.shrink_to_fit();
  }
  const size_t Bytes = frameBytes();
  if (Bytes > PrefixBytes + MaxFrameBytes)
    return Status::TooLarge;
  if (!Bytes || Buffer.size() < Bytes)
    return Status::Pending;
  FrameEnd = Bytes;
  Frame = StringRef(Buffer).slice(PrefixBytes, FrameEnd);
  return Status::Frame;
}

Channel::Status Channel::receive(int Flags) {
  // A large frame is read in pieces that grow with the part that has arrived.
  // Otherwise, for a client that sends byte by byte, each byte would clear
  // megabytes.
  size_t Capacity = ReceiveBytes;
  if (const size_t Bytes = frameBytes())
    Capacity = std::max<size_t>(
        Capacity, std::min({Bytes - Buffer.size(), Buffer.size(), MostAtOnce}));
  SmallVector<int, MaxDescriptors> Arrived;
  bool LostSome;
  ssize_t Got = receiveSome(Socket, Flags, Buffer, Arrived, LostSome, Capacity);
  if (!Arrived.empty() || LostSome)
    keepDescriptor(Arrived, LostSome);
  if (Got > 0)
    return Status::Frame;
  if (Got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
    return Status::Pending;
  return Status::EndOfStream;
}

void Channel::keepDescriptor(ArrayRef<int> Arrived, bool LostSome) {
  // No client may fill the table of descriptors with a frame that never ends.
  const bool InSameFrame =
      !Descriptors.empty() && (!frameBytes() || Buffer.size() <= frameBytes());
  if (!InSameFrame) {
    if (Arrived.empty()) {
      Descriptors.push_back({Buffer.size(), Lost});
    } else {
      Descriptors.push_back({Buffer.size(), Arrived.front()});
      Arrived = Arrived.drop_front();
    }
  }
  for (int Descriptor : Arrived)
    ::close(Descriptor);
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
    const char *Next = Out.data() + SentBytes;
    const size_t Left = Out.size() - SentBytes;
    ssize_t Sent =
        send(Socket, Next, Left, MSG_NOSIGNAL | (Wait ? 0 : MSG_DONTWAIT));
    if (Sent < 0 && errno == ENOTSOCK)
      Sent = ::write(Socket, Next, Left);
    if (Sent < 0 && errno == EINTR)
      continue;
    if (Sent < 0)
      return !Wait && (errno == EAGAIN || errno == EWOULDBLOCK);
    SentBytes += Sent;
  }
  if (Out.capacity() > KeptBytes) {
    Out = std::string();
    SentBytes = 0;
  }
  return true;
}

std::optional<int> Channel::takeDescriptor() {
  if (Descriptors.empty() || Descriptors.front().End > FrameEnd)
    return std::nullopt;
  int Descriptor = Descriptors.front().Descriptor;
  Descriptors.pop_front();
  return Descriptor;
}

Channel::Unread Channel::unread() const {
  Unread Rest{StringRef(Buffer).substr(FrameEnd)};
  // Nothing is received while a frame is there, so this descriptor came with
  // the last byte.
  if (!Descriptors.empty() && Descriptors.back().End > FrameEnd)
    Rest.Descriptor = Descriptors.back().Descriptor;
  return Rest;
}

void Channel::resume(std::string Bytes, int Descriptor) {
  Buffer = std::move(Bytes);
  if (Descriptor >= 0)
    Descriptors.push_back({Buffer.size(), Descriptor});
}

size_t Channel::bytesHeld() const {
  // Memory that a long frame has not filled yet does not count.
  auto Held = [](const std::string &Bytes) {
    return Bytes.capacity() > KeptBytes ? Bytes.size() : Bytes.capacity();
  };
  return Held(Buffer) + Held(Out);
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
  bool LostSome;
  ssize_t Got =
      receiveSome(Socket, 0, Payload, Descriptors, LostSome, Capacity);
  if (Got)
    return Got > 0;
  // This is an empty datagram or the end. Only the end can be seen a second
  // time.
  pollfd Peer{Socket, 0, 0};
  return ::poll(&Peer, 1, 0) == 0 || !(Peer.revents & (POLLHUP | POLLERR));
}

proto::Reply mlcompiler::errorReply(proto::ErrorCode Code,
                                    const std::string &Message,
                                    bool SessionEnded) {
  proto::Reply R;
  R.mutable_error()->set_code(Code);
  // Names in a program can be any bytes, but a string of the protocol cannot.
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
      [&](const ReportedFailure &F) {
        *R.mutable_error() = F.Report;
        R.mutable_error()->set_session_ended(SessionEnded);
      },
      [&](const ErrorInfoBase &Other) {
        R = errorReply(proto::INVALID_PROGRAM, Other.message(), SessionEnded);
      });
  return R;
}

Error mlcompiler::noProcess(const Twine &Whose) {
  const int Reason = errno;
  const char *Limit = Reason == ENOMEM
                          ? "memory (that of the machine or of the "
                            "container)"
                          : "processes (`ulimit -u`, or that of "
                            "the container)";
  return fail(proto::RESOURCE_EXHAUSTED,
              "no process could be made for " + Whose + ": " +
                  strerror(Reason) +
                  "; close sessions, or raise the limit on " + Limit);
}

Error mlcompiler::noDescriptor(const Twine &Whose) {
  rlimit Limit;
  getrlimit(RLIMIT_NOFILE, &Limit);
  return fail(proto::RESOURCE_EXHAUSTED,
              "no file descriptor is left for " + Whose + ", of the " +
                  Twine(Limit.rlim_cur) +
                  " that its process may have; close what is not needed, or "
                  "raise the limit (`ulimit -n`) where the service is started");
}
