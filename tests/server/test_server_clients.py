# SPDX-License-Identifier: Apache-2.0
"""Clients of one server know nothing of one another, and cannot crowd one out."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from support.samples import CALLS, fails, inlining, pack, wait_until
from support.servers import ServerProcess, cli

from mlcompiler_gym.client import frames
from mlcompiler_gym.client.remote import GrpcService
from mlcompiler_gym.errors import ServiceError, ServiceUnavailableError
from mlcompiler_gym.server import Config, Limits, Server
from mlcompiler_gym.server.auth import make_credentials
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

pytestmark = pytest.mark.timeout(120)

#: They share what a prefix might be, and one is the beginning of another.
TOKENS = ["client-alice", "client-alice-2", "client-bob"]


def write_tokens(folder: Path, tokens: list[str]) -> None:
    (folder / "token").write_text("".join(f"{token}\n" for token in tokens))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "credentials"
    make_credentials(folder, ["localhost", "127.0.0.1"])
    write_tokens(folder, TOKENS)
    return folder


@pytest.fixture
def guarded(folder: Path) -> Iterator[Server]:
    limits = Limits(sessions=4, streams=3)
    server = Server(Config(log_level="error", credentials=folder, limits=limits))
    yield server
    server.stop(grace=0)


@pytest.fixture
def clients(guarded: Server, folder: Path, tmp_path: Path) -> Iterator[list[Any]]:
    """One for each token."""
    services = []
    for number, token in enumerate(TOKENS):
        theirs = tmp_path / str(number)
        theirs.mkdir()
        (theirs / "ca.pem").write_bytes((folder / "ca.pem").read_bytes())
        write_tokens(theirs, [token])
        url = f"grpcs://localhost:{guarded.port}"
        services.append(GrpcService(url, credentials=theirs))
    yield services
    for service in services:
        service.close()


def status_with(server: Server, folder: Path, *headers: str) -> str:
    """How a call ends that carries these headers."""
    authority = grpc.ssl_channel_credentials((folder / "ca.pem").read_bytes())
    with grpc.secure_channel(f"localhost:{server.port}", authority) as channel:
        call = channel.stream_stream(frames.ONE_SESSION)(
            iter([pb.Request(describe=pb.Describe()).SerializeToString()]),
            metadata=[("authorization", header) for header in headers],
            timeout=30,
        )
        try:
            return "let in" if list(call) else "no reply"
        except grpc.RpcError:
            return str(call.code().name)


def test_nothing_but_a_whole_token_lets_in(guarded: Server, folder: Path) -> None:
    right = [f"Bearer {token}" for token in TOKENS]
    for header in right:
        assert status_with(guarded, folder, header) == "let in"
    wrong = {right[0][:length] for length in range(1, len(right[0]))}
    wrong |= {"", TOKENS[0], right[0] + "-", right[0].lower(), right[0].upper()}
    wrong |= {right[0].replace(" ", "  "), f"Basic {TOKENS[0]}", ", ".join(right)}
    for header in sorted(wrong):
        assert status_with(guarded, folder, header) == "UNAUTHENTICATED", header


def test_a_copy_goes_to_the_client_that_made_it(clients: list[GrpcService]) -> None:
    session = clients[0].open(inlining(), CALLS)
    token = session.call(pb.Request(fork=pb.Fork())).fork.token
    attach = pb.Request(attach=pb.Attach(token=token))
    for other in clients[1:]:
        with closing(other.connect()) as stream, fails("NOT_FOUND"):
            stream.call(attach)
    with closing(clients[0].connect()) as stream:
        stream.call(attach)
        assert stream.step(pack(0)).decisions == 1
    session.close()


def test_a_program_is_opened_by_whom_it_comes_from(clients: list[GrpcService]) -> None:
    first = clients[0].open(inlining(park=True), CALLS)
    open_ = inlining(program_sha256=CALLS.sha256, park=True)
    absent = inlining(program_sha256=bytes(32), park=True)
    for other in clients[1:]:
        with closing(other.connect()) as stream:
            messages = []
            for request in (open_, absent):
                with pytest.raises(ServiceError) as info:
                    stream.call(pb.Request(open=request))
                assert info.value.code == "NOT_FOUND"
                digest = request.program_sha256.hex()
                messages.append(info.value.message.replace(digest, ""))
            # Nothing tells a program of another's from one that is not there.
            assert messages[0] == messages[1]
        with closing(other.open(inlining(park=True), CALLS)) as session:
            assert session.opened.state.features == first.opened.state.features
    first.close()


def test_each_token_has_its_own_number_of_sessions(clients: list[GrpcService]) -> None:
    sessions = [client.open(inlining(), CALLS) for client in clients for _ in range(4)]
    for client in clients:
        with fails("RESOURCE_EXHAUSTED", "4 sessions at once"):
            client.open(inlining(), CALLS)
    for session in sessions:
        session.close()


def test_without_tokens_a_header_says_nothing() -> None:
    server = Server(Config(log_level="error", limits=Limits(sessions=2)))
    sent = pb.Request(describe=pb.Describe()).SerializeToString()
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        replies = []
        calls = []
        for number in range(4):
            call = channel.stream_stream(frames.ONE_SESSION)(
                _and_then_nothing(sent),
                metadata=[("authorization", f"Bearer {number}")],
            )
            calls.append(call)
            replies.append(pb.Reply.FromString(next(call)).WhichOneof("reply"))
        for call in calls:
            call.cancel()
    server.stop(grace=0)
    assert replies == ["describe", "describe", "error", "error"]


def _and_then_nothing(message: bytes) -> Iterator[bytes]:
    import threading

    yield message
    threading.Event().wait(20)


def test_one_client_leaves_streams_to_others_and_to_health(
    guarded: Server, clients: list[GrpcService]
) -> None:
    address = clients[0].address
    greedy = [GrpcService(address, stream_per_session=True) for _ in range(6)]
    held = []
    for service in greedy[:3]:
        held.append(service.connect())
        held[-1].call(pb.Request(describe=pb.Describe()))
    # Only now, for streams that are opened at once arrive in any order.
    for service in greedy[3:]:
        held.append(service.connect())
        with fails("RESOURCE_EXHAUSTED", "3 streams at once"):
            held[-1].call(pb.Request(describe=pb.Describe()))
    with closing(clients[2].open(inlining(), CALLS)) as session:
        assert session.step(pack(0)).decisions == 1
    authority = grpc.ssl_channel_credentials(address.certificate())
    with grpc.secure_channel(f"localhost:{guarded.port}", authority) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        assert stub.Check(health_pb2.HealthCheckRequest(), timeout=10).status == 1
    for stream in held:
        stream.close()
    relays = guarded.hub.relays
    wait_until(lambda: len(relays) == 1, "streams of the greedy client end")
    with closing(clients[0].connect()) as stream:
        stream.call(pb.Request(describe=pb.Describe()))
    for service in greedy:
        service.close()


# -- Secrets -----------------------------------------------------------------


def test_credentials_are_never_replaced(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    done = cli("serve-credentials", str(folder))
    assert done.returncode == 1
    assert "is there already" in done.stderr
    assert "--add-token" in done.stderr
    for name in ("ca.pem", "server.pem", "server.key"):
        (folder / name).rename(folder / f"{name}.kept")
    assert cli("serve-credentials", str(folder)).returncode == 1
    assert (folder / "token").read_bytes() == before["token"]
    assert not (folder / "server.key").exists()


def test_a_token_more(folder: Path) -> None:
    (folder / "token").write_text("first")  # as an editor may have left it
    assert cli("serve-credentials", str(folder), "--add-token").returncode == 0
    assert cli("serve-credentials", str(folder), "--add-token").returncode == 0
    tokens = (folder / "token").read_text().splitlines()
    assert tokens[0] == "first"
    assert len({*tokens}) == 3
    assert min(map(len, tokens[1:])) > 30


def test_a_token_more_of_none(tmp_path: Path) -> None:
    done = cli("serve-credentials", str(tmp_path), "--add-token")
    assert done.returncode == 1
    assert str(tmp_path / "token") in done.stderr
    assert not list(tmp_path.iterdir())


def test_secrets_are_the_users_whatever_the_umask_is(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        assert cli("serve-credentials", str(tmp_path / "new")).returncode == 0
    finally:
        os.umask(old)
    for path in (tmp_path / "new").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["server.key", "token"])
@pytest.mark.parametrize(
    ("mode", "fine"), [(0o600, True), (0o440, True), (0o604, False), (0o660, False)]
)
def test_secrets_that_others_can_read_are_refused(
    folder: Path, name: str, mode: int, fine: bool
) -> None:
    (folder / name).chmod(mode)
    config = Config(log_level="error", credentials=folder)
    if fine:
        Server(config).stop(grace=0)
        return
    with pytest.raises(ServiceUnavailableError, match=f"chmod 600 {folder / name}"):
        Server(config)


@pytest.mark.parametrize("name", ["server.pem", "server.key", "token"])
def test_a_file_of_credentials_that_is_missing_is_named(
    folder: Path, name: str
) -> None:
    (folder / name).unlink()
    with pytest.raises(ServiceUnavailableError, match=f"cannot read {folder / name}"):
        Server(Config(log_level="error", credentials=folder))


def test_every_line_of_the_log_is_json(folder: Path, tmp_path: Path) -> None:
    with ServerProcess(tmp_path, f"--credentials={folder}") as server:
        service = GrpcService(server.url)  # plain text to a port of TLS
        with pytest.raises(ServiceUnavailableError):
            service.describe()
        service.close()
        server.process.send_signal(signal.SIGTERM)
        server.wait_for_log("stopped")
        wait_until(lambda: server.process.poll() is not None, "it ends")
        [log] = tmp_path.glob("server-*.log")
        lines = log.read_text().splitlines()
    assert len(lines) >= 3
    assert [line for line in lines if not line.startswith("{")] == []
