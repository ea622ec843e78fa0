//===- Arrival.h - A client on its way to a parked session ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_ARRIVAL_H
#define MLCOMPILER_GYM_SERVICE_ARRIVAL_H

#include "Wire.h"

namespace mlcompiler {

/// A client that has been handed over to a parked session: its socket with what
/// had been read from it, its request, and what the new session is to be parked
/// on.
struct Arrival {
  Channel Client;
  proto::Request Request;
  /// -1 if it is not to be parked.
  int Parking = -1;
};

enum class Handover {
  Done,
  /// The client has said more already than fits into a datagram.
  TooLarge,
  /// The parked session takes no further clients.
  Failed
};

/// Sends \p Client over \p Socket to a parked session, which reads on where \p
/// Client stands. \p Request is what it needs to know of the client's request.
/// The caller keeps its own descriptors, whatever becomes of it.
Handover sendArrival(int Socket, const Channel &Client,
                     const proto::Request &Request, int Parking = -1);

/// An arrival that has not been read. The parked process forks with it, and the
/// fork reads it: whatever the parked process writes to memory that a fork
/// shares is copied for it, page by page.
struct Envelope {
  llvm::SmallVector<int, MaxDescriptors> Descriptors;
  std::string Bytes;
};

/// Waits for a client. Returns false when no more will come.
bool receiveArrival(int Socket, Envelope &Next);

/// Reads \p Received, whose descriptors are the arrival's from then on. Nothing
/// if it is no arrival; its descriptors stay as they are.
std::optional<Arrival> readArrival(const Envelope &Received);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_ARRIVAL_H
