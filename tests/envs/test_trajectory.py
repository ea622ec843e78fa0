# SPDX-License-Identifier: Apache-2.0
"""Episodes as data: saved, loaded, and replayed to the same bytes."""

import dataclasses
import json
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.strategies import answers, call_graphs, examples
from support.toolchain import KERNEL_NAMES, always, at_random, follow, play

from mlcompiler_gym import (
    LocalService,
    MLCompilerGymError,
    Program,
    Trajectory,
    replay,
)
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.envs.actions import Action
from mlcompiler_gym.errors import TrajectoryError

Make = Callable[..., CompilerEnv]


def check_replay(make: Make, programs: Program | str, actions: list[int]) -> None:
    env = make(programs=programs)
    play(env, follow(actions))
    replayed = replay(
        Trajectory.from_json(env.trajectory.to_json()),
        env.program,
        service=env.setup.service,
    )
    assert replayed.object_code == env.emit("object")
    assert replayed.values == env.measure()
    env.close()


@examples(40)
@given(program=call_graphs(), actions=answers)
def test_random_programs_replay(
    make: Make, program: Program, actions: list[int]
) -> None:
    check_replay(make, program, actions)


@examples(4)
@given(name=st.sampled_from(KERNEL_NAMES), actions=answers)
def test_kernels_replay(make: Make, name: str, actions: list[int]) -> None:
    check_replay(make, f"kernels/{name}", actions)


@pytest.mark.slow
@examples(60)
@given(name=st.sampled_from(KERNEL_NAMES), actions=answers)
def test_kernels_replay_often(make: Make, name: str, actions: list[int]) -> None:
    check_replay(make, f"kernels/{name}", actions)


@pytest.mark.parametrize(
    "options",
    [
        {"pipeline": "default<O2>", "inlining_default": True},
        {"target": "aarch64-linux-gnu", "cpu": "neoverse-n1"},
        {"objective": {"ir_instructions": 1.0, "text_size": 0.5}},
        {"size_increase_threshold": 1.25},
        {"deadline": None, "memory_limit": None},
    ],
    ids=str,
)
def test_round_trip_through_a_file(
    make: Make, tmp_path: Path, options: dict[str, Any]
) -> None:
    env = make(programs="kernels/lz", **options)
    play(env, at_random(0))
    path = tmp_path / "lz.json"
    env.trajectory.save(path)
    loaded = Trajectory.load(path)
    assert loaded == env.trajectory
    assert loaded.program == "kernels/lz"
    assert loaded.program_sha256 == env.program.sha256.hex()
    # Found by its name, on another service, as another user would.
    other = LocalService()
    try:
        replayed = replay(loaded, service=other)
    finally:
        other.close()
    assert replayed.object_code == env.emit("object")
    assert replayed.values == env.measure()
    assert list(tmp_path.iterdir()) == [path]


def test_recorded_actions_are_those_taken(make: Make) -> None:
    env = make(programs="kernels/lz")
    env.reset()
    assert list(env.trajectory.actions) == []
    for action in (1, 0, 0, 1):
        env.step(action)
    early = env.trajectory
    assert list(early.actions) == [1, 0, 0, 1]
    env.step(1)
    assert list(early.actions) == [1, 0, 0, 1]
    env.reset()
    assert list(env.trajectory.actions) == []


def test_a_program_without_decisions_replays(make: Make) -> None:
    env = make(programs=Program("none", b"define i32 @f() {\n  ret i32 4\n}\n"))
    env.reset()
    env.step(0)
    replayed = replay(env.trajectory, env.program, service=env.setup.service)
    assert replayed.object_code == env.emit("object")


@pytest.fixture
def recorded(make: Make) -> tuple[Trajectory, LocalService]:
    env = make(programs="kernels/lz")
    play(env, always(0))
    service = env.setup.service
    assert isinstance(service, LocalService)
    return env.trajectory, service


def test_another_program(make: Make, recorded: tuple[Trajectory, LocalService]) -> None:
    trajectory, service = recorded
    other = make(programs="kernels/json").setup.programs[0]
    with pytest.raises(TrajectoryError, match=trajectory.program_sha256) as caught:
        replay(trajectory, other, service=service)
    assert "kernels/json" in str(caught.value)
    changed = dataclasses.replace(trajectory, program_sha256="00" * 32)
    with pytest.raises(TrajectoryError, match="00" * 32):
        replay(changed, service=service)
    gone = dataclasses.replace(trajectory, program="kernels/nonsuch")
    with pytest.raises(TrajectoryError, match="kernels/nonsuch"):
        replay(gone, service=service)


@pytest.mark.parametrize(
    "change",
    [
        lambda actions: actions[:-1],
        lambda actions: (*actions, 0),
        lambda actions: (),
        lambda actions: (*actions, *actions),
        lambda actions: (2, *actions[1:]),
        lambda actions: (-1, *actions[1:]),
        lambda actions: (10**30, *actions[1:]),
    ],
    ids=["one less", "one more", "none", "twice", "2", "-1", "huge"],
)
def test_actions_that_do_not_replay(
    recorded: tuple[Trajectory, LocalService],
    change: Callable[[tuple[Action, ...]], tuple[Action, ...]],
) -> None:
    trajectory, service = recorded
    changed = dataclasses.replace(trajectory, actions=change(trajectory.actions))
    with pytest.raises(TrajectoryError):
        replay(changed, service=service)


@pytest.fixture
def saved(recorded: tuple[Trajectory, LocalService], tmp_path: Path) -> Path:
    path = tmp_path / "trajectory.json"
    recorded[0].save(path)
    return path


def test_truncated_files(saved: Path) -> None:
    text = saved.read_bytes()
    for size in (0, 1, 10, len(text) // 2, len(text) - 3):
        saved.write_bytes(text[:size])
        with pytest.raises(TrajectoryError):
            Trajectory.load(saved)


@pytest.mark.parametrize(
    "content",
    [
        b"null",
        b"[]",
        b"17",
        b'"text"',
        b"{}",
        b'{"format": "mlcompiler_gym trajectory 1"}',
        b'{"format": "something else"}',
        b"\xff\xfe binary \x00",
        b"[" * 100_000,
    ],
    ids=lambda content: repr(content[:20]),
)
def test_files_of_other_kinds(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(TrajectoryError):
        Trajectory.load(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("actions", 1),
        ("actions", "0101"),
        ("actions", [True]),
        ("actions", ["x"]),
        ("actions", None),
        ("config", None),
        ("config", {}),
        ("format", "mlcompiler_gym trajectory 2"),
        ("surplus", 1),
    ],
)
def test_fields_of_the_wrong_kind(saved: Path, field: str, value: Any) -> None:
    fields = json.loads(saved.read_text())
    fields[field] = value
    with pytest.raises(TrajectoryError):
        Trajectory.from_json(json.dumps(fields))


@pytest.mark.parametrize(
    "field", ["format", "program", "program_sha256", "config", "actions"]
)
def test_missing_fields(saved: Path, field: str) -> None:
    fields = json.loads(saved.read_text())
    del fields[field]
    with pytest.raises(TrajectoryError, match=field):
        Trajectory.from_json(json.dumps(fields))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TrajectoryError, match="nonsuch"):
        Trajectory.load(tmp_path / "nonsuch")


@pytest.mark.parametrize("exists", [False, True])
def test_a_full_disk_leaves_what_was_there(
    recorded: tuple[Trajectory, LocalService], tmp_path: Path, exists: bool
) -> None:
    path = tmp_path / "trajectory.json"
    if exists:
        path.write_text("the old one")
    before = {p.name: p.read_text() for p in tmp_path.iterdir()}
    # A limit on the size of files fails a write in its middle, as a full disk does.
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))
    try:
        with pytest.raises(MLCompilerGymError, match=r"trajectory\.json"):
            recorded[0].save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == before


def test_a_folder_that_is_not_there(
    recorded: tuple[Trajectory, LocalService], tmp_path: Path
) -> None:
    with pytest.raises(MLCompilerGymError, match="nonsuch"):
        recorded[0].save(tmp_path / "nonsuch" / "trajectory.json")
