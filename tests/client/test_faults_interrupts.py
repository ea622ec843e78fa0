# SPDX-License-Identifier: Apache-2.0
"""The client forks, or is interrupted by Ctrl-C."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from support.samples import CALLS, Sibling, fails, run_script

from mlcompiler_gym import LocalService
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.programs import Program

pytestmark = pytest.mark.timeout(60)


def in_child(body: Callable[[], object]) -> None:
    """Run in a fork of this process; whatever it raises fails the test."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            body()
            code = 0
        finally:
            # Not sys.exit: the child must not run the rest of the tests.
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def play(env: CompilerEnv, first: int) -> bytes:
    for index in range(first, 8):
        result = env.step(index % 2)
    assert result[2]
    return env.emit()


def test_a_forked_client(
    service: LocalService, make: Callable[..., CompilerEnv]
) -> None:
    sibling = Sibling(service)
    env = make(programs=CALLS)
    env.reset()
    expected = play(env, 0)
    env.reset()
    env.step(0)

    def child() -> None:
        # The episode belongs to the parent.
        *_, truncated, info = env.step(1)
        assert truncated
        assert info["error_code"] == "SESSION_LOST"
        assert "forked" in info["error"]
        with fails("SESSION_LOST", "forked"):
            sibling.session.step(b"\0" * 8)
        # A new one is the child's.
        env.reset()
        assert play(env, 0) == expected
        env.close()

    in_child(child)
    in_child(env.close)
    in_child(service.describe)
    assert play(env, 1) == expected
    sibling.check()


def test_children_at_the_same_time(make: Callable[..., CompilerEnv]) -> None:
    env = make(programs=CALLS)
    env.reset()
    expected = play(env, 0)
    children = []
    for _ in range(6):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                for _ in range(5):
                    env.reset()
                    assert play(env, 0) == expected
                code = 0
            finally:
                os._exit(code)
        children.append(pid)
    for pid in children:
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    env.reset()
    assert play(env, 0) == expected


def script(folder: Path, text: str) -> str:
    """What a script prints that must succeed."""
    done = run_script(folder, text)
    assert done.returncode == 0, done.stderr
    return done.stdout


PREAMBLE = """
import os, signal, sys, threading, time
import gymnasium, mlcompiler_gym
from support.samples import CALLS, wait_until
env = gymnasium.make("mlcompiler/Inlining-v0", programs=CALLS).unwrapped
service = mlcompiler_gym.LocalService.shared()
env.reset()
"""


def test_a_forked_child_that_exits_leaves_the_parents_service(tmp_path: Path) -> None:
    # With everything that the interpreter does at its end.
    output = script(
        tmp_path,
        PREAMBLE
        + """
service_pid = service.pid
if os.fork() == 0:
    env.reset()
    sys.exit()
assert os.wait()[1] == 0
for index in range(8):
    result = env.step(0)
assert result[2], result
env.reset()
assert service.pid == service_pid
print("done")
""",
    )
    assert output == "done\n"


# -- Ctrl-C ------------------------------------------------------------------

INTERRUPT = (
    PREAMBLE
    + """
def interrupt():
    time.sleep(0.3)
    os.killpg(0, signal.SIGINT)
pid = env.session.opened.pid
os.kill(pid, signal.SIGSTOP)  # so that the step is under way when it comes
threading.Thread(target=interrupt).start()
try:
    env.step(1)
except KeyboardInterrupt:
    print("interrupted")
os.kill(pid, signal.SIGCONT)
"""
)


def test_an_interrupt_leaves_the_service_alone(tmp_path: Path) -> None:
    output = script(
        tmp_path,
        INTERRUPT
        + """
service_pid = service.pid
env.reset()
assert service.pid == service_pid
for index in range(8):
    result = env.step(0)
assert result[2], result
print("done")
""",
    )
    assert output == "interrupted\ndone\n"


def test_an_interrupted_step_is_not_taken_for_another(tmp_path: Path) -> None:
    """Either the episode is over, or its trajectory is what was done."""
    output = script(
        tmp_path,
        INTERRUPT
        + """
try:
    for index in range(8):
        result = env.step(0)
        if result[2] or result[3]:
            break
except mlcompiler_gym.MLCompilerGymError:
    pass
else:
    if result[2]:
        again = mlcompiler_gym.replay(env.trajectory, CALLS)
        assert again.object_code == env.emit(), "not what the trajectory says"
env.reset()
print("done")
""",
    )
    assert output == "interrupted\ndone\n"


def test_interrupts_at_any_time(make: Callable[..., CompilerEnv]) -> None:
    """Wherever in a step or reset it comes, the next reset is sound."""
    env = make(programs=Program("calls", CALLS.bitcode))
    env.reset()
    expected = play(env, 0)
    old = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for delay in range(1, 40):
            try:
                signal.setitimer(signal.ITIMER_REAL, delay * 0.0005)
                while True:
                    env.reset()
                    play(env, 0)
            except KeyboardInterrupt:
                pass
            env.reset()
            assert play(env, 0) == expected
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
