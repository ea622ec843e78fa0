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

/// The largest frame. A longer frame is not read, because such a length is more
/// likely garbage than a program. It is not sent either: the object of even a
/// small program can have any size.
constexpr uint32_t MaxFrameBytes = 256u << 20;

/// One end of a Unix stream socket that carries length-prefixed messages and,
/// beside them, file descriptors.
///
/// Contract: one reader, one writer, one thread. The bytes of one sendmsg may
/// arrive together with bytes sent before it. But if it carries descriptors,
/// nothing that was sent after it arrives with them. So descriptors belong to
/// the frame that contains the last byte received with them. A frame has one
/// descriptor at most; further ones are closed. A failed write is not an error
/// of the service, because it means that the client has gone. The next read
/// then reports the end of the stream.
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

  /// Reads what has arrived without waiting for more. Returns Pending if that
  /// is less than a frame.
  Status poll(llvm::StringRef &Frame);

  /// Sends \p Message as one frame, after everything that is unsent. Returns
  /// false if the other end is closed. Without \p Wait, bytes that find no room
  /// in the socket stay unsent. A pipe can also be written to, but only with
  /// \p Wait.
  bool write(const proto::Reply &Message, bool Wait = true);

  /// Sends what is unsent, as far as there is room. Returns false if the other
  /// end is closed.
  bool flush(bool Wait = false);
  bool hasUnsent() const { return SentBytes != Out.size(); }

  /// Returns the descriptor that came with the latest frame, which the caller
  /// then owns. Returns Lost if this process had no room for the descriptor. A
  /// descriptor that is not taken is closed by the next read.
  std::optional<int> takeDescriptor();
  static constexpr int Lost = -1;

  /// What was received after the latest frame. Another process needs it to go
  /// on reading from this socket.
  struct Unread {
    llvm::StringRef Bytes;
    /// The descriptor that came with the last byte; -1 if none did. The channel
    /// keeps it.
    int Descriptor = -1;
  };
  Unread unread() const;
  /// Puts \p Bytes, and a descriptor that came with the last of them, before
  /// what the socket brings. Nothing may have been received here yet.
  void resume(std::string Bytes, int Descriptor = -1);

  /// Bytes of memory that messages take here.
  size_t bytesHeld() const;

private:
  /// A descriptor, and where in Buffer the bytes that it came with end.
  struct Received {
    size_t End;
    int Descriptor;
  };

  Status next(llvm::StringRef &Frame);
  Status receive(int Flags);
  /// The length of the frame that Buffer begins with, including its prefix; 0
  /// if not known yet.
  size_t frameBytes() const;
  /// Keeps the descriptor that came with the last bytes in Buffer.
  void keepDescriptor(llvm::ArrayRef<int> Arrived, bool LostSome);
  /// Closes the descriptors that came with the first \p End bytes.
  void dropDescriptors(size_t End);

  int Socket = -1;
  std::string Buffer;
  /// Where the latest frame ends in Buffer; 0 if it has been dropped.
  size_t FrameEnd = 0;
  /// At most one descriptor for each frame.
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

/// Receives at most \p Capacity bytes and the descriptors that come with them.
/// Returns false at the end of the stream.
bool receiveDescriptors(int Socket, llvm::SmallVectorImpl<int> &Descriptors,
                        std::string &Payload, size_t Capacity);

/// Returns an Error as a reply.
proto::Reply errorReply(proto::ErrorCode Code, const std::string &Message,
                        bool SessionEnded);
/// The same for any error. An error that is not a Failure comes from LLVM and
/// is about the program.
proto::Reply errorReply(llvm::Error E, bool SessionEnded);

/// Says that there is no process for \p Whose; errno says why.
llvm::Error noProcess(const llvm::Twine &Whose);
/// Says that this process has no descriptor left for \p Whose.
llvm::Error noDescriptor(const llvm::Twine &Whose);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_WIRE_H
