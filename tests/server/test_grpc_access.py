# SPDX-License-Identifier: Apache-2.0
"""Who may use a server, and how much of it."""

import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import gymnasium
import pytest
from support.samples import (
    CALLS,
    ENDLESS,
    NO_CALLS,
    SLOW,
    fails,
    inlining,
    ir_program,
    pack,
    wait_until,
)
from support.samples import run as compile_in
from support.servers import ServerProcess, cli

from mlcompiler_gym import PortablePolicy
from mlcompiler_gym.client import Service
from mlcompiler_gym.client.address import Address
from mlcompiler_gym.client.remote import GrpcService
from mlcompiler_gym.envs import CompilerVectorEnv
from mlcompiler_gym.errors import ServiceUnavailableError
from mlcompiler_gym.server import Config, Limits, Server
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

pytestmark = pytest.mark.timeout(120)

MakeServer = Callable[..., Server]


@pytest.fixture
def make_server() -> Iterator[MakeServer]:
    made: list[Server] = []

    def make(**settings: object) -> Server:
        made.append(Server(Config(log_level="error", **settings)))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for server in made:
        server.stop(grace=0)


@pytest.fixture
def limited(make_server: MakeServer) -> Callable[..., GrpcService]:
    """``limited(sessions=…)``: a client of a server with these limits."""

    def make(**limits: object) -> GrpcService:
        server = make_server(limits=Limits(**limits))  # type: ignore[arg-type]
        return GrpcService(f"grpc://127.0.0.1:{server.port}")

    return make


# -- TLS and tokens ----------------------------------------------------------


def test_other_machines_need_credentials_or_insecure() -> None:
    done = cli("serve", "--host", "0.0.0.0", "--port", "0")
    assert done.returncode == 1
    assert "--insecure" in done.stderr
    assert "serve-credentials" in done.stderr


def test_insecure_is_said_aloud(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, "--host=0.0.0.0", "--insecure") as server:
        assert server.serving["tls"] is False
        warnings = [e["event"] for e in server.events() if e["level"] == "warning"]
        assert any("insecure" in warning for warning in warnings)


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    folder = tmp_path / "credentials"
    done = cli("serve-credentials", str(folder))
    assert done.returncode == 0, done.stderr
    assert "MLCOMPILER_GYM_CREDENTIALS" in done.stdout
    return folder


def test_one_command_makes_what_both_sides_need(
    credentials: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in credentials.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    # A client has these two, and no key.
    theirs = tmp_path / "client"
    theirs.mkdir()
    for name in ("ca.pem", "token"):
        (theirs / name).write_bytes((credentials / name).read_bytes())
    with ServerProcess(tmp_path, f"--credentials={credentials}") as server:
        url = f"grpcs://localhost:{server.port}"
        service = GrpcService(url, credentials=theirs)
        assert compile_in(service).object_code
        service.close()
        monkeypatch.setenv("MLCOMPILER_GYM_CREDENTIALS", str(theirs))
        service = GrpcService(url)
        assert service.describe().tasks
        service.close()


def test_without_the_token_nobody_is_let_in(
    credentials: Path, tmp_path: Path, make_server: MakeServer
) -> None:
    server = make_server(credentials=credentials)
    url = f"grpcs://localhost:{server.port}"
    only_ca = tmp_path / "only-ca"
    only_ca.mkdir()
    (only_ca / "ca.pem").write_bytes((credentials / "ca.pem").read_bytes())
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    (wrong / "ca.pem").write_bytes((credentials / "ca.pem").read_bytes())
    (wrong / "token").write_text("guessed")
    for folder in (only_ca, wrong):
        for single in (False, True):
            service = GrpcService(url, credentials=folder, stream_per_session=single)
            with pytest.raises(ServiceUnavailableError, match="does not let us in"):
                service.describe()
            service.close()


def test_a_client_that_does_not_know_the_authority_does_not_speak(
    credentials: Path, tmp_path: Path, make_server: MakeServer
) -> None:
    server = make_server(credentials=credentials)
    only_token = tmp_path / "only-token"
    only_token.mkdir()
    (only_token / "token").write_bytes((credentials / "token").read_bytes())
    secure = f"grpcs://localhost:{server.port}"
    for service, hint in (
        (GrpcService(secure, credentials=only_token), str(only_token / "ca.pem")),
        (GrpcService(f"grpc://localhost:{server.port}"), f"it is {secure}"),
    ):
        with pytest.raises(ServiceUnavailableError, match="cannot be reached") as info:
            service.describe()
        assert hint in str(info.value)
        service.close()


@pytest.mark.parametrize("name", ["server.pem", "server.key"])
@pytest.mark.parametrize("content", [b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_broken_credentials_are_named(
    credentials: Path, name: str, content: bytes
) -> None:
    assert (credentials / name).exists()
    (credentials / name).write_bytes(content)
    done = cli("serve", "--port=0", f"--credentials={credentials}")
    assert done.returncode == 1
    assert str(credentials / name) in done.stderr
    assert "serve-credentials" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_token_is_not_sent_in_the_clear(credentials: Path) -> None:
    with pytest.raises(ValueError, match="grpcs://"):
        GrpcService("grpc://127.0.0.1:1", credentials=credentials)


@pytest.mark.parametrize(
    "url",
    ["", "grpc://", "grpc://host", "http://h:1", "h:1", "grpc://h:x", "grpc://h:1/p"],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ValueError, match="is not an address"):
        Address.parse(url)


def test_nobody_there() -> None:
    service = GrpcService("grpc://127.0.0.1:1")
    with pytest.raises(ServiceUnavailableError, match="mlcompiler-gym serve") as info:
        service.describe()
    assert "grpcs" not in str(info.value)
    with pytest.raises(ServiceUnavailableError, match="mlcompiler-gym serve"):
        service.open(inlining(), CALLS)
    service.close()


# -- Limits ------------------------------------------------------------------


def test_too_many_sessions(limited: Callable[..., GrpcService]) -> None:
    service = limited(sessions=2)
    first, second = (service.open(inlining(), CALLS) for _ in range(2))
    with fails("RESOURCE_EXHAUSTED", "2 sessions at once", ended=True):
        service.open(inlining(), CALLS)
    with fails("RESOURCE_EXHAUSTED", "2 sessions at once", ended=False):
        first.fork()
    # Those that there are go on, and make room when they end.
    assert second.step(pack(0)).decisions == 1
    second.close()
    copy = first.fork()
    assert copy.step(pack(0, 0)).decisions == 2
    for session in (first, copy):
        session.close()
    service.open(inlining(), CALLS).close()
    service.close()


def test_copies_that_play_episodes_count(make_server: MakeServer) -> None:
    server = make_server(limits=Limits(sessions=2))
    service = GrpcService(f"grpc://127.0.0.1:{server.port}")
    policy = PortablePolicy.named("random").to_bytes()
    play = pb.Request(play=pb.Play(policy=policy, seed=1, episodes=5, parallel=9))
    first, second = (service.open(inlining(), CALLS) for _ in range(2))
    with fails("RESOURCE_EXHAUSTED", "2 sessions at once", ended=False):
        first.call(play)
    second.close()
    assert len(first.call(play).play.episodes) == 5
    service.open(inlining(), CALLS).close()
    first.close()
    # As many environments as there may be sessions leave room for no copy.
    made = []
    for number in (1, 2):
        envs = gymnasium.make_vec(
            "mlcompiler/Inlining-v0", number, programs="kernels/hashes", service=service
        )
        assert isinstance(envs, CompilerVectorEnv)
        made.append(envs.rollouts("random", n=20, seed=2))
        envs.close()
    for one, other in zip(*made, strict=True):
        assert one.terminated
        assert one.actions.tolist() == other.actions.tolist()
    service.close()


def test_copies_that_try_actions_count(make_server: MakeServer) -> None:
    server = make_server(limits=Limits(sessions=2))
    service = GrpcService(f"grpc://127.0.0.1:{server.port}")
    policy = PortablePolicy.named("inactive").to_bytes()
    explore = pb.Request(explore=pb.Explore(policy=pb.Play(policy=policy), parallel=9))
    first, second = (service.open(inlining(), CALLS) for _ in range(2))
    with fails("RESOURCE_EXHAUSTED", "2 sessions at once", ended=False):
        first.call(explore)
    second.close()
    [explored] = first.call(explore).explore.decisions
    assert not any(each.HasField("error") for each in explored.alternatives)
    # None of them is counted any more, also where the client goes in between.
    second = service.open(inlining(), CALLS)
    second.close()
    first.send(explore.SerializeToString())
    first.close()
    wait_until(lambda: server.hub.accounts.sessions() == 0, "the copies to end")
    service.close()


def test_a_program_that_is_too_large(limited: Callable[..., GrpcService]) -> None:
    service = limited(upload_bytes=100_000)
    large = ir_program(NO_CALLS + "; padding\n" * 10_000)
    for program in (large, ir_program(NO_CALLS + "; padding\n" * 10_100)):
        with fails("RESOURCE_EXHAUSTED", "100000"):
            service.open(inlining(), program)
    # Far beyond what a message of gRPC's may have, other sessions go on.
    other = service.open(inlining(), CALLS)
    with fails("RESOURCE_EXHAUSTED", "100000"):
        service.open(inlining(), ir_program(NO_CALLS + "; padding\n" * (1 << 20)))
    assert other.step(pack(0)).decisions == 1
    other.close()
    service.close()


def test_a_program_that_is_too_large_for_a_stream(make_server: MakeServer) -> None:
    server = make_server(limits=Limits(upload_bytes=100_000))
    service = GrpcService(f"grpc://127.0.0.1:{server.port}", stream_per_session=True)
    for size in (10_000, 1 << 20):
        with fails("RESOURCE_EXHAUSTED"):
            service.open(inlining(), ir_program(NO_CALLS + "; padding\n" * size))
    service.close()


@pytest.mark.parametrize("request_", [True, False])
def test_more_time_than_a_client_may_have(
    limited: Callable[..., GrpcService], request_: bool
) -> None:
    service = limited(seconds=2.0)
    if request_:
        request = pb.Request(deadline_ms=2001, describe=pb.Describe())
        with (
            closing(service.connect()) as stream,
            fails("RESOURCE_EXHAUSTED", "2001", "2000 ms", ended=False),
        ):
            stream.call(request)
    else:
        with fails("RESOURCE_EXHAUSTED", "3000", "2000 ms"):
            service.open(inlining(limits=pb.Limits(deadline_ms=3000)), CALLS)
    service.close()


def test_no_deadline_is_the_servers(limited: Callable[..., GrpcService]) -> None:
    service = limited(seconds=1.5)
    session = service.open(inlining(pipeline=ENDLESS), SLOW)
    with fails("DEADLINE_EXCEEDED", "1500 ms", ended=True):
        session.step(pack(*[0] * 8))
    service.close()


def test_more_memory_than_a_client_may_have(
    limited: Callable[..., GrpcService],
) -> None:
    service = limited(memory_bytes=20 << 20)
    with fails("RESOURCE_EXHAUSTED", "memory limit", str(20 << 20)):
        service.open(inlining(limits=pb.Limits(memory_bytes=1 << 30)), CALLS)

    def compile_without_limit() -> None:
        session = service.open(inlining(), SLOW)
        session.step(pack(*[0] * 8))

    with fails("OUT_OF_MEMORY", ended=True):
        compile_without_limit()
    service.close()


# -- Copies ------------------------------------------------------------------


def test_a_token_is_good_once_and_cannot_be_guessed(grpc_service: Service) -> None:
    session = grpc_service.open(inlining(), CALLS)
    token = session.call(pb.Request(fork=pb.Fork())).fork.token
    assert len(token) == 32
    attach = pb.Request(attach=pb.Attach(token=token))
    with closing(grpc_service.connect()) as guess:
        wrong = bytes(b ^ 1 for b in token)
        for each in (wrong, b"", token[:31]):
            with fails("NOT_FOUND", ended=False):
                guess.call(pb.Request(attach=pb.Attach(token=each)))
        # It is a stream like any other still.
        assert guess.call(pb.Request(describe=pb.Describe())).describe.tasks
        with fails("FAILED_PRECONDITION", "first request", ended=False):
            guess.call(attach)
    with closing(grpc_service.connect()) as copy:
        assert copy.call(attach).HasField("attach")
        assert copy.step(pack(0)).decisions == 1
        with closing(grpc_service.connect()) as again, fails("NOT_FOUND"):
            again.call(attach)
        assert copy.step(pack(0)).decisions == 2
    session.close()


def test_copies_that_nobody_wants_end(server: Server, grpc_service: Service) -> None:
    session = grpc_service.open(inlining(), CALLS)
    token = session.call(pb.Request(fork=pb.Fork())).fork.token
    assert server.hub.accounts.sessions() == 2
    server.hub.copies.expire(now=float("inf"))
    wait_until(lambda: server.hub.accounts.sessions() == 1, "the copy has ended")
    with closing(grpc_service.connect()) as late, fails("NOT_FOUND"):
        late.call(pb.Request(attach=pb.Attach(token=token)))
    session.close()
