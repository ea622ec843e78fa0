# SPDX-License-Identifier: Apache-2.0
"""Searches over pass orderings find what they say that they have found."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import pytest

import mlcompiler_gym  # noqa: F401
from mlcompiler_gym import PassOrderingEnv, replay
from mlcompiler_gym.policies import (
    SearchResult,
    greedy_search,
    local_search,
    random_search,
)
from mlcompiler_gym.policies.local_search import _Forks
from mlcompiler_gym.policies.search import Search, _climb


def make(**settings: Any) -> PassOrderingEnv:
    env = gym.make(
        "mlcompiler/PassOrdering-v0", programs="kernels/lz", **settings
    ).unwrapped
    assert isinstance(env, PassOrderingEnv)
    return env


def check_replays(env: PassOrderingEnv, found: SearchResult) -> None:
    _, info = env.reset()
    for action in found.actions:
        *_, info = env.step(action)
    assert info["objective"] == found.values
    assert replay(env.trajectory).values == found.values


def test_greedy_gets_most_of_what_oz_gets() -> None:
    env = make(actions="poset-odg34")
    _, info = env.reset()
    before = info["objective"]["ir_instructions"]
    oz = env.baseline["ir_instructions"]
    found = greedy_search(env, seconds=4, seed=0)
    assert before - found.values["ir_instructions"] > 0.5 * (before - oz)
    assert found.value == found.values["ir_instructions"] / before
    check_replays(env, found)


def test_random_search_never_ends_worse_than_it_began() -> None:
    env = make()
    _, info = env.reset()
    found = random_search(env, seconds=2, seed=0)
    assert found.tried > 0
    assert found.values["ir_instructions"] <= info["objective"]["ir_instructions"]
    check_replays(env, found)


def test_a_search_may_begin_behind_given_actions() -> None:
    env = make(actions=["default<Oz>", "sroa", "dce"])
    found = greedy_search(env, seconds=1, seed=0, first=[0])
    assert found.actions[0] == 0
    assert found.values["ir_instructions"] <= env.baseline["ir_instructions"]


def test_local_search_changes_what_it_is_given() -> None:
    names = ["default<Oz>", "sroa", "dce", "instcombine<no-verify-fixpoint>", "mem2reg"]
    env = make(actions=names)
    env.reset()
    oz = env.baseline["ir_instructions"]
    found = local_search(env, seconds=3, seed=0, start=[1, 2, 0])
    assert found.values["ir_instructions"] <= oz
    # How many depends on the machine; one is the start itself.
    assert found.tried > 1
    check_replays(env, found)
    # It also starts from nothing, and passes by steps that the module does not survive.
    env = make(actions=["trigger-crash-function", *names[1:]])
    found = local_search(env, seconds=2, seed=0)
    assert found.actions
    assert 0 not in found.actions
    check_replays(env, found)


def test_local_search_spends_a_number_of_compiles() -> None:
    """And no time that depends on the machine: it finds the same each time."""
    names = ["sroa", "dce", "instcombine<no-verify-fixpoint>", "mem2reg", "simplifycfg"]
    env = make(actions=names)
    first = local_search(env, compiles=1, seed=0, start=[0, 1])
    assert first.actions == [0, 1]
    # The start, and no change of it.
    assert first.tried == 2
    ten = [local_search(env, compiles=10, seed=3, start=[0, 1]) for _ in range(2)]
    assert ten[0] == ten[1]
    assert ten[0].value <= first.value
    check_replays(env, ten[0])
    with pytest.raises(ValueError, match="how many seconds, or compiles"):
        local_search(env)


def test_actions_that_crash_the_compiler_are_passed_over() -> None:
    env = make(actions=["trigger-crash-function", "sroa", "instcombine"])
    found = greedy_search(env, seconds=2, seed=0)
    assert found.actions
    assert 0 not in found.actions


@pytest.mark.parametrize("search", [greedy_search, local_search, random_search])
def test_no_action_is_taken_twice_where_that_is_illegal(
    search: Callable[..., SearchResult],
) -> None:
    env = make(actions="poset-manual15", repeats=False)
    found = search(env, seconds=2, seed=0)
    assert len(set(found.actions)) == len(found.actions)


def test_greedy_takes_the_best_action() -> None:
    env = make(actions=["dce", "instcombine", "sroa", "simplifycfg"])
    _, info = env.reset()
    reached = {}
    for action in range(len(env.action_names)):
        with env.fork() as twin:
            reached[action] = twin.step(action)[4]["objective"]["ir_instructions"]
    best = min(reached, key=lambda action: reached[action])
    # There is one best, another that is better than nothing, and one that is not.
    before = info["objective"]["ir_instructions"]
    assert len({value for value in reached.values() if value < before}) > 1
    assert sorted(reached.values())[0] < sorted(reached.values())[1]
    with env.fork() as twin:
        _climb(Search(env, info, 60, seed=0), twin, info)
        assert twin.trajectory.actions[0] == best


def test_local_search_never_keeps_what_is_worse(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept: list[float] = []
    reached: list[float | None] = []
    evaluate, adopt = _Forks.evaluate_each, _Forks.adopt

    def watched_evaluate(self: _Forks, tried: Any) -> list[float | None]:
        reached.extend(values := evaluate(self, tried))
        return values

    def watched_adopt(self: _Forks, actions: Any, same: int) -> None:
        assert reached[-1] is not None
        kept.append(reached[-1])
        adopt(self, actions, same)

    monkeypatch.setattr(_Forks, "evaluate_each", watched_evaluate)
    monkeypatch.setattr(_Forks, "adopt", watched_adopt)
    env = make(actions=["sroa", "loop-unroll", "instcombine", "loop-rotate", "gvn"])
    found = local_search(env, seconds=2, seed=0)
    assert kept == sorted(kept, reverse=True)
    assert found.value == kept[-1]
    # Sequences that are little worse were there to be kept.
    assert any(value and 1 < value / found.value <= 1.05 for value in reached)
