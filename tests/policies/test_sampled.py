# SPDX-License-Identifier: Apache-2.0
"""The best of several ways to compile each function."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import pytest
from support.policies import random_network
from support.regalloc import EVICTION, MakeEnv

from mlcompiler_gym import PolicyError, PortablePolicy
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
    for program in PROGRAMS:
        # One after the other, as an evaluation does not.
        end = play(env, best, options={"program": program})
        found = values(env)
        assert sum(value for value, _ in found.values()) <= sum(
            base for _, base in found.values()
        )
        assert end.steps == sum(each.steps for each in env.functions)
        alone = make_env(EVICTION, programs=PROGRAMS, **SHOWN)
        for function, (value, base) in found.items():
            alone.reset(options={"program": program, "function": function})
            made = [*alone.rollouts(policy, 4, seed=7), *alone.rollouts(policy, 1)]
            expected = [each.info["objective"]["regalloc_score"] for each in made]
            assert value == min(*expected, base)
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
