//===- ArrivalTest.cpp ----------------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Arrival.h"
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace llvm;
using namespace mlcompiler;

namespace {

/// A nursery with a client, and a parked session.
struct ArrivalTest : ::testing::Test {
  int Nursery = -1, Parked = -1, Client = -1;
  Channel Read;

  void SetUp() override {
    int Pair[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, Pair), 0);
    Nursery = Pair[0];
    Parked = Pair[1];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, Pair), 0);
    Client = Pair[0];
    Read = Channel(Pair[1]);
  }
  void TearDown() override {
    for (int Each : {Nursery, Parked, Client})
      if (Each >= 0)
        close(Each);
  }

  /// Hands the client over, and closes it here.
  Handover handOver(const proto::Request &Request, int Parking = -1) {
    Handover Result = sendArrival(Nursery, Read, Request, Parking);
    Read.close();
    return Result;
  }

  /// The arrival that the parked session receives next.
  Arrival receive() {
    Envelope Received;
    EXPECT_TRUE(receiveArrival(Parked, Received));
    std::optional<Arrival> Next = readArrival(Received);
    EXPECT_TRUE(Next.has_value());
    return Next ? std::move(*Next) : Arrival();
  }
};

std::string framed(StringRef Payload) {
  std::string Bytes(4, '\0');
  Bytes[0] = static_cast<char>(Payload.size());
  return Bytes + Payload.str();
}

proto::Request openRequest(unsigned Deadline) {
  proto::Request Request;
  Request.set_deadline_ms(Deadline);
  Request.mutable_open()->set_function("f");
  return Request;
}

} // namespace

TEST_F(ArrivalTest, BringsWhatHasBeenReadAndTheRest) {
  // The second fork comes in the datagram, the first is cut, the third has not
  // been read when the client is handed over.
  const std::string Fork = framed("fork");
  ASSERT_EQ(write(Client, (framed("open") + framed("observe")).data(), 19), 19);
  ASSERT_TRUE(sendDescriptors(Client, Client, Fork.substr(0, 6)));
  StringRef Frame;
  ASSERT_EQ(Read.poll(Frame), Channel::Status::Frame);
  EXPECT_EQ(Frame, "open");
  ASSERT_EQ(handOver(openRequest(7)), Handover::Done);
  ASSERT_EQ(write(Client, Fork.data() + 6, 2), 2);
  ASSERT_TRUE(sendDescriptors(Client, Client, Fork));

  Arrival Next = receive();
  EXPECT_EQ(Next.Request.deadline_ms(), 7u);
  EXPECT_EQ(Next.Request.open().function(), "f");
  EXPECT_EQ(Next.Parking, -1);
  for (StringRef Expected : {"observe", "fork", "fork"}) {
    ASSERT_EQ(Next.Client.read(Frame), Channel::Status::Frame);
    EXPECT_EQ(Frame, Expected);
    std::optional<int> Received = Next.Client.takeDescriptor();
    EXPECT_EQ(Received.has_value(), Expected == "fork");
    if (Received) {
      EXPECT_EQ(write(*Received, "x", 1), 1);
      close(*Received);
    }
  }
}

TEST_F(ArrivalTest, BringsTheSocketToParkOn) {
  int Pair[2];
  ASSERT_EQ(pipe(Pair), 0);
  const std::string Both = framed("open") + framed("fork");
  ASSERT_TRUE(sendDescriptors(Client, Client, Both));
  StringRef Frame;
  ASSERT_EQ(Read.poll(Frame), Channel::Status::Frame);
  ASSERT_EQ(handOver(openRequest(0), Pair[1]), Handover::Done);
  close(Pair[1]);
  Arrival Next = receive();
  ASSERT_GE(Next.Parking, 0);
  ASSERT_EQ(write(Next.Parking, "p", 1), 1);
  close(Next.Parking);
  char Byte;
  EXPECT_EQ(read(Pair[0], &Byte, 1), 1);
  EXPECT_EQ(read(Pair[0], &Byte, 1), 0);
  close(Pair[0]);
  ASSERT_EQ(Next.Client.read(Frame), Channel::Status::Frame);
  std::optional<int> Received = Next.Client.takeDescriptor();
  ASSERT_TRUE(Received);
  close(*Received);
}

TEST_F(ArrivalTest, RefusesMoreThanADatagramHolds) {
  proto::Request Request = openRequest(0);
  Request.mutable_open()->set_pipeline(std::string(100 << 10, 'x'));
  EXPECT_EQ(handOver(Request), Handover::TooLarge);
}

TEST_F(ArrivalTest, NoticesThatNobodyIsParkedThere) {
  close(std::exchange(Parked, -1));
  EXPECT_EQ(handOver(openRequest(0)), Handover::Failed);
}

TEST_F(ArrivalTest, ReadsNothingOfWhatIsNoArrival) {
  ASSERT_TRUE(sendDescriptors(Nursery, Client, "not an arrival"));
  Envelope Next;
  ASSERT_TRUE(receiveArrival(Parked, Next));
  EXPECT_FALSE(readArrival(Next));
  ASSERT_EQ(Next.Descriptors.size(), 1u);
  close(Next.Descriptors.front());
  ASSERT_EQ(handOver(openRequest(3)), Handover::Done);
  EXPECT_EQ(receive().Request.deadline_ms(), 3u);
  close(std::exchange(Nursery, -1));
  EXPECT_FALSE(receiveArrival(Parked, Next));
}
