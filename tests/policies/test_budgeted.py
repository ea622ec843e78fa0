# SPDX-License-Identifier: Apache-2.0
"""Search with a number of compiles, as policies."""

from collections.abc import Callable

import pytest
from support.samples import CALLS

from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.policies import exhaustive_search, play
from mlcompiler_gym.policies.budgeted import (
    BudgetedSearch,
    greedy_10,
    local_10,
    local_100,
)


@pytest.mark.parametrize("make_search", [greedy_10, local_10])
def test_no_more_compiles_are_spent_than_there_are(
    make: Callable[..., CompilerEnv],
    make_search: Callable[[CompilerEnv, int], BudgetedSearch],
) -> None:
    env = make(programs=[CALLS], inlining_default=True)
    search = make_search(env, 0)
    before = play(env, search).reward
    # Of eight decisions there are eight single changes, and what they begin with.
    assert search.spent == (9 if make_search is greedy_10 else 10)
    # It begins with LLVM's own decisions, so it never ends behind them.
    assert before >= 0
    assert play(env, make_search(env, 0)).reward == before


def test_what_was_found_is_what_is_played(make: Callable[..., CompilerEnv]) -> None:
    env = make(programs=[CALLS])
    env.reset()
    best = exhaustive_search(env)
    found = play(env, local_100(env, 1)).reward
    assert found == pytest.approx(best.reward)


def test_masks_are_kept(make_env: Callable[..., CompilerEnv]) -> None:
    env = make_env("mlcompiler/LoopDistribution-v0", programs="loops/split_strides")
    env.reset()
    best = exhaustive_search(env)
    assert play(env, local_100(env, 0)).reward == pytest.approx(best.reward)
    assert best.reward > 0.05
