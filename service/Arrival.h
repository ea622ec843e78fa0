//===- Arrival.h - A client on its way to a parked session ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#ifndef MLCOMPILER_GYM_SERVICE_ARRIVAL_H
#define MLCOMPILER_GYM_SERVICE_ARRIVAL_H

#include "Wire.h"

namespace mlcompiler {

/// A client that the nursery has handed over to a parked session: its socket,
/// with the bytes already read from it, and its request.
struct Arrival {
  Channel Client;
  proto::Request Request;
  /// The socket on which the client's new session parks; -1 if it does not
  /// park.
  int Parking = -1;
};

enum class Handover {
  Done,
  /// What the client has already sent does not fit into a datagram.
  TooLarge,
  /// The parked session takes no further clients.
  Failed
};

/// Sends \p Client over \p Socket to a parked session, which goes on reading
/// where \p Client stands. \p Request is the part of the client's request that
/// the session needs. The caller keeps its own descriptors in any case.
Handover sendArrival(int Socket, const Channel &Client,
                     const proto::Request &Request, int Parking = -1);

/// An arrival that has not been read. The parked process forks with it, and the
/// fork reads it. The parked process does not read it itself, because the
/// kernel copies every page that it writes to while it shares that page with a
/// fork.
struct Envelope {
  llvm::SmallVector<int, MaxDescriptors> Descriptors;
  std::string Bytes;
};

/// Waits for a client. Returns false when no more will come.
bool receiveArrival(int Socket, Envelope &Next);

/// Reads \p Received. The arrival then owns its descriptors. Returns nullopt if
/// \p Received is no arrival; the caller then still owns them.
std::optional<Arrival> readArrival(const Envelope &Received);

} // namespace mlcompiler

#endif // MLCOMPILER_GYM_SERVICE_ARRIVAL_H
