//===- Wire.h - Framed messages over a Unix socket --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_WIRE_H
#define MLCOMPILER_GYM_SERVICE_WIRE_H

#include "mlcompiler_gym/v1/compiler_service.pb.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <deque>
#include <string>

namespace mlcompiler {

namespace proto = ::mlcompiler_gym::v1;

/// The largest frame. A longer one is not read, since its length is far more
/// likely garbage than a program's, and not sent, since a program of a few
/// bytes can have an object of any size.
constexpr uint32_t MaxFrameBytes = 256u << 20;

/// One end of a Unix stream socket that carries length-prefixed messages and,
/// beside them, file descriptors.
///
/// Contract: one reader, one writer, one thread. A failed write is not an
/// error of the service (the client is gone); the next read reports the end of
/// the stream.
class Channel {
public:
  enum class Status { Frame, Pending, EndOfStream, TooLarge };

  explicit Channel(int Socket = -1) : Socket(Socket) {}
  Channel(Channel &&Other) noexcept { *this = std::move(Other); }
  Channel &operator=(Channel &&Other) noexcept;
  ~Channel() { close(); }

  int socket() const { return Socket; }
  bool isOpen() const { return Socket >= 0; }
  void close();

  /// Reads until a whole frame is there. \p Frame stays valid until the next
  /// read.
  Status read(llvm::StringRef &Frame);

  /// Takes what has arrived without waiting for more: Pending if that is less
  /// than a frame.
  Status poll(llvm::StringRef &Frame);

  /// Sends \p Message as one frame, after what is unsent. Returns false if the
  /// other end is closed. Unless \p Wait, what finds no room in the socket
  /// stays unsent.
  bool write(const proto::Reply &Message, bool Wait = true);

  /// Sends what is unsent, as far as there is room. Returns as write does.
  bool flush(bool Wait = false);
  bool hasUnsent() const { return SentBytes != Out.size(); }

  /// A descriptor that came with the latest frame, now the caller's; -1 if
  /// none. Those that are not taken are closed with the next read.
  int takeDescriptor();

  /// What was received after the latest frame: what another process needs to
  /// carry on reading here.
  std::string unread() const;
  /// Puts \p Bytes in front of what the socket brings.
  void prepend(std::string Bytes);

private:
  /// A descriptor, and where in Buffer the bytes begin that it came with.
  struct Received {
    size_t Offset;
    int Descriptor;
  };

  Status next(llvm::StringRef &Frame);
  Status receive(int Flags);
  /// Closes the descriptors that came before \p End.
  void dropDescriptors(size_t End);

  int Socket = -1;
  std::string Buffer;
  /// Begin of the latest frame (with its length), and of what comes after it.
  size_t FrameBegin = 0, FrameEnd = 0;
  std::deque<Received> Descriptors;
  std::string Out;
  size_t SentBytes = 0;
};

/// The most descriptors that travel together.
constexpr size_t MaxDescriptors = 4;

/// Sends descriptors (and \p Payload) over \p Socket. Returns false on failure,
/// with errno set.
bool sendDescriptors(int Socket, llvm::ArrayRef<int> Descriptors,
                     llvm::StringRef Payload);

/// Receives at most \p Capacity bytes and what descriptors come with them.
/// Returns false at the end of the stream.
bool receiveDescriptors(int Socket, llvm::SmallVectorImpl<int> &Descriptors,
                        std::string &Payload, size_t Capacity);

/// An Error as a reply.
proto::Reply errorReply(proto::ErrorCode Code, const std::string &Message,
                        bool SessionEnded);
/// The same of whatever went wrong: what is not a Failure comes from LLVM and
/// is about the program.
proto::Reply errorReply(llvm::Error E, bool SessionEnded);
/// To a client for whose session there is no process: errno says why.
proto::Reply noProcessReply();

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_WIRE_H
