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

    def __init__(self, hub: Hub, *, by_token: bool) -> None:
        self._hub = hub
        self._by_token = by_token

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
            client, label = auth.client_of(context, by_token=self._by_token)
            account = self._hub.accounts.open_stream(client, label)
            if account is None:
                context.abort(
                    grpc.StatusCode.RESOURCE_EXHAUSTED,
                    f"a client may have {self._hub.limits.streams} streams at once",
                )
                return
            self._hub.log.debug("stream", client=label, method=call.method)
            try:
                yield from relay.run(requests, context, account)
            except (OSError, RuntimeError) as error:
                self._hub.log.warning("stream ended", client=label, reason=str(error))
                context.abort(
                    grpc.StatusCode.RESOURCE_EXHAUSTED,
                    f"the server has no room for this stream: {error}",
                )
            finally:
                account.streams.give()

        return grpc.stream_stream_rpc_method_handler(
            serve, request_deserializer=relay.take_soon
        )
