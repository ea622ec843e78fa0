# SPDX-License-Identifier: Apache-2.0
"""`mlcompiler-gym serve` as a process: health, metrics, logs, and its end."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import grpc
import gymnasium
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from support.regalloc import opening, two
from support.samples import CALLS, SLOW, fails, finish, inlining, pack, run, wait_until
from support.servers import ServerProcess, cli

from mlcompiler_gym.client import frames
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

pytestmark = pytest.mark.timeout(120)

SERVING = health_pb2.HealthCheckResponse.SERVING


@pytest.fixture
def served(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path, "--health-port=0") as server:
        yield server


def health_of(port: int, name: str = "") -> int:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest(service=name)
        return int(stub.Check(request, timeout=10).status)


def test_it_is_healthy_and_says_what_it_serves(served: ServerProcess) -> None:
    names = ["", "mlcompiler_gym.v1.CompilerService", "mlcompiler_gym.v1.Relay"]
    for name in names:
        assert health_of(served.port, name) == SERVING
        assert health_of(served.serving["health_port"], name) == SERVING
    with grpc.insecure_channel(f"127.0.0.1:{served.port}") as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        (answer,) = stub.ServerReflectionInfo(iter([request]), timeout=10)
        listed = {s.name for s in answer.list_services_response.service}
        assert set(names[1:]) <= listed
        request = reflection_pb2.ServerReflectionRequest(
            file_containing_symbol=names[1]
        )
        (answer,) = stub.ServerReflectionInfo(iter([request]), timeout=10)
        assert answer.file_descriptor_response.file_descriptor_proto


def wait_for_parked(served: ServerProcess, count: int) -> None:
    """A session may take a moment to end."""
    wait_until(
        lambda: served.metrics()["mlcompiler_gym_parked_sessions"] == count,
        f"{count} are parked",
    )


def test_metrics_count_parked_modules_and_functions(served: ServerProcess) -> None:
    service = served.service()
    parked = "mlcompiler_gym_parked_sessions"
    program = two()
    for count, name in [(2, "first"), (3, "second"), (3, "first")]:
        request = opening("regalloc_eviction", function=name, park=True)
        session = service.open(request, program)
        assert served.metrics()[parked] == count
        session.close()
        wait_for_parked(served, count)


def test_metrics_count_what_happens(served: ServerProcess) -> None:
    service = served.service()
    name = "mlcompiler_gym_"
    assert served.metrics()[f"{name}sessions"] == 0
    session = service.open(inlining(park=True), CALLS)
    copied = session.call(pb.Request(fork=pb.Fork())).fork
    copy = service.connect()
    copy.call(pb.Request(attach=pb.Attach(token=copied.token)))
    metrics = served.metrics()
    assert metrics[f"{name}sessions"] == 2
    assert metrics[f"{name}parked_sessions"] == 1
    assert metrics[f"{name}streams"] == 1
    assert metrics[f"{name}program_bytes"] == len(CALLS.bitcode)
    finish(session, session.opened.state, lambda _: 0)
    with fails("CRASHED"):
        service.open(inlining(pipeline="trigger-crash-module"), CALLS)
    killed = f'{name}session_crashes_total{{cause="KILLED"}}'
    assert killed not in served.metrics()
    psutil.Process(copied.pid).kill()
    # Nobody has asked it anything; it is counted all the same.
    wait_until(lambda: served.metrics().get(killed) == 1, "the kill is counted")
    copy.close()
    session.close()
    wait_until(lambda: served.metrics()[f"{name}sessions"] == 0, "sessions left")
    metrics = served.metrics()
    assert metrics[f"{name}steps_total"] == 8
    assert metrics[f"{name}step_seconds_count"] == 8
    assert metrics[f'{name}session_crashes_total{{cause="SIGABRT"}}'] == 1
    assert metrics[f'{name}sessions_opened_total{{source="program"}}'] == 1
    service.close()


def test_a_killed_session_is_counted_and_logged(served: ServerProcess) -> None:
    service = served.service()
    session = service.open(inlining(), CALLS)
    session.send(pb.Request(step=pb.Step(actions=pack(0))).SerializeToString())
    session.receive()
    psutil.Process(session.opened.pid).suspend()
    session.send(pb.Request(step=pb.Step(actions=pack(0))).SerializeToString())
    wait_until(lambda: served.metrics()["mlcompiler_gym_steps_total"] == 1, "a step")
    time.sleep(0.1)
    psutil.Process(session.opened.pid).kill()
    with fails("SESSION_LOST", "killed from outside", ended=True):
        session.receive()
    event = served.wait_for_log("session lost")
    assert event["pid"] == session.opened.pid
    crashes = served.metrics()['mlcompiler_gym_session_crashes_total{cause="KILLED"}']
    assert crashes == 1
    service.close()


def test_sigterm_lets_sessions_come_to_their_end(served: ServerProcess) -> None:
    expected = run(served.service())
    service = served.service()
    session = service.open(inlining(), CALLS)
    other = served.service()
    with closing(other.connect()) as idle:
        nursery = served.nursery()
        served.terminate()
        served.wait_for_log("draining")
        assert health_of(served.port) == health_pb2.HealthCheckResponse.NOT_SERVING
        # Where others go on, a new one is refused, and says why.
        with fails("RESOURCE_EXHAUSTED", "shut down"):
            service.open(inlining(), CALLS)
        # What is under way may even be copied.
        copy = session.fork()
        for each in (session, copy):
            done = finish(each, each.opened.state, lambda index: index % 2)
            assert done.object_code == expected.object_code
            each.close()
        assert served.process.wait(timeout=20) == 0
        assert served.wait_for_log("stopped")["sessions_cut_off"] == 0
        idle.close()
    wait_until(lambda: not nursery.is_running(), "the compiler service has ended")


def test_sigterm_lets_an_episode_come_to_its_reward(served: ServerProcess) -> None:
    name = "mlcompiler/Inlining-v0"
    with closing(gymnasium.make(name, programs=CALLS, service=served.service())) as env:
        env.reset()
        served.terminate()
        served.wait_for_log("draining")
        terminated = truncated = False
        while not (terminated or truncated):
            # What it is rewarded against has not been compiled before.
            _, reward, terminated, truncated, info = env.step(0)
        assert (terminated, truncated) == (True, False), info
        assert reward != 0
        with fails("RESOURCE_EXHAUSTED", "shut down"):
            env.reset()
    assert served.process.wait(timeout=20) == 0


def test_a_second_sigterm_ends_sessions_at_once(served: ServerProcess) -> None:
    service = served.service(reconnect=0.5)
    session = service.open(inlining(), CALLS)
    process = psutil.Process(session.opened.pid)
    served.terminate()
    served.wait_for_log("draining")
    assert process.is_running()
    served.terminate()
    assert served.process.wait(timeout=20) == 0
    assert served.wait_for_log("stopped")["sessions_cut_off"] == 1
    wait_until(lambda: not process.is_running(), "the session has ended")
    with fails("SESSION_LOST", "mlcompiler-gym serve", ended=True):
        session.step(pack(0))


def test_no_process_outlives_a_server_that_is_killed(served: ServerProcess) -> None:
    service = served.service(reconnect=0.0)
    sessions = [service.open(inlining(park=True), p) for p in (CALLS, SLOW)]
    pids = [served.nursery().pid, *(s.opened.pid for s in sessions)]
    processes = [psutil.Process(pid) for pid in pids]
    served.kill()
    wait_until(
        lambda: not any(process.is_running() for process in processes), "all end"
    )
    for session in sessions:
        session.close()


def test_programs_outlive_the_server(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as first:
        run(first.service())
    with ServerProcess(tmp_path) as second:
        # Nobody uploads it: the server gives it to its compiler service.
        with closing(second.service().connect()) as stream:
            request = pb.Request(open=inlining(program_sha256=CALLS.sha256))
            assert stream.call(request).open.state.HasField("features")
        name = "mlcompiler_gym_upload_bytes_total"
        assert second.metrics()[name] == 0


def test_a_port_that_is_taken(served: ServerProcess) -> None:
    done = cli("serve", f"--port={served.port}")
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{served.port}" in done.stderr


def test_the_help_names_everything() -> None:
    done = cli("serve", "--help")
    assert done.returncode == 0, done.stderr
    for option in ("--credentials", "--insecure", "--max-sessions", "--grace"):
        assert option in done.stdout


def test_no_descriptors_are_left_by_streams(served: ServerProcess) -> None:
    process = psutil.Process(served.process.pid)
    service = served.service()
    run(service)
    before = process.num_fds()
    for _ in range(5):
        service = served.service(stream_per_session=True)
        sessions = [service.open(inlining(), CALLS) for _ in range(4)]
        twins = [session.fork() for session in sessions]
        for session in [*sessions, *twins]:
            session.close()
        service.close()
    wait_until(lambda: process.num_fds() <= before + 1, "descriptors are closed")
    assert process.status() != psutil.STATUS_ZOMBIE
    with pytest.raises(subprocess.TimeoutExpired):
        served.process.wait(timeout=0.1)


@pytest.mark.parametrize(
    ("single", "method"), [(True, frames.ONE_SESSION), (False, frames.MANY_SESSIONS)]
)
def test_the_log_says_who_began_which_stream(
    tmp_path: Path, single: bool, method: str
) -> None:
    with ServerProcess(tmp_path, "--log-level=debug") as server:
        service = server.service(stream_per_session=single)
        service.describe()
        service.close()
        event = server.wait_for_log("stream")
    assert event["level"] == "debug"
    assert event["client"] == "ipv4:127.0.0.1"
    assert event["method"] == method
