//===- WireTest.cpp -------------------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Wire.h"
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using namespace llvm;
using namespace mlcompiler;

namespace {

/// A channel and the other end of its socket.
struct WireTest : ::testing::Test {
  Channel Service;
  int Client = -1;

  void SetUp() override {
    int Pair[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, Pair), 0);
    Service = Channel(Pair[0]);
    Client = Pair[1];
  }
  void TearDown() override { hangUp(); }

  void hangUp() {
    if (Client >= 0)
      close(std::exchange(Client, -1));
  }
  void send(StringRef Bytes) {
    ASSERT_EQ(write(Client, Bytes.data(), Bytes.size()),
              static_cast<ssize_t>(Bytes.size()));
  }
};

std::string framed(StringRef Payload) {
  std::string Bytes(4, '\0');
  Bytes[0] = static_cast<char>(Payload.size() & 0xff);
  Bytes[1] = static_cast<char>(Payload.size() >> 8 & 0xff);
  Bytes[2] = static_cast<char>(Payload.size() >> 16 & 0xff);
  return Bytes + Payload.str();
}

} // namespace

TEST_F(WireTest, ReadsFramesThatArriveTogether) {
  send(framed("one") + framed("") + framed("three"));
  StringRef Frame;
  ASSERT_EQ(Service.read(Frame), Channel::Status::Frame);
  EXPECT_EQ(Frame, "one");
  ASSERT_EQ(Service.read(Frame), Channel::Status::Frame);
  EXPECT_EQ(Frame, "");
  ASSERT_EQ(Service.read(Frame), Channel::Status::Frame);
  EXPECT_EQ(Frame, "three");
}

TEST_F(WireTest, WaitsForTheRestOfAFrame) {
  StringRef Frame;
  std::string Bytes = framed("hello");
  for (char C : StringRef(Bytes).drop_back()) {
    send(StringRef(&C, 1));
    EXPECT_EQ(Service.poll(Frame), Channel::Status::Pending);
  }
  send("o");
  ASSERT_EQ(Service.poll(Frame), Channel::Status::Frame);
  EXPECT_EQ(Frame, "hello");
}

TEST_F(WireTest, RefusesALengthThatIsNoLength) {
  send("\xff\xff\xff\xffgarbage");
  StringRef Frame;
  EXPECT_EQ(Service.read(Frame), Channel::Status::TooLarge);
}

TEST_F(WireTest, ReportsTheEndEvenInTheMiddleOfAFrame) {
  send(StringRef(framed("hello")).drop_back());
  hangUp();
  StringRef Frame;
  EXPECT_EQ(Service.read(Frame), Channel::Status::EndOfStream);
}

TEST_F(WireTest, PassesADescriptorOn) {
  int Sent[2];
  ASSERT_EQ(pipe(Sent), 0);
  ASSERT_TRUE(sendDescriptors(Client, Sent[1], framed("fork")));
  close(Sent[1]);
  StringRef Frame;
  ASSERT_EQ(Service.read(Frame), Channel::Status::Frame);
  std::optional<int> Received = Service.takeDescriptor();
  ASSERT_TRUE(Received);
  EXPECT_EQ(Service.takeDescriptor(), std::nullopt);
  ASSERT_EQ(write(*Received, "x", 1), 1);
  char Byte;
  EXPECT_EQ(read(Sent[0], &Byte, 1), 1);
  close(*Received);
  close(Sent[0]);
}

TEST_F(WireTest, GivesADescriptorToTheFrameThatItCameWith) {
  // The frames are sent one by one, but received together.
  const int Null = open("/dev/null", O_RDONLY);
  send(framed("measure"));
  send(framed("observe"));
  ASSERT_TRUE(sendDescriptors(Client, Null, framed("fork")));
  send(framed("step"));
  ASSERT_TRUE(sendDescriptors(Client, Null, framed("fork")));
  send(framed("close"));
  for (StringRef Expected :
       {"measure", "observe", "fork", "step", "fork", "close"}) {
    StringRef Frame;
    ASSERT_EQ(Service.read(Frame), Channel::Status::Frame);
    EXPECT_EQ(Frame, Expected);
    std::optional<int> Received = Service.takeDescriptor();
    EXPECT_EQ(Received.has_value(), Expected == "fork");
    if (Received)
      close(*Received);
  }
  close(Null);
}

TEST_F(WireTest, GivesADescriptorToTheFrameWhereverItIsCut) {
  const int Null = open("/dev/null", O_RDONLY);
  const std::string Before = framed("observe");
  const std::string Fork = framed("fork");
  for (size_t Cut = 1; Cut != Fork.size(); ++Cut) {
    // The descriptor comes with the frame's beginning, and with what was sent
    // before.
    ASSERT_TRUE(sendDescriptors(Client, Null, Before + Fork.substr(0, Cut)));
    send(Fork.substr(Cut) + Before);
    // The descriptor comes with the frame's end.
    send(Before + Fork.substr(0, Cut));
    ASSERT_TRUE(sendDescriptors(Client, Null, Fork.substr(Cut)));
    for (StringRef Expected :
         {"observe", "fork", "observe", "observe", "fork"}) {
      StringRef Frame;
      ASSERT_EQ(Service.read(Frame), Channel::Status::Frame);
      EXPECT_EQ(Frame, Expected);
      std::optional<int> Received = Service.takeDescriptor();
      EXPECT_EQ(Received.has_value(), Expected == "fork") << Cut;
      if (Received)
        close(*Received);
    }
  }
  close(Null);
}

TEST_F(WireTest, KeepsOneDescriptorOfAFrameThatNeverEnds) {
  const int Before = dup(Client);
  close(Before);
  ASSERT_TRUE(sendDescriptors(Client, Client, StringRef("\xff\0\0\0", 4)));
  for (int I = 0; I != 100; ++I)
    ASSERT_TRUE(sendDescriptors(Client, {Client, Client}, "x"));
  StringRef Frame;
  while (Service.poll(Frame) == Channel::Status::Pending) {
    char Byte;
    if (recv(Service.socket(), &Byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0)
      break;
  }
  // The next descriptor's number is one more than before.
  const int After = dup(Client);
  EXPECT_EQ(After, Before + 1);
  close(After);
}

TEST_F(WireTest, SaysWhenThereIsNoRoomForADescriptor) {
  ASSERT_TRUE(sendDescriptors(Client, Client, framed("fork")));
  rlimit Limit;
  getrlimit(RLIMIT_NOFILE, &Limit);
  const rlimit Full{static_cast<rlim_t>(std::max(Client, Service.socket()) + 1),
                    Limit.rlim_max};
  setrlimit(RLIMIT_NOFILE, &Full);
  StringRef Frame;
  EXPECT_EQ(Service.read(Frame), Channel::Status::Frame);
  setrlimit(RLIMIT_NOFILE, &Limit);
  EXPECT_EQ(Frame, "fork");
  EXPECT_EQ(Service.takeDescriptor(), Channel::Lost);
  EXPECT_EQ(Service.takeDescriptor(), std::nullopt);
}

TEST_F(WireTest, KeepsNoMemoryOfALongFrame) {
  std::thread Sender([&] { send(framed(std::string(9 << 20, 'x'))); });
  StringRef Frame;
  ASSERT_EQ(Service.read(Frame), Channel::Status::Frame);
  EXPECT_GE(Service.bytesHeld(), size_t(9) << 20);
  Sender.join();
  EXPECT_EQ(Service.poll(Frame), Channel::Status::Pending);
  EXPECT_LE(Service.bytesHeld(), size_t(1) << 20);
}

TEST_F(WireTest, ClosesDescriptorsThatNobodyTook) {
  int Sent[2];
  ASSERT_EQ(pipe(Sent), 0);
  ASSERT_TRUE(sendDescriptors(Client, Sent[1], framed("fork")));
  close(Sent[1]);
  StringRef Frame;
  ASSERT_EQ(Service.read(Frame), Channel::Status::Frame);
  Service.close();
  // The end of the pipe shows that no writer is left.
  char Byte;
  EXPECT_EQ(read(Sent[0], &Byte, 1), 0);
  close(Sent[0]);
}

TEST_F(WireTest, KeepsWhatAClientDoesNotRead) {
  proto::Reply Reply;
  Reply.mutable_emit()->set_data(std::string(1 << 20, 'x'));
  EXPECT_TRUE(Service.write(Reply, /*Wait=*/false));
  EXPECT_TRUE(Service.hasUnsent());
  std::string Bytes(4 + Reply.ByteSizeLong(), '\0');
  size_t Size = 0;
  while (Size < Bytes.size()) {
    ssize_t Got = read(Client, &Bytes[Size], Bytes.size() - Size);
    ASSERT_GT(Got, 0);
    Size += Got;
    EXPECT_TRUE(Service.flush());
  }
  EXPECT_FALSE(Service.hasUnsent());
  proto::Reply Parsed;
  ASSERT_TRUE(Parsed.ParseFromArray(Bytes.data() + 4,
                                    static_cast<int>(Bytes.size()) - 4));
  EXPECT_EQ(Parsed.emit().data(), Reply.emit().data());
}

TEST_F(WireTest, NoticesThatTheClientHasGone) {
  hangUp();
  EXPECT_FALSE(Service.write(proto::Reply()));
}

TEST_F(WireTest, DoesNotKeepADescriptorForALaterFrame) {
  int Sent[2];
  ASSERT_EQ(pipe(Sent), 0);
  ASSERT_TRUE(sendDescriptors(Client, Sent[1], framed("observe")));
  close(Sent[1]);
  send(framed("fork"));
  StringRef Frame;
  ASSERT_EQ(Service.read(Frame), Channel::Status::Frame);
  ASSERT_EQ(Service.read(Frame), Channel::Status::Frame);
  EXPECT_EQ(Frame, "fork");
  EXPECT_EQ(Service.takeDescriptor(), std::nullopt);
  close(Sent[0]);
}

TEST(ReceiveDescriptors, TellsAnEmptyDatagramFromTheEnd) {
  int Pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, Pair), 0);
  ASSERT_EQ(::send(Pair[1], "", 0, 0), 0);
  SmallVector<int> Descriptors;
  std::string Payload;
  EXPECT_TRUE(receiveDescriptors(Pair[0], Descriptors, Payload, 16));
  EXPECT_TRUE(Descriptors.empty());
  close(Pair[1]);
  EXPECT_FALSE(receiveDescriptors(Pair[0], Descriptors, Payload, 16));
  close(Pair[0]);
}

TEST_F(WireTest, MakesErrorsOfAnyBytes) {
  proto::Reply Reply =
      errorReply(proto::INVALID_PROGRAM, "caf\xe9", /*SessionEnded=*/true);
  ASSERT_TRUE(Service.write(Reply));
  char Bytes[256];
  ssize_t Size = read(Client, Bytes, sizeof(Bytes));
  ASSERT_GT(Size, 4);
  proto::Reply Parsed;
  ASSERT_TRUE(Parsed.ParseFromArray(Bytes + 4, static_cast<int>(Size) - 4));
  EXPECT_EQ(Parsed.error().code(), proto::INVALID_PROGRAM);
  EXPECT_TRUE(Parsed.error().session_ended());
}
