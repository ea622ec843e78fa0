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
#include <optional>
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
/// Contract: one reader, one writer, one thread. What one sendmsg brings may
/// arrive together with what was sent before it, but nothing sent after it is
/// received along with its descriptors; so these belong to the frame that the
/// last byte received with them is of. A frame has one at most; further ones
/// are closed. A failed write is not an error of the service (the client is
/// gone); the next read reports the end of the stream.
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
  /// stays unsent. A pipe can be written to as well, if it is to wait.
  bool write(const proto::Reply &Message, bool Wait = true);

  /// Sends what is unsent, as far as there is room. Returns as write does.
  bool flush(bool Wait = false);
  bool hasUnsent() const { return SentBytes != Out.size(); }

  /// The descriptor that came with the latest frame, now the caller's: Lost if
  /// this process had no room for it. One that is not taken is closed with the
  /// next read.
  std::optional<int> takeDescriptor();
  static constexpr int Lost = -1;

  /// What was received after the latest frame: what another process needs to
  /// carry on reading here.
  struct Unread {
    llvm::StringRef Bytes;
    /// Came with the last byte; -1 if none did. Remains the channel's.
    int Descriptor = -1;
  };
  Unread unread() const;
  /// Has \p Bytes, and a descriptor that came with the last of them, read
  /// before what the socket brings. Nothing must have been received here.
  void resume(std::string Bytes, int Descriptor = -1);

  /// The memory that messages take here.
  size_t bytesHeld() const;

private:
  /// A descriptor, and where in Buffer the bytes end that it came with.
  struct Received {
    size_t End;
    int Descriptor;
  };

  Status next(llvm::StringRef &Frame);
  Status receive(int Flags);
  /// The length of the frame that Buffer begins with, its prefix included; 0 if
  /// not known yet.
  size_t frameBytes() const;
  /// Takes what came with the bytes that Buffer ends with.
  void keepDescriptor(llvm::ArrayRef<int> Arrived, bool LostSome);
  /// Closes the descriptors that came no later than with the byte before \p
  /// End.
  void dropDescriptors(size_t End);

  int Socket = -1;
  std::string Buffer;
  /// Where the latest frame ends; 0 if it has gone.
  size_t FrameEnd = 0;
  /// At most one of each frame.
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

/// There is no process for \p Whose; errno says why.
llvm::Error noProcess(const llvm::Twine &Whose);
/// There is no descriptor for \p Whose, in this process.
llvm::Error noDescriptor(const llvm::Twine &Whose);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_WIRE_H
