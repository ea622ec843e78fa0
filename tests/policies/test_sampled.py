# SPDX-License-Identifier: Apache-2.0
"""The best of several ways to compile each function."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import pytest
from support.policies import random_network
from support.regalloc import EVICTION, MakeEnv

from mlcompiler_gym import PolicyError, PortablePolicy
from mlcompiler_gym.best_sample import YARDSTICK, best_sample
from mlcompiler_gym.measuring import Measuring
from mlcompiler_gym.policies import play, sampled
from mlcompiler_gym.policies.sampled import BestSample

PROGRAMS = ["kernels/basic", "kernels/btree"]
SHOWN: dict[str, Any] = {"eviction_default": True}


def values(env: Any) -> dict[str, tuple[float, float]]:
    """By function, what it came to, and by LLVM."""
    return {
        each.function: (
            each.objective["regalloc_score"],
            each.baseline["regalloc_score"],
        )
        for each in env.functions
    }


def test_each_function_is_the_best_of_its_samples(make_env: MakeEnv) -> None:
    env = make_env(EVICTION, programs=PROGRAMS, **SHOWN)
    policy = random_network(env.setup)
    best = BestSample(env, 7, policy, 4)
    both = {"regalloc_score": 1.0, YARDSTICK: 0.0}
    judged = make_env(EVICTION, programs=PROGRAMS, objective=both, **SHOWN)
    refused = kept = 0
    for program in PROGRAMS:
        # One after the other, as an evaluation does not.
        end = play(env, best, options={"program": program})
        found = values(env)
        assert sum(value for value, _ in found.values()) <= sum(
            base for _, base in found.values()
        )
        assert end.steps == sum(each.steps for each in env.functions)
        # LLVM's own, what the policy likes most and four draws of each function, and
        # what the yardstick had to be measured of.
        once = 6 * sum(each.steps > 0 for each in env.functions)
        assert once < best.found.compiles <= 2 * once
        for function, (value, base) in found.items():
            judged.reset(options={"program": program, "function": function})
            made = [*judged.rollouts(policy, 4, seed=7), *judged.rollouts(policy, 1)]
            llvm = made[0].info["baseline"]
            better = [
                each.info["objective"]
                for each in made
                if each.info["objective"]["regalloc_score"] < base
            ]
            good = [each for each in better if each[YARDSTICK] <= llvm[YARDSTICK]]
            refused += len(better) - len(good)
            kept += bool(good)
            assert value == min([base, *(each["regalloc_score"] for each in good)])
    assert refused
    assert kept
    again = BestSample(env, 7, policy, 4)
    play(env, again, options={"program": program})
    assert values(env) == found


def test_without_llvms_answer_samples_are_all(make_env: MakeEnv) -> None:
    env = make_env(EVICTION, programs=PROGRAMS)
    policy = random_network(env.setup)
    play(env, BestSample(env, 0, policy, 1), options={"program": "kernels/basic"})
    some = values(env)
    env.reset(options={"program": "kernels/basic"})
    env.finish(policy)
    for function, (value, _) in values(env).items():
        assert some[function][0] <= value


def test_the_lowest_of_the_good_compiles_is_kept() -> None:
    asked: list[int] = []

    def kept(values: list[float | None], good: set[int]) -> int | None:
        asked.clear()

        def is_good(number: int) -> bool:
            asked.append(number)
            return number in good

        return best_sample(values, is_good)

    assert kept([10.0, 1.0, None, 9.0, 9.0], {0, 3, 4}) == 3
    # No more is asked than has to be known.
    assert asked == [1, 3]
    assert kept([10.0, 1.0], {0}) == 0
    # None is good.
    assert kept([None, 7.0, 5.0, 5.0], set()) == 2
    assert kept([None], {0}) is None


def without_numbers(env: Any) -> PortablePolicy:
    """A policy whose sums are too large for a number."""
    message = random_network(env.setup).message
    last = message.model.network.layers[1]
    last.weights[:] = [3e38] * len(last.weights)
    return PortablePolicy(message)


def test_a_policy_that_cannot_decide_leaves_llvms_own(make_env: MakeEnv) -> None:
    options = {"program": "kernels/basic"}
    env = make_env(EVICTION, programs=PROGRAMS, **SHOWN)
    play(env, BestSample(env, 0, without_numbers(env), 2), options=options)
    assert all(value == base for value, base in values(env).values())
    env = make_env(EVICTION, programs=PROGRAMS)
    with pytest.raises(PolicyError, match="not a finite number"):
        play(env, BestSample(env, 0, without_numbers(env), 2), options=options)


def test_what_is_measured_by_running_goes_by_the_tasks_objective(
    make_env: MakeEnv,
) -> None:
    taken = []
    measuring = Measuring(repeats=1, most_repeats=1)
    for settings in ({}, {"objective": "wall_time", "measuring": measuring}):
        env = make_env(EVICTION, programs=PROGRAMS, **settings, **SHOWN)
        policy = random_network(env.setup)
        end = play(
            env, BestSample(env, 0, policy, 3), options={"program": "kernels/btree"}
        )
        taken.append(env.trajectory.actions)
    assert "wall_time" in end.info["objective"]
    assert taken[0] == taken[1]


def test_what_it_is_not_for(make_env: MakeEnv) -> None:
    both = {"regalloc_score": 1.0, "text_size": 1.0}
    env = make_env(EVICTION, programs=PROGRAMS, objective=both)
    policy = random_network(env.setup)
    with pytest.raises(ValueError, match="one objective"):
        BestSample(env, 0, policy, 1)
    inlining = make_env("mlcompiler/Inlining-v0", programs=PROGRAMS)
    with pytest.raises(ValueError, match="inlining does not decide function by"):
        play(inlining, BestSample(inlining, 0, PortablePolicy.named("always"), 1))
    whole = gym.make("mlcompiler/RegAlloc-v0", programs=PROGRAMS)
    with pytest.raises(PolicyError, match="no reference policy"):
        sampled.best_of_3(whole, 0)
    whole.close()
    with pytest.raises(AttributeError, match="say best_of_N"):
        _ = sampled.best_of_0
