# SPDX-License-Identifier: Apache-2.0
"""Services that speak another version of the protocol."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import gymnasium as gym
import pytest
from support.relay import join
from support.servers import ServerProcess
from typing_extensions import override

from mlcompiler_gym import LocalService, ProtocolError, ServiceUnavailableError
from mlcompiler_gym.client import GrpcService, Service
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

#: A varint field of the reply to Describe, which may not be there. Behind it are only
#: counts, which change.
_TAG = 8 << 3


def altered(service: Service, number: int) -> tuple[bytes, bytes]:
    """A piece of a description, as it is and as of another version."""
    current = bytes([_TAG, pb.PROTOCOL_CURRENT])
    before, found, _ = service.describe().SerializeToString().rpartition(current)
    assert found
    before = before[-40:]
    return before + current, before + bytes([_TAG, number])


class OtherLocalService(LocalService):
    """The real one, behind a socket that changes its version."""

    def __init__(self, old: bytes, new: bytes) -> None:
        super().__init__()
        self._change = old, new

    @override
    def connect_socket(self, *, wait: bool = True) -> socket.socket:
        ours, near = socket.socketpair()
        join(near, super().connect_socket(wait=wait), *self._change)
        return ours


@pytest.fixture
def relayed(
    service: LocalService,
) -> Iterator[Callable[[int], LocalService]]:
    made: list[LocalService] = []

    def make(number: int) -> LocalService:
        made.append(OtherLocalService(*altered(service, number)))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.mark.parametrize("number", [0, pb.PROTOCOL_CURRENT + 1])
def test_another_version_is_refused_at_once(
    relayed: Callable[[int], LocalService], number: int
) -> None:
    with pytest.raises(ProtocolError) as caught:
        gym.make("mlcompiler/Inlining-v0", service=relayed(number))
    message = str(caught.value)
    assert f"version {number} of the protocol" in message
    assert f"version {pb.PROTOCOL_CURRENT}." in message
    assert "mlcompiler-service" in message
    assert "pip install mlcompiler_gym==" in message
    # It is one of the reasons why there is no service.
    assert isinstance(caught.value, ServiceUnavailableError)


def test_the_same_version_passes_the_same_relay(
    relayed: Callable[[int], LocalService], service: LocalService
) -> None:
    reply = relayed(pb.PROTOCOL_CURRENT).describe()
    assert reply == service.describe()


def test_a_task_is_not_described_by_another_version(
    relayed: Callable[[int], LocalService],
) -> None:
    with pytest.raises(ProtocolError):
        relayed(2).describe_task("inlining", {})


def test_a_server_of_another_version(service: LocalService, tmp_path: Path) -> None:
    old, new = altered(service, 2)
    with (
        ServerProcess(tmp_path) as server,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):

        def accept() -> None:
            near, _ = listener.accept()
            join(near, socket.create_connection(("127.0.0.1", server.port)), old, new)

        threading.Thread(target=accept, daemon=True).start()
        remote = GrpcService(f"grpc://127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(ProtocolError, match=r"server at grpc://127.0.0.1.*2 of"):
            gym.make("mlcompiler/Inlining-v0", service=remote)
        remote.close()
