# SPDX-License-Identifier: Apache-2.0
"""The priority environment as an agent sees it, and what comes out of it."""

import json
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env
from hypothesis import given
from hypothesis import strategies as st
from stable_baselines3.common.env_checker import check_env as sb3_check_env
from support.regalloc import (
    EMPTY,
    PRIORITY,
    TARGETS,
    TWO,
    MakeEnv,
    check_repeating_the_heuristic,
    check_replay,
    legal_at_random,
    legal_from,
    two,
)
from support.strategies import examples
from support.toolchain import KERNEL_NAMES, always, finish, heuristic_object, play

from mlcompiler_gym import load_programs
from mlcompiler_gym.envs import CompilerEnv

#: The largest float below 2^32.
HIGHEST = 4294967040.0


@pytest.mark.parametrize("priority_default", [False, True])
def test_spaces(make_env: MakeEnv, priority_default: bool) -> None:
    names = ["li_size", "stage", "weight"] + ["priority_default"] * priority_default
    settings: dict[str, Any] = {"priority_default": priority_default}
    flat = make_env(PRIORITY, programs=TWO, **settings)
    assert flat.action_space == spaces.Box(0.0, HIGHEST, (1,), np.float32)
    assert isinstance(flat.observation_space, spaces.Box)
    assert flat.observation_space.shape == (len(names),)
    by_name = make_env(PRIORITY, programs=TWO, observation="dict", **settings)
    assert isinstance(by_name.observation_space, spaces.Dict)
    assert set(by_name.observation_space) == set(names)
    array, info = flat.reset()
    arrays, _ = by_name.reset()
    np.testing.assert_array_equal(np.concatenate([arrays[n] for n in names]), array)
    assert info.pop("decision").endswith(" in first")
    assert info == {"program": "two", "function": "first"}
    with pytest.raises(TypeError, match="mask"):
        flat.action_masks()


@pytest.mark.parametrize("observation", ["flat", "dict"])
@pytest.mark.parametrize("function", [None, "each"])
def test_checkers_have_nothing_to_say(
    make_env: MakeEnv, observation: str, function: str | None
) -> None:
    env = make_env(
        PRIORITY,
        programs=TWO,
        observation=observation,
        function=function,
        render_mode="ansi",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Gymnasium's makes environments for the render check and leaves them open.
        warnings.simplefilter("ignore", ResourceWarning)
        # A priority is a priority.
        warnings.filterwarnings("ignore", ".*symmetric and normalized", UserWarning)
        sb3_check_env(env)
        check_env(env)


@pytest.mark.parametrize("program", ["kernels/lz", "llvm-stress/1"])
def test_observations_lie_in_their_space(make_env: MakeEnv, program: str) -> None:
    env = make_env(
        PRIORITY, programs=program, pipeline="no-op-module", priority_default=True
    )
    choose = legal_at_random(env, 0)
    observation, _ = env.reset()
    terminated = False
    count = 0
    while not terminated:
        assert observation in env.observation_space
        observation, _, terminated, _, _ = env.step(choose(observation))
        count += 1
    assert count > 100


@pytest.mark.parametrize("kernel", ["hashes", "lz", "matrix"])
@pytest.mark.parametrize("target", TARGETS)
def test_repeating_the_heuristic(make_env: MakeEnv, kernel: str, target: str) -> None:
    name = f"kernels/{kernel}"
    assert check_repeating_the_heuristic(make_env, PRIORITY, name, target) > 100


@pytest.mark.parametrize("seed", [1, 9])
@pytest.mark.parametrize("target", TARGETS)
def test_repeating_the_heuristic_on_random_code(
    make_env: MakeEnv, seed: int, target: str
) -> None:
    # Not optimised: little of it would be left.
    settings = {"pipeline": "no-op-module"}
    name = f"llvm-stress/{seed}"
    count = check_repeating_the_heuristic(make_env, PRIORITY, name, target, **settings)
    assert count > 100


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kernel", KERNEL_NAMES)
def test_repeating_the_heuristic_on_every_kernel(
    make_env: MakeEnv, kernel: str, target: str
) -> None:
    check_repeating_the_heuristic(make_env, PRIORITY, f"kernels/{kernel}", target)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_repeating_the_heuristic_on_loops(make_env: MakeEnv, target: str) -> None:
    for name in load_programs("loops").names[::4]:
        check_repeating_the_heuristic(make_env, PRIORITY, name, target)


def test_the_heuristic_is_repeated_although_a_float_cannot_hold_it(
    make_env: MakeEnv,
) -> None:
    """It is the same answer in Python's numbers as in NumPy's, dict or flat."""
    env = make_env(
        PRIORITY, programs="kernels/lz", observation="dict", priority_default=True
    )
    inexact = 0
    observation, _ = env.reset()
    terminated = False
    while not terminated:
        decision = json.loads(env.observe("decision")["decision"])
        exact = decision["priority_default"]
        assert observation["priority_default"][0] == np.float32(exact)
        inexact += int(np.float32(exact)) != exact
        observation, _, terminated, _, _ = env.step(observation["priority_default"])
    assert inexact > 50
    same = env.emit("object") == heuristic_object(env.program.bitcode, "default<O2>")
    assert same


NUMBERS = st.lists(st.integers(0, 2**32), min_size=1, max_size=30)


@examples(8)
@given(numbers=NUMBERS, target=st.sampled_from(TARGETS))
def test_random_episodes_replay(
    make_env: MakeEnv,
    tmp_path_factory: pytest.TempPathFactory,
    numbers: list[int],
    target: str,
) -> None:
    env = make_env(PRIORITY, programs=two(target), target=target)
    play(env, legal_from(env, numbers))
    check_replay(env, tmp_path_factory.mktemp("code"))
    env.close()


@pytest.mark.slow
@examples(30)
@given(
    name=st.sampled_from(KERNEL_NAMES),
    numbers=NUMBERS,
    target=st.sampled_from(TARGETS),
)
def test_random_episodes_of_kernels_replay(
    make_env: MakeEnv,
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    numbers: list[int],
    target: str,
) -> None:
    env = make_env(PRIORITY, programs=f"kernels/{name}", target=target)
    play(env, legal_from(env, numbers))
    check_replay(env, tmp_path_factory.mktemp("code"))
    env.close()


def played(env: CompilerEnv, *priorities: float) -> bytes:
    """Object of an episode in which the priorities are given in turn."""
    answers: list[Any] = list(priorities)
    play(env, lambda _: answers[(len(env.trajectory.actions)) % len(answers)])
    return env.emit("object")


def test_answers_change_the_code(make_env: MakeEnv) -> None:
    env = make_env(PRIORITY, programs="kernels/lz")
    assert len({played(env, *p) for p in [(1.0,), (5.0, 1.0), (1.0, 2.0, 0.0)]}) == 3


def test_what_is_behind_the_point_is_dropped(make_env: MakeEnv) -> None:
    env = make_env(PRIORITY, programs="kernels/lz")
    assert played(env, 5.0, 1.0) == played(env, 5.9, 1.1)
    assert played(env, 0.0, 1.0) == played(env, 0.9, 1.0)


@pytest.mark.parametrize("highest", [HIGHEST, np.float32(HIGHEST), 0.0, -0.0])
def test_the_bounds_are_priorities(make_env: MakeEnv, highest: float) -> None:
    env = make_env(PRIORITY, programs=TWO)
    play(env, always(highest))  # type: ignore[arg-type]
    assert set(env.trajectory.actions) == {float(highest)}


def test_a_program_without_decisions(make_env: MakeEnv) -> None:
    env = make_env(PRIORITY, programs=EMPTY)
    observation, info = env.reset()
    assert info == {"program": "empty", "no_decision": True}
    assert not observation.any()
    _, reward, terminated, truncated, _ = env.step(1.0)
    assert (reward, terminated, truncated) == (0.0, True, False)
    assert env.trajectory.actions == ()


def test_render_and_the_decision(make_env: MakeEnv, tmp_path: Path) -> None:
    env = make_env(PRIORITY, programs=TWO, render_mode="ansi", observation="dict")
    env.reset()
    env.step(12.5)
    observation, *_ = env.step(np.array([3e9], np.float32))
    decision = json.loads(env.observe("decision")["decision"])
    assert decision["function"] == "first"
    assert decision["spill_weight"] == pytest.approx(float(observation["weight"][0]))
    mir = env.observe("mir")["mir"]
    register = f"{decision['virtual_register']}:{decision['register_class'].lower()}"
    assert register in mir
    assert "# Machine code for function first:" in mir
    text = str(env.render())
    for part in ("regalloc_priority", "two", decision["virtual_register"]):
        assert part in text
    assert re.search(r"priority 12\.5 +%\d+ in first", text)
    assert re.search(r"priority 3e\+09 +%\d+ in first", text)
    finish(env, always(1))
    assert "finished" in str(env.render())
