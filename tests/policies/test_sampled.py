# SPDX-License-Identifier: Apache-2.0
"""The best of several ways to compile each function."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import pytest
from support.policies import random_network
from support.regalloc import EVICTION, MakeEnv

from mlcompiler_gym import PolicyError, PortablePolicy
from mlcompiler_gym.measuring import Measuring
from mlcompiler_gym.policies import play, sampled
from mlcompiler_gym.policies.sampled import YARDSTICK, BestSample, best_sample

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


def test_no_compile_worse_by_the_yardstick_is_kept() -> None:
    llvm = {"score": 10.0, YARDSTICK: 10.0}
    worse = {"score": 1.0, YARDSTICK: 10.5}
    good = {"score": 9.0, YARDSTICK: 10.0}
    assert best_sample([llvm, worse, None, good, dict(good)], llvm, "score") == 3
    assert best_sample([llvm, worse], llvm, "score") == 0
    # LLVM's own cannot be played.
    assert best_sample([None, worse], llvm, "score") == 1
    assert best_sample([None], {}, "score") is None


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
    loops = gym.make("mlcompiler/LoopDistribution-v0", programs="loops")
    with pytest.raises(PolicyError, match="no reference policy"):
        sampled.best_of_3(loops, 0)
    loops.close()
    with pytest.raises(AttributeError, match="say best_of_N"):
        _ = sampled.best_of_0
