# SPDX-License-Identifier: Apache-2.0
"""Baselines, and episodes played with them."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
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
    MakeEnv,
    environments,
    heuristic_feature,
    two,
)
from support.toolchain import heuristic_object

from mlcompiler_gym import LocalService
from mlcompiler_gym.envs import CompilerEnv, CompilerVectorEnv
from mlcompiler_gym.envs.wrappers import SignedLogObservation
from mlcompiler_gym.policies import (
    Policy,
    active,
    heuristic,
    inactive,
    play,
    random_legal,
)

INLINING = "mlcompiler/Inlining-v0"


@pytest.fixture
def make_env(service: LocalService) -> Iterator[MakeEnv]:
    with environments(service) as make:
        yield make


def watch(policy: Policy, look: Callable[[Any, Any, Any], None]) -> Policy:
    """The policy, and ``look(observation, info, action)`` at what it does."""

    def choose(observation: Any, info: dict[str, Any]) -> Any:
        action = policy(observation, info)
        look(observation, info, action)
        return action

    return choose


@pytest.mark.parametrize("observation", ["flat", "dict"])
@pytest.mark.parametrize("env_id", IDS)
def test_heuristic_makes_llvms_object(
    make_env: MakeEnv, env_id: str, observation: str
) -> None:
    settings: dict[str, Any] = {"observation": observation}
    if env_id == EVICTION:
        # What comes after the heuristic's choice is not to be taken for it.
        settings["interference_weights"] = True
    env = make_env(
        env_id, programs="kernels/vm", **settings, **heuristic_feature(env_id)
    )
    played = play(env, heuristic(env))
    assert played.steps == len(env.trajectory.actions) > 20
    assert len(set(env.trajectory.actions)) > 1
    same = env.emit("object") == heuristic_object(env.program.bitcode, "default<O2>")
    assert same
    assert played.info["objective"] == played.info["baseline"]
    assert played.reward == 0.0


@pytest.mark.parametrize("observation", ["flat", "dict"])
def test_heuristic_of_inlining(make_env: MakeEnv, observation: str) -> None:
    env = make_env(
        INLINING, programs="kernels/vm", observation=observation, inlining_default=True
    )
    played = play(env, heuristic(env))
    assert set(env.trajectory.actions) == {0, 1}
    same = env.emit("object") == heuristic_object(env.program.bitcode)
    assert same
    assert played.reward == 0.0


@pytest.mark.parametrize("env_id", [*IDS, INLINING])
def test_heuristic_needs_to_be_shown(make_env: MakeEnv, env_id: str) -> None:
    env = make_env(env_id, programs=TWO)
    setting = {
        EVICTION: "eviction_default=True",
        PRIORITY: "priority_default=True",
        INLINING: "inlining_default=True",
    }
    with pytest.raises(ValueError, match=setting[env_id]):
        heuristic(env)


def test_heuristic_is_not_read_from_what_a_wrapper_changed(make_env: MakeEnv) -> None:
    env = SignedLogObservation(make_env(EVICTION, programs=TWO, eviction_default=True))
    with pytest.raises(ValueError, match="wrapper"):
        heuristic(env)
    # Gymnasium's own leave observations alone.
    limited: Any = gymnasium.wrappers.TimeLimit(env.env, 1000)
    assert play(limited, heuristic(limited)).reward == 0.0


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("observation", ["flat", "dict"])
def test_evicting_nothing(make_env: MakeEnv, observation: str, target: str) -> None:
    env = make_env(
        EVICTION, programs="kernels/matrix", observation=observation, target=target
    )
    kinds = set()

    def look(_: Any, info: Any, action: Any) -> None:
        legal = np.flatnonzero(info["action_mask"]).tolist()
        assert action == (NOTHING if NOTHING in legal else min(legal))
        kinds.add(NOTHING in legal)

    played = play(env, watch(inactive(env), look))
    # There are live ranges that cannot be spilled.
    assert kinds == {False, True}
    assert played.reward < 0


def test_tasks_without_such_an_action(make_env: MakeEnv) -> None:
    env = make_env(PRIORITY, programs=TWO)
    for policy in (inactive, active):
        with pytest.raises(ValueError, match="regalloc_priority has no action that"):
            policy(env)


@pytest.mark.parametrize("env_id", [*IDS, INLINING])
def test_random_choices_are_legal_and_seeded(make_env: MakeEnv, env_id: str) -> None:
    env = make_env(env_id, programs="kernels/lz")
    taken = []
    for seed in (1, 1, 2):
        assert "objective" in play(env, random_legal(env, seed)).info
        taken.append(env.trajectory.actions)
    assert taken[0] == taken[1] != taken[2]
    assert len(set(taken[0])) > 1


def test_all_that_is_legal_is_chosen(make_env: MakeEnv) -> None:
    env = make_env(EVICTION, programs=TWO)
    observation, info = env.reset()
    choose = random_legal(env, 0)
    chosen = {choose(observation, info) for _ in range(500)}
    assert chosen == set(np.flatnonzero(info["action_mask"]).tolist())


@pytest.mark.parametrize("reward", ["final", "dense"])
def test_play_sums_the_rewards(make_env: MakeEnv, reward: str) -> None:
    env = make_env(EVICTION, programs=TWO, reward=reward)
    played = play(env, inactive(env))
    ours, llvms = (
        played.info[key]["regalloc_score"] for key in ("objective", "baseline")
    )
    assert played.reward == pytest.approx((llvms - ours) / llvms)
    assert played.reward != 0


def test_play_takes_what_reset_takes(make_env: MakeEnv) -> None:
    env = make_env(EVICTION, programs=[TWO, "kernels/lz"])
    options = {"program": "two", "function": "second"}
    played = play(env, inactive(env), options=options)
    assert (played.info["program"], played.info["function"]) == ("two", "second")
    drawn = [
        [play(env, inactive(env), seed=seed).info["program"] for seed in range(6)]
        for _ in range(2)
    ]
    assert drawn[0] == drawn[1]
    assert set(drawn[0]) == {"two", "kernels/lz"}


def test_without_a_decision(make_env: MakeEnv) -> None:
    env = make_env(EVICTION, programs=EMPTY, eviction_default=True)
    for policy in (heuristic(env), inactive(env), random_legal(env, 0)):
        played = play(env, policy)
        assert played.info["no_decision"]
        assert (played.reward, played.steps) == (0.0, 1)


def test_play_ends_with_the_compiler(make_env: MakeEnv) -> None:
    env = make_env(EVICTION, programs=TWO)
    calm = inactive(env)

    def then_leave(observation: Any, info: dict[str, Any]) -> Any:
        if len(env.trajectory.actions) == 3:
            env.session.close()
        return calm(observation, info)

    played = play(env, then_leave)
    assert played.info["error_code"] == "SESSION_LOST"
    assert played.steps == 4


def test_other_environments_are_refused() -> None:
    with gymnasium.make("CartPole-v1") as env:
        for make in (heuristic, inactive, random_legal):
            with pytest.raises(TypeError, match="CartPole"):
                make(env)


@pytest.mark.parametrize("observation", ["flat", "dict"])
def test_features_are_picked_by_name(make_env: MakeEnv, observation: str) -> None:
    program = two()
    settings: dict[str, Any] = {"eviction_default": True, "interference_weights": True}
    env = make_env(EVICTION, programs=program, observation=observation, **settings)
    by_name = make_env(EVICTION, programs=program, observation="dict", **settings)
    features = env.setup.features
    seen, _ = env.reset()
    named, _ = by_name.reset()
    for name, expected in named.items():
        found = features.pick(seen, name)
        assert found.shape == expected.shape
        np.testing.assert_array_equal(found, expected)
    with pytest.raises(ValueError, match=r"'nonsense'.*progress, eviction_default"):
        features.pick(seen, "nonsense")


@pytest.mark.parametrize("observation", ["flat", "dict"])
def test_features_are_picked_from_batches(
    service: LocalService, observation: str
) -> None:
    envs = gymnasium.make_vec(
        EVICTION,
        num_envs=3,
        programs=TWO,
        observation=observation,
        interference_weights=True,
        service=service,
    )
    assert isinstance(envs, CompilerVectorEnv)
    seen, infos = envs.reset()
    features = envs.setup.features
    masks = features.pick(seen, "mask")
    assert masks.shape == (3, 33)
    np.testing.assert_array_equal(masks, infos["action_mask"])
    assert features.pick(seen, "interference_weights").shape == (3, 33, 8)
    envs.close()


def test_policies_are_light() -> None:
    script = (
        "import sys, mlcompiler_gym.policies\n"
        "print(sorted({'torch', 'stable_baselines3', 'matplotlib'} & {*sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_policies_answer_whatever_environment_is_unwrapped(make_env: MakeEnv) -> None:
    plain = make_env(EVICTION, programs=TWO, eviction_default=True)
    assert isinstance(plain, CompilerEnv)
    wrapped = gymnasium.wrappers.RecordEpisodeStatistics(plain)
    played = play(wrapped, heuristic(wrapped))
    assert played.info["episode"]["l"] == played.steps
