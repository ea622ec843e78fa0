//===- Arrival.cpp - A client on its way to a parked session --------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Arrival.h"
#include "mlcompiler_gym/v1/arrival.pb.h"
#include <unistd.h>

using namespace llvm;
using namespace mlcompiler;

/// The most bytes of an arrival; a socket may have no room for a larger
/// datagram.
static constexpr size_t MaxArrivalBytes = 64 << 10;

Handover mlcompiler::sendArrival(int Socket, const Channel &Client,
                                 const proto::Request &Request, int Parking) {
  const Channel::Unread Rest = Client.unread();
  proto::Arrival Message;
  *Message.mutable_request() = Request;
  Message.set_unread(Rest.Bytes.data(), Rest.Bytes.size());
  SmallVector<int, MaxDescriptors> Descriptors{Client.socket()};
  if (Parking >= 0) {
    Message.set_parking(true);
    Descriptors.push_back(Parking);
  }
  if (Rest.Descriptor >= 0) {
    Message.set_descriptor(true);
    Descriptors.push_back(Rest.Descriptor);
  }
  const std::string Bytes = Message.SerializeAsString();
  if (Bytes.size() > MaxArrivalBytes)
    return Handover::TooLarge;
  return sendDescriptors(Socket, Descriptors, Bytes) ? Handover::Done
                                                     : Handover::Failed;
}

bool mlcompiler::receiveArrival(int Socket, Envelope &Next) {
  return receiveDescriptors(Socket, Next.Descriptors, Next.Bytes,
                            MaxArrivalBytes);
}

std::optional<Arrival> mlcompiler::readArrival(const Envelope &Received) {
  const ArrayRef<int> Descriptors = Received.Descriptors;
  proto::Arrival Message;
  // If this process had no room for all descriptors, some are missing.
  if (!Message.ParseFromString(Received.Bytes) ||
      Descriptors.size() !=
          1 + size_t(Message.parking()) + size_t(Message.descriptor()))
    return std::nullopt;
  Arrival Next;
  Next.Client = Channel(Descriptors.front());
  Next.Client.resume(std::move(*Message.mutable_unread()),
                     Message.descriptor() ? Descriptors.back() : -1);
  Next.Request = std::move(*Message.mutable_request());
  Next.Parking = Message.parking() ? Descriptors[1] : -1;
  return Next;
}
