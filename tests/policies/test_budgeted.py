# SPDX-License-Identifier: Apache-2.0
"""Search with a budget, as policies: the same for every task with discrete actions."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from support.networks import random_network
from support.regalloc import MakeEnv
from support.samples import CALLS

from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.evaluation import Evaluation
from mlcompiler_gym.evaluation.player import Player
from mlcompiler_gym.policies import (
    Best,
    budgeted,
    exhaustive_search,
    play,
    settings_for,
)
from mlcompiler_gym.policies.baselines import cheapest
from mlcompiler_gym.policies.budgeted import METHODS, search
from mlcompiler_gym.policies.episode_search import EpisodeSearch
from mlcompiler_gym.policies.pipelines import PASSES
from mlcompiler_gym.programs import load_programs

INLINING = "mlcompiler/Inlining-v0"
ORDERING = "mlcompiler/PassOrdering-v0"
#: An environment of each kind: with an end, with masks, and without an end.
KINDS: dict[str, dict[str, Any]] = {
    INLINING: {"programs": [CALLS], "inlining_default": True},
    "mlcompiler/LoopDistribution-v0": {"programs": "loops/split_strides"},
    ORDERING: {"programs": "kernels/lz", "actions": list(PASSES)},
}


@pytest.mark.parametrize("env_id", KINDS)
@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_finds_the_same_and_nothing_worse(
    make_env: MakeEnv, env_id: str, method: str
) -> None:
    env = make_env(env_id, **KINDS[env_id])
    if method == "callees" and env_id != INLINING:
        with pytest.raises(ValueError, match="callee"):
            play(env, search(env, 0, method, compiles=2))
        return
    once = search(env, 3, method, compiles=1)
    start = play(env, once).reward
    found = []
    for _ in range(2):
        policy = search(env, 3, method, compiles=12)
        reward = play(env, policy).reward
        assert policy.found is not None
        found.append((policy.found, reward))
        assert reward >= start
        assert 1 <= policy.found.compiles <= 12
    assert found[0] == found[1]
    # What was found is what is played.
    if env_id != ORDERING:
        assert found[0][0].value == pytest.approx(1 - found[0][1])


@pytest.mark.parametrize(
    ("env_id", "method"),
    [
        (INLINING, "callees"),
        (INLINING, "greedy"),
        (INLINING, "local"),
        (INLINING, "random"),
        ("mlcompiler/LoopDistribution-v0", "local"),
        (ORDERING, "greedy"),
        (ORDERING, "local"),
    ],
)
def test_compiles_at_the_same_time_are_as_repeatable(
    make_env: MakeEnv, env_id: str, method: str
) -> None:
    env = make_env(env_id, **KINDS[env_id])
    start = play(env, search(env, 3, method, compiles=1)).reward
    found = []
    for _ in range(2):
        policy = search(env, 3, method, compiles=12, parallel=3)
        played = play(env, policy)
        assert policy.found is not None
        assert played.info["objective"] == policy.found.values
        assert played.reward >= start
        assert policy.found.compiles <= 12
        found.append(policy.found)
    assert found[0] == found[1]


def test_greedy_search_loses_no_change_to_compiles_at_the_same_time(
    make: Callable[..., CompilerEnv],
) -> None:
    """With two answers to choose from, it finds what it finds one by one."""
    env = make(programs=[CALLS])
    start = play(env, search(env, 0, "greedy", compiles=1)).reward
    found = {
        play(env, search(env, 0, "greedy", seconds=60, parallel=parallel)).reward
        for parallel in (1, 2, 5)
    }
    assert len(found) == 1
    assert found.pop() > start


@pytest.mark.parametrize("env_id", KINDS)
def test_one_compile_is_the_episode_of_the_prior(
    make_env: MakeEnv, env_id: str
) -> None:
    env = make_env(env_id, **KINDS[env_id])
    start = [0, 5] if env_id == ORDERING else []
    settings: dict[str, Any] = {"start": start} if start else {}
    ended = play(env, search(env, 0, "mcts", compiles=1, **settings))
    env.reset()
    if start:
        for action in start:
            *_, info = env.step(action)
    else:
        name = "llvm" if env_id == INLINING else "inactive"
        *_, info = env.finish(name)
    assert ended.info["objective"] == info["objective"]


def test_a_policy_that_is_data_is_a_prior(make: Callable[..., CompilerEnv]) -> None:
    """Its episode comes first, and its probabilities say where to look next."""
    env = make(programs=[CALLS], inlining_default=True)
    env.reset()
    policy = random_network(env, widths=(8,))
    env.reset()
    alone = env.rollout(policy)
    found = search(env, 0, "mcts", compiles=1, prior=policy)
    assert play(env, found).reward == pytest.approx(alone.reward)
    assert found.found is not None
    assert found.found.actions == alone.actions.tolist()
    more = play(env, search(env, 0, "mcts", compiles=30, prior=policy)).reward
    assert more >= alone.reward


@pytest.mark.parametrize("method", ["mcts", "beam"])
def test_with_compiles_enough_the_best_of_all_is_found(
    make_env: MakeEnv, method: str
) -> None:
    env = make_env("mlcompiler/LoopDistribution-v0", programs="loops/split_strides")
    env.reset()
    best = exhaustive_search(env)
    assert best.reward > 0.05
    policy = search(env, 0, method, compiles=10 * best.tried)
    assert play(env, policy).reward == pytest.approx(best.reward)
    # It has an end: nothing is tried twice.
    assert policy.found is not None
    assert policy.found.compiles <= best.tried + 1


@pytest.mark.parametrize("method", ["local", "callees"])
def test_local_search_finds_the_best_of_a_few_calls(
    make: Callable[..., CompilerEnv], method: str
) -> None:
    env = make(programs=[CALLS])
    env.reset()
    best = exhaustive_search(env)
    found = play(env, search(env, 1, method, compiles=100)).reward
    assert found == pytest.approx(best.reward)


@pytest.fixture
def together(tmp_path: Path) -> str:
    """A body that goes only if both calls of it are inlined."""
    source = tmp_path / "together.c"
    source.write_text(
        """
        extern int g[8];
        extern void f(void);
        static void body(int x) { g[0] = x; f(); }
        void a(int x) { body(x); g[5] = 1; }
        void b(int x) { body(x); g[6] = 2; }
        """
    )
    return str(source)


def test_all_calls_of_a_callee_are_changed_together(
    make: Callable[..., CompilerEnv], together: str
) -> None:
    """No change of a single call gains: the body stays as long as one call does."""
    env = make(programs=together, objective="text_size")
    env.reset()
    rewards = {}
    for actions in ((0, 0), (0, 1), (1, 0), (1, 1)):
        env.reset()
        for action in actions:
            _, reward, *_ = env.step(action)
        rewards[actions] = float(reward)
    # What one of the two alone comes to is worse.
    assert rewards[(1, 1)] > rewards[(0, 0)] > rewards[(0, 1)]
    policy = search(env, 0, "callees", compiles=2)
    found = play(env, policy)
    assert policy.found is not None
    # With a single compile beside the first, both calls have been changed.
    assert policy.found.actions == [1, 1]
    assert found.reward == rewards[(1, 1)]


def test_no_answers_to_calls_are_tried_twice(
    make: Callable[..., CompilerEnv], together: str
) -> None:
    env = make(programs=together)
    policy = search(env, 0, "callees", compiles=1000)
    play(env, policy)
    assert policy.found is not None
    # Two calls are answered in four ways, and in one of them by the prior, too.
    assert 4 <= policy.found.compiles <= 5


def test_callees_begins_with_the_best_of_what_there_is(
    make: Callable[..., CompilerEnv], tmp_path: Path
) -> None:
    """LLVM keeps both calls, and another change is of one alone."""
    calls = "".join(f"  call void @effect(i32 {i})\n" for i in range(60))
    large = [
        f"define linkonce_odr void @large{n}() minsize optsize {{ {calls} ret void }}"
        for n in range(2)
    ]
    source = tmp_path / "large.ll"
    source.write_text(
        "\n".join(
            [
                'target triple = "x86_64-linux-gnu"',
                "declare void @effect(i32)",
                *large,
                "define void @main() minsize optsize {",
                "  call void @large0()",
                "  call void @large1()",
                "  ret void",
                "}",
            ]
        )
    )
    shown: dict[str, Any] = {"objective": "ir_instructions"}
    for count, option in enumerate(("inlining_default", "linkage", "bodies")):
        shown[option] = True
        env = make(programs=str(source), **shown)
        policy = search(env, 0, "callees", compiles=2)
        play(env, policy)
        assert isinstance(policy, EpisodeSearch)
        assert len(policy.others) == count
        assert policy.found.actions == ([1, 1] if count else [1, 0])


def test_no_more_compiles_are_spent_than_there_are(
    make: Callable[..., CompilerEnv],
) -> None:
    env = make(programs=[CALLS], inlining_default=True)
    for method, spent in (("greedy", 9), ("local", 10)):
        policy = search(env, 0, method, compiles=10)
        # It begins with LLVM's own decisions, so it never ends behind them.
        assert play(env, policy).reward >= 0
        # Greedy search tries the start and a change of each of the eight decisions.
        assert policy.found is not None
        assert policy.found.compiles == spent


def test_time_is_a_budget_too(make: Callable[..., CompilerEnv]) -> None:
    env = make(programs=[CALLS], inlining_default=True)
    env.reset()
    began = time.monotonic()
    policy = search(env, 0, "local", seconds=1)
    play(env, policy)
    assert policy.found is not None
    assert policy.found.seconds >= 1
    # What is under way is played to its end, and what was found once more.
    assert time.monotonic() - began < 60
    assert policy.found.compiles > 1


def test_names_say_method_and_budget(make: Callable[..., CompilerEnv]) -> None:
    env = make(programs=[CALLS], inlining_default=True)
    found = {
        name: play(env, getattr(budgeted, name)(env, 0)).reward
        for name in ("local_10_x2", "greedy_10", "mcts_3", "beam_3", "callees_3")
    }
    assert min(found.values()) >= 0
    named = play(env, search(env, 0, "local", compiles=10, parallel=2)).reward
    assert found["local_10_x2"] == named
    for name in ("local", "anneal_10", "local_0", "local_10m", "local_10_x0"):
        with pytest.raises(AttributeError, match="METHOD_COMPILES or METHOD_SECONDSs"):
            getattr(budgeted, name)


@pytest.mark.parametrize("method", ["local", "greedy", "random", "beam", "mcts"])
def test_no_order_is_longer_than_an_episode(method: str) -> None:
    """A longer one is cut off when it is played, and comes to anything."""
    env = gym.make(
        ORDERING, programs="kernels/lz", actions="llvm22", max_episode_steps=9
    )
    policy = search(env, 0, method, compiles=40)
    played = play(env, policy)
    assert policy.found is not None
    assert played.steps <= 9
    assert played.info["objective"] == policy.found.values
    env.close()


@pytest.mark.parametrize("actions", [list(PASSES), "llvm22"])
def test_local_search_goes_on_from_the_best_order_of_the_reference(
    make_env: MakeEnv, actions: list[str] | str
) -> None:
    plain = make_env(ORDERING, programs="kernels/bwt")
    shown = settings_for(plain, "reference")
    tried = make_env(ORDERING, programs="kernels/bwt", **shown)
    best = tried.step(Best(tried, work=10**9)(*tried.reset()))[4]["objective"]
    env = make_env(ORDERING, programs="kernels/bwt", actions=actions)
    # As many compiles as there are orders, -Oz as a whole and by its passes included.
    count = len(tried.setup.actions.meanings) + 1
    found = play(env, search(env, 0, "local", compiles=count)).info["objective"]
    if actions == "llvm22":
        # -Oz as a whole is no action. Its passes come to nearly the same.
        assert found["ir_instructions"] <= 1.01 * best["ir_instructions"]
    else:
        assert found == best
    assert found["ir_instructions"] < env.baseline["ir_instructions"]


def test_an_evaluation_says_what_was_spent() -> None:
    name = "mlcompiler_gym.policies.budgeted:local_3"
    player = Player(Evaluation(INLINING, name, {"inlining_default": True}))
    (program,) = load_programs("kernels/lz")
    record = player.play(program, 0).record
    player.close()
    assert record["search"]["compiles"] == 3
    assert record["search"]["seconds"] > 0


def test_refuses_what_it_cannot_search(make_env: MakeEnv) -> None:
    env = make_env(INLINING, programs=[CALLS])
    with pytest.raises(ValueError, match="the search is one of beam"):
        search(env, 0, "anneal", compiles=3)
    with pytest.raises(ValueError, match="how many seconds, or compiles"):
        search(env, 0)
    with pytest.raises(ValueError, match="mcts compiles one thing after the other"):
        search(env, 0, "mcts", compiles=3, parallel=2)
    with pytest.raises(ValueError, match="parallel is a number from 1 on, not 0"):
        search(env, 0, compiles=3, parallel=0)
    with pytest.raises(ValueError, match="is a MultiDiscrete; this takes one choice"):
        search(make_env("mlcompiler/Parameters-v0", programs=[CALLS]), 0, compiles=2)


def test_the_allocation_of_all_live_ranges_begins_with_what_is_cheapest(
    make_env: MakeEnv,
) -> None:
    with pytest.raises(ValueError, match="no action that does nothing"):
        search(make_env("mlcompiler/RegAlloc-v0", programs=[CALLS]), 0, compiles=2)
    env = make_env(
        "mlcompiler/RegAlloc-v0", programs="kernels/sorting", cheapest_action=True
    )
    ruled = play(env, cheapest(env))
    for compiles in (1, 6):
        policy = search(env, 0, "local", compiles=compiles)
        found = play(env, policy)
        assert policy.found is not None
        assert policy.found.compiles == compiles
        assert found.reward >= ruled.reward
        if compiles == 1:
            assert found.info["objective"] == ruled.info["objective"]


def test_masks_are_kept(make_env: MakeEnv) -> None:
    env = make_env("mlcompiler/LoopDistribution-v0", programs="loops/split_strides")
    env.reset()
    best = exhaustive_search(env)
    assert play(env, search(env, 0, compiles=100)).reward == pytest.approx(best.reward)


def test_order_search_stops_behind_what_it_has_found(make_env: MakeEnv) -> None:
    env = make_env(ORDERING, **KINDS[ORDERING])
    policy = search(env, 0, "local", compiles=5)
    played = play(env, policy)
    assert policy.found is not None
    assert played.steps == len(policy.found.actions)
    assert played.info["objective"] == policy.found.values
    # With other actions it begins with nothing.
    few = make_env(ORDERING, programs="kernels/lz", actions=["reg2mem"])
    assert play(few, search(few, 0, "local", compiles=3)).steps == 0
    assert np.isfinite(play(few, search(few, 0, "mcts", compiles=4)).reward)
