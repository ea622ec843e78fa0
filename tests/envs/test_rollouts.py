# SPDX-License-Identifier: Apache-2.0
"""Whole trajectories of many programs at once: the same as one by one."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from support.pass_ordering import FEW, ORDERING
from support.policies import random_network
from support.regalloc import EVICTION
from support.vectors import NO_DECISION, MakeVec

from mlcompiler_gym import PolicyError, PortablePolicy, Program, ProgramError
from mlcompiler_gym.envs import CompilerEnv, CompilerVectorEnv
from mlcompiler_gym.envs.errors import ResetNeededError
from mlcompiler_gym.envs.rollout import Rollout
from mlcompiler_gym.errors import InvalidRequestError
from mlcompiler_gym.v1 import policy_pb2 as pb

INLINING = "mlcompiler/Inlining-v0"
#: The first takes longest.
PROGRAMS = ["kernels/regex", "kernels/hashes", "kernels/lz"]
BROKEN = Program("broken", b"this is no bitcode")


def assert_same(ours: Rollout, theirs: Rollout) -> None:
    assert ours.actions.tolist() == theirs.actions.tolist()
    assert np.array_equal(ours.log_probabilities, theirs.log_probabilities)
    assert np.array_equal(ours.rewards, theirs.rewards)
    assert (ours.features is None) == (theirs.features is None)
    if ours.features is not None and theirs.features is not None:
        assert np.array_equal(ours.features, theirs.features)
    assert ours.reward == theirs.reward
    assert (ours.terminated, ours.truncated) == (theirs.terminated, theirs.truncated)
    assert ours.info["program"] == theirs.info["program"]
    assert ours.info.get("objective") == theirs.info.get("objective")
    assert ours.seed == theirs.seed


def one_by_one(
    service: Any, env_id: str, n: int, seed: int, features: Any, **settings: Any
) -> list[Rollout]:
    env = gymnasium.make(env_id, service=service, **settings).unwrapped
    assert isinstance(env, CompilerEnv)
    policy = random_network(env.setup)
    made: list[Rollout] = []
    for program in PROGRAMS:
        for _ in range(n):
            env.reset(options={"program": program})
            made.append(env.rollout(policy, seed=seed + len(made), features=features))
    env.close()
    return made


@pytest.mark.parametrize(
    ("env_id", "features"), [(INLINING, True), (EVICTION, "legal")]
)
def test_rollouts_are_those_of_one_environment(
    any_service: Any, env_id: str, features: Any
) -> None:
    settings = {"programs": PROGRAMS, "service": any_service}
    theirs = one_by_one(any_service, env_id, 2, 7, features, programs=PROGRAMS)
    for number in (1, 4):
        envs = gymnasium.make_vec(env_id, number, **settings)
        assert isinstance(envs, CompilerVectorEnv)
        told: list[tuple[int, int]] = []
        ours = envs.rollouts(
            random_network(envs.setup),
            PROGRAMS,
            2,
            seed=7,
            features=features,
            progress=lambda done, total: told.append((done, total)),  # noqa: B023
        )
        assert told == [(done, 6) for done in range(1, 7)]
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert_same(one, other)
        assert envs.sessions == [None] * number
        envs.close()


def test_functions_are_named_as_for_reset(service: Any) -> None:
    """Whatever ``function=`` says."""
    cases = [
        {"program": "kernels/lz", "function": "main"},
        {"program": "kernels/json", "function": "parse"},
        {"program": "kernels/lz"},
    ]
    envs = gymnasium.make_vec(EVICTION, 2, programs=PROGRAMS, service=service)
    assert isinstance(envs, CompilerVectorEnv)
    env = gymnasium.make(EVICTION, programs=PROGRAMS, service=service).unwrapped
    assert isinstance(env, CompilerEnv)
    with pytest.raises(ProgramError, match="kernels/json"):
        envs.rollouts("inactive", cases)
    with pytest.raises(ValueError, match="names no program"):
        envs.rollouts("inactive", [{"function": "main"}])
    cases[1]["program"] = "kernels/hashes"
    cases[1]["function"] = "main"
    made = envs.rollouts("inactive", cases)
    for case, one in zip(cases, made, strict=True):
        env.reset(options=dict(case))
        assert_same(one, env.rollout("inactive"))
        assert one.info.get("function") == case.get("function")
    envs.close()
    env.close()


def test_an_error_of_one_program_loses_no_other(make_vec: MakeVec) -> None:
    envs = make_vec(2, programs=PROGRAMS)
    made = envs.rollouts(
        "inactive", ["kernels/hashes", BROKEN, NO_DECISION, "kernels/lz"]
    )
    assert [each.info["program"] for each in made] == [
        "kernels/hashes",
        "broken",
        NO_DECISION.name,
        "kernels/lz",
    ]
    assert [each.terminated for each in made] == [True, False, True, True]
    assert made[1].truncated
    assert made[1].info["error_code"] == "INVALID_PROGRAM"
    assert "broken" in made[1].info["error"]
    assert made[2].info["no_decision"]
    assert len(made[1].actions) == len(made[2].actions) == 0
    assert len(made[3].actions) > 0
    # Programs that are not named are its own.
    assert [each.info["program"] for each in envs.rollouts("inactive")] == PROGRAMS


def test_what_a_policy_decided_before_it_stopped_is_kept(make_vec: MakeVec) -> None:
    envs = make_vec(2, programs=PROGRAMS)
    broken = random_network(envs.setup).message
    for layer in broken.model.network.layers:
        layer.activation = pb.Dense.IDENTITY
        layer.weights[:] = [3e38] * len(layer.weights)
    for made in envs.rollouts(PortablePolicy(broken)):
        assert made.truncated
        assert "finite" in made.info["error"]
    envs.reset(seed=0)
    with pytest.raises(PolicyError, match="finite"):
        envs.collect(PortablePolicy(broken), 3)


def test_mistakes_are_told_before_anything_begins(make_vec: MakeVec) -> None:
    envs = make_vec(2, programs=PROGRAMS)
    with pytest.raises(ProgramError, match="nonsense"):
        envs.rollouts("inactive", ["kernels/hashes", "kernels/nonsense"])
    with pytest.raises(InvalidRequestError, match="needs a seed"):
        envs.rollouts("random")
    with pytest.raises(InvalidRequestError, match="no policy 'clever'"):
        envs.rollouts("clever")
    with pytest.raises(ValueError, match="n is a number from 1 on"):
        envs.rollouts("inactive", n=0)
    with pytest.raises(TypeError, match="programs is a list"):
        envs.rollouts("inactive", "kernels/hashes")
    with pytest.raises(ResetNeededError, match="collect: no program"):
        envs.collect("inactive", 3)
    envs.reset(seed=0)
    with pytest.raises(ValueError, match="1 seeds for 2 environments"):
        envs.collect("inactive", 3, seeds=[1])
    envs.send([0, 0])
    for call in (lambda: envs.rollouts("inactive"), lambda: envs.collect("always", 1)):
        with pytest.raises(ResetNeededError, match="recv"):
            call()
    endless = make_vec(1, programs="csmith")
    with pytest.raises(ValueError, match="no end"):
        endless.rollouts("inactive")


def test_an_episode_ends_where_the_vector_ends_it(service: Any) -> None:
    envs = gymnasium.make_vec(
        ORDERING,
        2,
        programs=PROGRAMS,
        actions=FEW,
        max_episode_steps=4,
        service=service,
    )
    assert isinstance(envs, CompilerVectorEnv)
    for made in envs.rollouts("random", seed=1):
        assert len(made.actions) == 4
        assert (made.terminated, made.truncated) == (False, True)
    for made in envs.rollouts("random", seed=1, decisions=3):
        assert (len(made.actions), made.truncated) == (3, False)
    envs.close()


@pytest.mark.parametrize(
    ("env_id", "settings"),
    [
        (INLINING, {}),
        (EVICTION, {"function": "each", "reward": "dense"}),
        (ORDERING, {"actions": FEW, "max_episode_steps": 4}),
    ],
)
def test_collecting_is_stepping(
    any_service: Any, env_id: str, settings: dict[str, Any]
) -> None:
    """Two collections, one after the other, each in the middle of episodes."""
    count, number = 40, 2
    made = [
        gymnasium.make_vec(
            env_id,
            number,
            programs=PROGRAMS[1:],
            autoreset_mode="SameStep",
            service=any_service,
            **settings,
        )
        for _ in range(2)
    ]
    envs, stepped = made
    assert isinstance(envs, CompilerVectorEnv)
    assert isinstance(stepped, CompilerVectorEnv)
    policy = random_network(envs.setup)
    draws = [policy.sampled(3 + index) for index in range(number)]
    envs.reset(seed=1)
    observations, infos = stepped.reset(seed=1)
    seeds = [3, 4]
    ended = 0
    for _ in range(2):
        parts = envs.collect(policy, count, seeds=seeds, features=True)
        seeds = [each[-1].seed or 0 for each in parts]
        for step in range(count):
            masks = infos.get("action_mask")
            actions = [
                draw(
                    observations[index],
                    {} if masks is None else {"action_mask": masks[index]},
                )
                for index, draw in enumerate(draws)
            ]
            seen = observations.copy()
            observations, rewards, terminations, truncations, infos = stepped.step(
                np.array(actions)
            )
            for index, fragments in enumerate(parts):
                at, which = step, 0
                while at >= len(fragments[which].actions):
                    at -= len(fragments[which].actions)
                    which += 1
                part = fragments[which]
                is_last = at + 1 == len(part.actions)
                assert part.features is not None
                assert part.actions[at] == actions[index]
                assert np.array_equal(part.features[at], seen[index])
                assert part.rewards[at] == pytest.approx(rewards[index], abs=1e-12)
                assert (part.terminated and is_last) == terminations[index]
                assert (part.truncated and is_last) == truncations[index]
                ended += bool(terminations[index] or truncations[index])
    assert ended
    for each in made:
        each.close()


def test_programs_without_decisions_are_passed_over(make_vec: MakeVec) -> None:
    envs = make_vec(2, programs=[NO_DECISION, "kernels/hashes"])
    envs.reset(seed=0)
    for parts in envs.collect("inactive", 50):
        assert sum(len(each.actions) for each in parts) == 50
        assert {each.info.get("program") for each in parts} <= {None, "kernels/hashes"}
    barren = make_vec(1, programs=[NO_DECISION])
    barren.reset(seed=0)
    with pytest.raises(ProgramError, match="no decision came up"):
        barren.collect("inactive", 1)
