# SPDX-License-Identifier: Apache-2.0
"""Which answers are legal, and that no others reach LLVM.

The slow test takes `MLCOMPILER_GYM_TEST_DECISIONS` random decisions of each kind,
20000 by default:

    MLCOMPILER_GYM_TEST_DECISIONS=100000 pytest -m slow -k regalloc_masks tests
"""

import itertools
import math
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.regalloc import (
    EMPTY,
    EVICTION,
    IDS,
    NOTHING,
    PRIORITY,
    TARGETS,
    TWO,
    X86,
    MakeEnv,
    heuristic_feature,
    legal_at_random,
    opening,
)
from support.samples import REAL, fails
from support.toolchain import KERNEL_NAMES, always, finish, play

from mlcompiler_gym import (
    InvalidActionError,
    LocalService,
    load_programs,
)
from mlcompiler_gym.envs import CompilerEnv

DECISIONS = int(os.environ.get("MLCOMPILER_GYM_TEST_DECISIONS", "20000"))


def check_masks(env: CompilerEnv, observation: Any, info: dict[str, Any]) -> Any:
    """They all say the same. Returns it."""
    told = info["action_mask"]
    assert told.dtype == np.int8
    assert told.shape == (33,)
    assert set(told.tolist()) <= {0, 1}
    assert told.any()
    asked = env.action_masks()
    assert asked.dtype == np.bool_
    np.testing.assert_array_equal(asked, told)
    if isinstance(observation, dict):
        np.testing.assert_array_equal(observation["mask"].ravel(), told)
    else:
        np.testing.assert_array_equal(observation[:33], told)
    return asked


@pytest.mark.parametrize("observation", ["flat", "dict"])
@pytest.mark.parametrize("target", TARGETS)
def test_all_masks_agree(make_env: MakeEnv, target: str, observation: str) -> None:
    env = make_env(
        EVICTION, programs="kernels/matrix", target=target, observation=observation
    )
    choose = legal_at_random(env, 0)
    current, info = env.reset()
    masks = set()
    for _ in range(300):
        masks.add(check_masks(env, current, info).tobytes())
        current, _, terminated, truncated, info = env.step(choose(current))
        assert not terminated
        assert not truncated
    assert len(masks) > 10
    # Somewhere there is a live range that cannot be spilled, and so must evict.
    assert {bool(mask[NOTHING]) for mask in masks} == (
        {False, True} if target == X86 else {True}
    )


def test_where_there_is_no_decision_nothing_is_illegal(make_env: MakeEnv) -> None:
    env = make_env(EVICTION, programs=[TWO, EMPTY])
    for program in ("two", "empty"):
        _, info = env.reset(options={"program": program})
        if program == "empty":
            assert info["action_mask"].all()
        _, _, _, info = finish(env, legal_at_random(env, 0))
        assert info["action_mask"].dtype == np.int8
        assert info["action_mask"].all()
        assert env.action_masks().all()


@pytest.mark.parametrize("choose", [min, max], ids=["first", "last"])
def test_the_heuristics_answer_is_legal_wherever_one_stands(
    make_env: MakeEnv, choose: Any
) -> None:
    # Where the heuristic does not come to, it may answer what LLVM masks.
    env = make_env(
        EVICTION, programs="kernels/matrix", function="main", eviction_default=True
    )
    observation, info = env.reset()
    terminated = False
    while not terminated:
        mask = info["action_mask"]
        assert mask[int(observation[-1])] == 1
        action = int(choose(np.flatnonzero(mask)))
        observation, _, terminated, _, info = env.step(action)


def test_a_mask_kept_by_the_agent_stays_as_it_was(make_env: MakeEnv) -> None:
    env = make_env(EVICTION, programs=TWO)
    _, info = env.reset()
    kept, asked = info["action_mask"], env.action_masks()
    copy = kept.copy()
    finish(env, legal_at_random(env, 0))
    np.testing.assert_array_equal(kept, copy)
    np.testing.assert_array_equal(asked, copy)


@pytest.mark.parametrize("target", TARGETS)
def test_illegal_actions_change_nothing(make_env: MakeEnv, target: str) -> None:
    settings: dict[str, Any] = {"programs": "kernels/lz", "target": target}
    env = make_env(EVICTION, **settings)
    choose = legal_at_random(env, 3)
    observation, _ = env.reset()
    terminated = False
    refused = 0
    while not terminated:
        legal = np.flatnonzero(env.action_masks()).tolist()
        for action in set(range(33)) - set(legal) if refused < 200 else ():
            with pytest.raises(
                InvalidActionError, match=rf"action {action}\b.* is not legal"
            ) as told:
                env.step(action)
            assert str(told.value).endswith("legal are: " + ", ".join(map(str, legal)))
            refused += 1
        np.testing.assert_array_equal(np.flatnonzero(env.action_masks()), legal)
        observation, _, terminated, _, _ = env.step(choose(observation))
    assert refused >= 200
    assert env.stats.crashes == 0
    assert env.stats.steps == len(env.trajectory.actions)
    undisturbed = make_env(EVICTION, **settings)
    play(undisturbed, legal_at_random(undisturbed, 3))
    assert undisturbed.trajectory.actions == env.trajectory.actions
    assert env.emit("object") == undisturbed.emit("object")


@pytest.mark.parametrize(
    "action",
    [33, -1, 10**30, True, 1.0, np.float32(1), np.array([1]), [1], "1", None],
    ids=repr,
)
def test_wrong_evictions_change_nothing(make_env: MakeEnv, action: Any) -> None:
    env = make_env(EVICTION, programs=TWO)
    env.reset()
    env.step(NOTHING)
    decision = env.observe("decision", "decisions")
    with pytest.raises(InvalidActionError, match="action"):
        env.step(action)
    assert env.observe("decision", "decisions") == decision
    env.step(NOTHING)
    assert env.trajectory.actions == (NOTHING, NOTHING)


@pytest.mark.parametrize(
    "action",
    [1, 1.0, np.float32(1), np.float64(1), np.array([1.0]), np.array(1), [1.0]],
    ids=repr,
)
def test_numbers_of_all_kinds_are_priorities(make_env: MakeEnv, action: Any) -> None:
    env = make_env(PRIORITY, programs=TWO)
    env.reset()
    env.step(action)
    assert env.trajectory.actions == (1.0,)
    assert type(env.trajectory.actions[0]) is float


@pytest.mark.parametrize(
    "action",
    [
        math.nan,
        math.inf,
        -math.inf,
        -1.0,
        -1e-30,
        2.0**32,
        1e30,
        1e300,
        10**400,
        np.array([math.nan], np.float32),
        np.array([-1], np.float32),
        np.array([1.0, 2.0]),
        np.array([[1.0]]),
        np.array([]),
        [[1.0]],
        "many",
        None,
        {"priority": 1.0},
    ],
    ids=lambda action: repr(action)[:20],
)
def test_wrong_priorities_change_nothing(make_env: MakeEnv, action: Any) -> None:
    env = make_env(PRIORITY, programs=TWO)
    env.reset()
    env.step(7.0)
    decision = env.observe("decision", "decisions")
    with pytest.raises(InvalidActionError, match="action"):
        env.step(action)
    assert env.observe("decision", "decisions") == decision
    finish(env, always(3))
    disturbed = env.emit("object")
    env.reset()
    env.step(7.0)
    finish(env, always(3))
    assert env.emit("object") == disturbed


@pytest.mark.parametrize(
    "priority", [math.nan, math.inf, -math.inf, -1.0, 2.0**32, 3e38]
)
def test_wrong_priorities_are_refused_by_the_service(
    service: LocalService, priority: float
) -> None:
    session = service.open(opening("regalloc_priority"), TWO)
    before = session.observe("decision")
    good = struct.pack("<f", 1)
    for actions in (struct.pack("<f", priority), good + struct.pack("<f", priority)):
        with fails("INVALID_ACTION", "0", ended=False):
            session.step(actions)
    with fails("INVALID_ACTION", "4 bytes", ended=False):
        session.step(good + b"\0")
    assert session.observe("decision") == before
    assert session.step(good).decisions == 1
    session.close()


def pool(
    target: str, write_file: Callable[[str, str], Path]
) -> Iterator[dict[str, Any]]:
    """Programs of all kinds in turn, as settings; real ones, which are long, once."""
    loops = load_programs("loops").names
    real = iter(REAL.items())
    for seed in itertools.count():
        yield {"programs": f"kernels/{KERNEL_NAMES[seed % len(KERNEL_NAMES)]}"}
        yield {"programs": loops[seed * 5 % len(loops)]}
        # Not optimised: little of it would be left.
        yield {"programs": f"llvm-stress/{seed}", "pipeline": "no-op-module"}
        if target == X86:
            yield {"programs": f"csmith/{seed}"}
            # There are no headers of other targets.
            for name, source in itertools.islice(real, 1):
                yield {"programs": write_file(name, source)}


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("env_id", IDS)
def test_random_legal_decisions(
    make_env: MakeEnv,
    env_id: str,
    target: str,
    write_file: Callable[[str, str], Path],
) -> None:
    """None of them brings the compiler down, or makes a program wrong."""
    taken = validated = 0
    for seed, settings in enumerate(pool(target, write_file)):
        if taken >= DECISIONS // len(TARGETS):
            break
        extra = heuristic_feature(env_id)
        env = make_env(env_id, target=target, **settings, **extra)
        _, info = env.reset()
        if "no_decision" in info:
            env.close()
            continue
        rewards, terminated, _, info = finish(env, legal_at_random(env, seed))
        assert terminated, info
        taken += len(rewards)
        if target == X86 and env.program.inputs is not None:
            validation = env.validate()
            assert validation.ok, validation.report()
            validated += 1
        env.close()
    if target == X86:
        assert validated
