# SPDX-License-Identifier: Apache-2.0
"""The methods that carry sessions."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
from typing_extensions import override

from mlcompiler_gym.client import frames
from mlcompiler_gym.server import auth
from mlcompiler_gym.server.hub import Hub
from mlcompiler_gym.server.relay import ManySessions, OneSession, Relay

SERVICE = frames.ONE_SESSION.split("/")[1]
RELAY = frames.MANY_SESSIONS.split("/")[1]
#: Bytes that a Request may have beside the program that it uploads.
_SLACK = 1024


class Sessions(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Makes a relay for each stream."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    @override
    def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        if call.method == frames.ONE_SESSION:
            relay = Relay(self._hub, OneSession())
        elif call.method == frames.MANY_SESSIONS:
            limit = self._hub.limits.upload_bytes + _SLACK
            relay = Relay(self._hub, ManySessions(limit))
        else:
            return None

        def serve(
            requests: Iterator[bytes], context: grpc.ServicerContext
        ) -> Iterator[bytes]:
            if self._hub.draining:
                context.abort(grpc.StatusCode.UNAVAILABLE, "the server is shut down")
            client = auth.client_of(context)
            self._hub.log.debug("stream", client=client, method=call.method)
            yield from relay.run(requests, context, self._hub.accounts.get(client))

        return grpc.stream_stream_rpc_method_handler(
            serve, request_deserializer=relay.take_soon
        )
