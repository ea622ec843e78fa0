//===- WireFuzzer.cpp - Any bytes at all on a session's socket ------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
//
// The entry of libFuzzer. The same frames must be read from an input in
// whatever pieces it arrives. The sanitizers make sure that only our own memory
// is read.
//
//===----------------------------------------------------------------------===//

#include "Wire.h"
#include <algorithm>
#include <cstdlib>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

using namespace llvm;
using namespace mlcompiler;

namespace {

/// What a channel made of a stream.
struct Seen {
  std::vector<std::string> Frames;
  Channel::Status End = Channel::Status::Pending;

  bool operator==(const Seen &Other) const {
    return Frames == Other.Frames && End == Other.End;
  }
};

/// A channel with something to read, and its writing end.
struct Line {
  Channel Service;
  int Client = -1;

  Line() {
    int Pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, Pair) != 0)
      abort();
    Service = Channel(Pair[0]);
    Client = Pair[1];
  }
  ~Line() { hangUp(); }

  void hangUp() {
    if (Client >= 0)
      close(std::exchange(Client, -1));
  }
  void send(StringRef Bytes) {
    if (!Bytes.empty() && write(Client, Bytes.data(), Bytes.size()) !=
                              static_cast<ssize_t>(Bytes.size()))
      abort();
  }
};

} // namespace

/// Does as the loop of a session: a frame is a request, or a mistake.
static void take(StringRef Frame, Seen &What) {
  What.Frames.push_back(Frame.str());
  proto::Request Request;
  if (!Request.ParseFromArray(Frame.data(), Frame.size()))
    return;
  proto::Request Again;
  if (!Again.ParseFromString(Request.SerializeAsString()))
    abort();
}

static Seen readAtOnce(StringRef Bytes) {
  Line L;
  L.send(Bytes);
  L.hangUp();
  Seen What;
  StringRef Frame;
  while ((What.End = L.Service.read(Frame)) == Channel::Status::Frame)
    take(Frame, What);
  return What;
}

static Seen pollPieces(StringRef Bytes, size_t Piece) {
  Line L;
  Seen What;
  StringRef Frame;
  auto Poll = [&] {
    while ((What.End = L.Service.poll(Frame)) == Channel::Status::Frame)
      take(Frame, What);
    return What.End == Channel::Status::Pending;
  };
  while (!Bytes.empty()) {
    L.send(Bytes.take_front(Piece));
    Bytes = Bytes.drop_front(std::min(Piece, Bytes.size()));
    if (!Poll())
      return What;
  }
  L.hangUp();
  Poll();
  return What;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *Data, size_t Size) {
  if (Size == 0)
    return 0;
  StringRef Bytes(reinterpret_cast<const char *>(Data) + 1, Size - 1);
  if (!(readAtOnce(Bytes) == pollPieces(Bytes, size_t(*Data) + 1)))
    abort();
  return 0;
}
