# SPDX-License-Identifier: Apache-2.0
"""The eviction environment as an agent sees it, and what comes out of it."""

import warnings
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
    EVICTION,
    NOTHING,
    TARGETS,
    TWO,
    X86,
    MakeEnv,
    check_repeating_the_heuristic,
    check_replay,
    legal_at_random,
    legal_from,
    two,
    walk,
)
from support.strategies import examples
from support.toolchain import KERNEL_NAMES, play

from mlcompiler_gym import LocalService, load_programs
from mlcompiler_gym.envs import CompilerEnv

#: RA_EVICT_FEATURES_LIST of LLVM's MLRegAllocEvictAdvisor.cpp, in its order.
FEATURES = [
    *("mask", "is_free", "nr_urgent", "nr_broken_hints", "is_hint", "is_local"),
    *("nr_rematerializable", "nr_defs_and_uses"),
    *("weighed_reads_by_max", "weighed_writes_by_max"),
    *("weighed_read_writes_by_max", "weighed_indvars_by_max", "hint_weights_by_max"),
    *("start_bb_freq_by_max", "end_bb_freq_by_max", "hottest_bb_freq_by_max"),
    *("liverange_size", "use_def_density", "max_stage", "min_stage", "progress"),
]
EXTRA = {"eviction_default": 1, "interference_weights": 33 * 8}


def test_features_are_llvms_own(service: LocalService) -> None:
    [task] = [t for t in service.describe().tasks if t.name == "regalloc_eviction"]
    sent = [feature.name for feature in task.features if not feature.option]
    assert sent == FEATURES
    assert [f.name for f in task.features if f.option] == list(EXTRA)
    assert task.action.mask == "mask"
    for feature in task.features:
        assert feature.doc
        assert feature.low < feature.high
        # What an agent does not see, it cannot be misled by.
        assert "register" not in feature.name


@pytest.mark.parametrize("extra", [[], ["eviction_default"], list(EXTRA)], ids=str)
def test_spaces(make_env: MakeEnv, extra: list[str]) -> None:
    settings: dict[str, Any] = dict.fromkeys(extra, True)
    flat = make_env(EVICTION, programs=TWO, **settings)
    assert flat.action_space == spaces.Discrete(33)
    assert isinstance(flat.observation_space, spaces.Box)
    length = 20 * 33 + 1 + sum(EXTRA[name] for name in extra)
    assert flat.observation_space.shape == (length,)
    assert flat.observation_space.dtype == np.float32
    by_name = make_env(EVICTION, programs=TWO, observation="dict", **settings)
    assert isinstance(by_name.observation_space, spaces.Dict)
    names = FEATURES + extra
    assert set(by_name.observation_space) == set(names)
    array, _ = flat.reset()
    arrays, _ = by_name.reset()
    for name in FEATURES:
        assert arrays[name].shape == ((33,) if name != "progress" else (1,))
    # The same numbers, in LLVM's order.
    joined = np.concatenate([arrays[name].ravel() for name in names])
    np.testing.assert_array_equal(joined, array)


def check(env: CompilerEnv) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Gymnasium's makes environments for the render check and leaves them open.
        warnings.simplefilter("ignore", ResourceWarning)
        sb3_check_env(env)
        check_env(env)


@pytest.mark.parametrize(
    "observation",
    [
        "flat",
        "dict",
    ],
)
@pytest.mark.parametrize("function", [None, "each"])
def test_checkers_have_nothing_to_say(
    make_env: MakeEnv, observation: str, function: str | None
) -> None:
    check(
        make_env(
            EVICTION,
            programs=TWO,
            observation=observation,
            function=function,
            render_mode="ansi",
        )
    )


@pytest.mark.parametrize("program", ["kernels/lz", "csmith/1"])
def test_observations_lie_in_their_space(make_env: MakeEnv, program: str) -> None:
    env = make_env(EVICTION, programs=program, observation="dict")
    for seed in range(3):
        walk(
            env,
            legal_at_random(env, seed),
            lambda observation, _: check_in_space(env, observation),
        )


def check_in_space(env: CompilerEnv, observation: dict[str, Any]) -> None:
    outside = [
        name
        for name, space in env.observation_space.items()  # type: ignore[attr-defined]
        if observation[name] not in space
    ]
    assert not outside


@pytest.mark.parametrize("kernel", ["hashes", "lz", "matrix"])
@pytest.mark.parametrize("target", TARGETS)
def test_repeating_the_heuristic(make_env: MakeEnv, kernel: str, target: str) -> None:
    name = f"kernels/{kernel}"
    assert check_repeating_the_heuristic(make_env, EVICTION, name, target) > 5


@pytest.mark.parametrize(
    ("pipeline", "cpu"), [("default<O3>", "znver4"), ("default<Oz>", "skylake")]
)
def test_repeating_the_heuristic_of_other_compiles(
    make_env: MakeEnv, pipeline: str, cpu: str
) -> None:
    check_repeating_the_heuristic(
        make_env, EVICTION, "kernels/matrix", X86, pipeline=pipeline, cpu=cpu
    )


@pytest.mark.parametrize("seed", [1, 9, 17])
@pytest.mark.parametrize("target", TARGETS)
def test_repeating_the_heuristic_on_random_code(
    make_env: MakeEnv, seed: int, target: str
) -> None:
    # Not optimised: little of it would be left.
    settings = {"pipeline": "no-op-module"}
    name = f"llvm-stress/{seed}"
    count = check_repeating_the_heuristic(make_env, EVICTION, name, target, **settings)
    assert count > 5


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kernel", KERNEL_NAMES)
def test_repeating_the_heuristic_on_every_kernel(
    make_env: MakeEnv, kernel: str, target: str
) -> None:
    check_repeating_the_heuristic(make_env, EVICTION, f"kernels/{kernel}", target)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_repeating_the_heuristic_on_loops(make_env: MakeEnv, target: str) -> None:
    for name in load_programs("loops").names[::4]:
        check_repeating_the_heuristic(make_env, EVICTION, name, target)


NUMBERS = st.lists(st.integers(0, 10**6), min_size=1, max_size=30)


@examples(4)
@given(numbers=NUMBERS, target=st.sampled_from(TARGETS))
def test_random_episodes_replay(
    make_env: MakeEnv,
    tmp_path_factory: pytest.TempPathFactory,
    numbers: list[int],
    target: str,
) -> None:
    env = make_env(EVICTION, programs=two(target), target=target)
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
    env = make_env(EVICTION, programs=f"kernels/{name}", target=target)
    play(env, legal_from(env, numbers))
    check_replay(env, tmp_path_factory.mktemp("code"))
    env.close()


def test_answers_change_the_code(make_env: MakeEnv) -> None:
    env = make_env(EVICTION, programs="kernels/lisp")
    objects = set()
    for seed in range(3):
        play(env, legal_at_random(env, seed))
        objects.add(env.emit("object"))
    assert len(objects) == 3


@pytest.mark.parametrize("observation", ["flat", "dict"])
def test_a_program_without_decisions(make_env: MakeEnv, observation: str) -> None:
    env = make_env(
        EVICTION, programs=EMPTY, observation=observation, render_mode="ansi"
    )
    current, info = env.reset()
    assert info["no_decision"] is True
    assert "function" not in info
    assert current in env.observation_space
    assert "empty" in str(env.render())
    _, reward, terminated, truncated, info = env.step(NOTHING)
    assert (reward, terminated, truncated) == (0.0, True, False)
    assert info["no_decision"] is True
    assert env.trajectory.actions == ()
    assert env.emit("object").startswith(b"\x7fELF")
