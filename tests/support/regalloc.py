# SPDX-License-Identifier: Apache-2.0
"""Register allocation: environments, policies and small functions under pressure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from mlcompiler_gym import LocalService, Program, Trajectory, replay
from mlcompiler_gym.client import Session
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.testing.samples import pressure as pressure
from mlcompiler_gym.v1 import compiler_service_pb2 as pb
from support.toolchain import heuristic_object, play, run

EVICTION = "mlcompiler/RegAllocEviction-v0"
PRIORITY = "mlcompiler/RegAllocPriority-v0"
IDS = [EVICTION, PRIORITY]
X86 = "x86_64-linux-gnu"
AARCH64 = "aarch64-linux-gnu"
TARGETS = [X86, AARCH64]

#: Evict nothing.
NOTHING = 32
#: Bytes of the mask, which comes first.
MASK_BYTES = 33 * 8

MakeEnv = Callable[..., CompilerEnv]
Choose = Callable[[Any], Any]

_TRIPLE = 'target triple = "{}"\n'


@contextmanager
def environments(service: LocalService) -> Iterator[MakeEnv]:
    """``make(EVICTION, programs=…)``: an environment, closed at the end."""
    made: list[CompilerEnv] = []

    def make(env_id: str, **settings: Any) -> CompilerEnv:
        settings.setdefault("service", service)
        env = gymnasium.make(env_id, **settings).unwrapped
        assert isinstance(env, CompilerEnv)
        made.append(env)
        return env

    yield make
    for env in made:
        env.close()


def heuristic_feature(env_id: str) -> dict[str, bool]:
    """The setting that adds what LLVM's heuristic would do, as last feature."""
    name = "eviction_default" if env_id == EVICTION else "priority_default"
    return {name: True}


def repeat_heuristic(observation: Any) -> Any:
    """As :func:`heuristic_feature` shows it."""
    value = observation[-1]
    return int(value) if len(observation) > 100 else float(value)


def legal_at_random(env: CompilerEnv, seed: int) -> Choose:
    """A legal action, all of them with the same probability."""
    rng = np.random.default_rng(seed)

    def choose(_: Any) -> Any:
        if isinstance(env.action_space, gymnasium.spaces.Discrete):
            return int(rng.choice(np.flatnonzero(env.action_masks())))
        # Priorities have all magnitudes, so that some are equal.
        return float(np.float32(rng.integers(2**32 - 256) >> int(rng.integers(32))))

    return choose


def seldom_evict(mask: Any, rng: np.random.Generator) -> int:
    """A legal action; to evict often begins long chains."""
    columns = np.flatnonzero(mask)
    return int(columns[-1] if rng.random() < 0.8 else rng.choice(columns))


def legal_from(env: CompilerEnv, numbers: list[int]) -> Choose:
    """Legal actions that the numbers pick in turn, over and over."""
    step = -1

    def choose(_: Any) -> Any:
        nonlocal step
        step += 1
        number = numbers[step % len(numbers)]
        if isinstance(env.action_space, gymnasium.spaces.Discrete):
            legal = np.flatnonzero(env.action_masks())
            return int(legal[number % len(legal)])
        return float(np.float32(number % 4294967040))

    return choose


def walk(
    env: CompilerEnv, choose: Choose, look: Callable[[Any, Any], None], most: int = 200
) -> int:
    """Call ``look(observation, decision)`` at so many decisions of an episode."""
    observation, info = env.reset()
    assert "no_decision" not in info
    for number in range(most):
        look(observation, json.loads(env.observe("decision")["decision"]))
        observation, _, terminated, truncated, _ = env.step(choose(observation))
        assert not truncated
        if terminated:
            return number + 1
    return most


def check_repeating_the_heuristic(
    make_env: MakeEnv,
    env_id: str,
    programs: str | Program,
    target: str,
    **settings: Any,
) -> int:
    """Repeating the heuristic is the heuristic, to the last byte.

    Returns:
        How many decisions that were.
    """
    env = make_env(
        env_id,
        programs=programs,
        target=target,
        **heuristic_feature(env_id),
        **settings,
    )
    rewards, terminated, _, info = play(env, repeat_heuristic)
    assert terminated
    # Not `==`: a failure would print two object files.
    expected = heuristic_object(
        env.program.bitcode,
        settings.get("pipeline", "default<O2>"),
        settings.get("cpu", ""),
    )
    same = env.emit("object") == expected
    assert same, f"the object of {env.program.name} differs"
    assert not any(rewards), info
    count = len(env.trajectory.actions)
    assert count in (0, len(rewards))
    if count:
        assert info["objective"] == info["baseline"]
    return count


def check_replay(env: CompilerEnv, directory: Path) -> None:
    """The episode that has ended, once more, and its assembly assembled."""
    loaded = Trajectory.from_json(env.trajectory.to_json())
    assert loaded == env.trajectory
    replayed = replay(loaded, env.program, service=env.setup.service)
    same = replayed.object_code == env.emit("object")
    assert same, f"{env.program.name} replays to another object"
    assert replayed.values == env.measure()
    of_object = instructions(env.emit("object"), directory)
    assert len(of_object) > 20
    assert instructions(assemble(env), directory) == of_object


def assemble(env: CompilerEnv) -> bytes:
    """Object file of the episode's assembly."""
    triple = env.setup.config.target or X86
    return run(
        *("llvm-mc-22", f"-triple={triple}", "-filetype=obj", "-o", "-"),
        data=env.emit("assembly"),
    )


def check_ends_as_replayed(env: CompilerEnv) -> None:
    replayed = replay(env.trajectory, env.program, service=env.setup.service)
    same = replayed.object_code == env.emit("object")
    assert same
    assert replayed.values == env.measure()


def instructions(object_code: bytes, directory: Path) -> list[str]:
    """All of them, but what fills up to a function's alignment.

    The assembler chooses other lengths for that.
    """
    path = directory / "code.o"
    path.write_bytes(object_code)
    lines = run("llvm-objdump-22", "-dr", "--no-leading-addr", path).decode()
    return [line for line in lines.splitlines() if "nop" not in line]


def code_of(assembly: str, function: str) -> str:
    """The function's lines, without what is numbered through the module."""
    found = re.search(
        rf'^"?{re.escape(function)}"?:.*?(?=^\.Lfunc_end\d+:)', assembly, re.M | re.S
    )
    assert found is not None, f"no code of {function}"
    numbers: dict[str, str] = {}

    def rename(label: re.Match[str]) -> str:
        return numbers.setdefault(label[0], f".L{label[1]}#{len(numbers)}")

    return re.sub(r"\.L([A-Za-z]+)\d+(?=_|\b)", rename, found[0])


def legal_actions(features: bytes) -> list[int]:
    """The columns that the mask of an eviction allows."""
    return np.flatnonzero(np.frombuffer(features[:MASK_BYTES], "<i8")).tolist()


def by_features(task: str) -> Callable[[bytes], bytes]:
    """A policy that answers by a hash of the features: the same to the same ones."""

    def answer(features: bytes) -> bytes:
        number = int.from_bytes(hashlib.sha256(features).digest()[:4], "little")
        if task == "regalloc_priority":
            return np.array([number >> 8], "<f4").tobytes()
        legal = legal_actions(features)
        return np.array([legal[number % len(legal)]], "<i8").tobytes()

    return answer


@dataclass(frozen=True)
class Decision:
    """One decision of a compile, and what it was answered."""

    function: str
    features: bytes
    action: bytes


def answer_all(session: Session, answer: Callable[[bytes], bytes]) -> list[Decision]:
    """Go on to the end of a session that has been opened."""
    taken = []
    state = session.opened.state
    while state.HasField("features"):
        decision = Decision(state.function, state.features, answer(state.features))
        taken.append(decision)
        state = session.step(decision.action)
    assert state.HasField("outcome")
    return taken


def opening(task: str, **fields: object) -> pb.Open:
    """An ``Open`` of a task that measures ``regalloc_score``."""
    request = pb.Open(task=task, objectives=["regalloc_score"])
    request.MergeFrom(pb.Open(**fields))  # type: ignore[arg-type]
    return request


def ir(text: str, name: str = "sample", target: str = X86) -> Program:
    """A program of textual IR."""
    return Program(name, (_TRIPLE.format(target) + text).encode())


def two(target: str = X86) -> Program:
    """Decisions in two of its functions, and none in the third."""
    more = 0 if target == X86 else 14
    return ir(
        pressure("first", 26 + more)
        + "define i32 @quiet(i32 %x) {\n  ret i32 %x\n}\n"
        + pressure("second", 30 + more),
        "two",
        target,
    )


TWO = two()

#: Raises no decision: nothing is left to allocate.
EMPTY = ir("define void @nothing() {\n  ret void\n}\n", "empty")
