# SPDX-License-Identifier: Apache-2.0
"""What an allocation pays, at the end or as soon as a function is done."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from support.regalloc import (
    EVICTION,
    IDS,
    NOTHING,
    TWO,
    MakeEnv,
    ir,
    legal_at_random,
    pressure,
)
from support.toolchain import always, finish, play

from mlcompiler_gym import Program


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize(
    "objective",
    [None, "text_size", {"regalloc_score": 1.0, "text_size": 0.5}],
    ids=str,
)
@pytest.mark.parametrize("program", ["kernels/json", TWO], ids=["json", "two"])
def test_dense_rewards_sum_up_to_the_final_one(
    make_env: MakeEnv, env_id: str, program: str | Program, objective: Any
) -> None:
    settings: dict[str, Any] = {"programs": program, "objective": objective}
    dense = make_env(env_id, reward="dense", **settings)
    final = make_env(env_id, **settings)
    rewards, _, _, info = play(dense, legal_at_random(dense, 5))
    expected, _, _, final_info = play(final, legal_at_random(final, 5))
    assert dense.trajectory.actions == final.trajectory.actions
    np.testing.assert_equal(info, final_info)
    assert not any(expected[:-1])
    assert expected[-1] != 0
    assert sum(rewards) == pytest.approx(expected[-1], rel=1e-9, abs=1e-12)
    # Only text_size has no parts.
    assert any(rewards[:-1]) == (objective != "text_size")


@pytest.mark.parametrize("env_id", IDS)
def test_a_dense_reward_comes_when_a_function_is_done(
    make_env: MakeEnv, env_id: str
) -> None:
    env = make_env(env_id, programs=TWO, reward="dense")
    choose = legal_at_random(env, 1)
    _, info = env.reset()
    function = info["function"]
    rewards: dict[str, list[float]] = {}
    terminated = False
    while not terminated:
        _, reward, terminated, _, info = env.step(choose(None))
        rewards.setdefault(function, []).append(float(reward))
        function = info.get("function", function)
    assert next(iter(rewards)) == "first"
    assert list(rewards)[-1] == "second"
    for paid in rewards.values():
        assert not any(paid[:-1])
    assert rewards["first"][-1] != 0
    assert rewards["second"][-1] != 0
    # What the functions alone are worth, of the whole module's score.
    whole = env.baseline["regalloc_score"]
    actions = list(env.trajectory.actions)
    count = len(rewards["first"])
    env.reset(options={"function": "first"})
    given: Iterator[Any] = iter(actions[:count])
    _, _, _, info = finish(env, lambda _: next(given))
    b, v = (info[each]["regalloc_score"] for each in ("baseline", "objective"))
    assert rewards["first"][-1] == pytest.approx((b - v) / whole)


def test_a_fork_goes_on_with_what_was_paid(make_env: MakeEnv) -> None:
    env = make_env(EVICTION, programs=TWO, reward="dense")
    _, info = env.reset()
    choose = legal_at_random(env, 1)
    paid = 0.0
    while info["function"] == "first":
        _, reward, _, _, info = env.step(choose(None))
        paid += float(reward)
    assert paid != 0
    twin = env.fork()
    for each, seed in ((env, 2), (twin, 3)):
        rewards, _, _, info = finish(each, legal_at_random(each, seed))
        b, v = (info[k]["regalloc_score"] for k in ("baseline", "objective"))
        assert paid + sum(rewards) == pytest.approx((b - v) / b)
    twin.close()


def test_rewards_are_final_or_dense(make_env: MakeEnv) -> None:
    with pytest.raises(ValueError, match="'often'"):
        make_env(EVICTION, programs=TWO, reward="often")


def test_dense_rewards_where_there_is_nothing_to_score(make_env: MakeEnv) -> None:
    program = ir("define void @nothing() {\n  ret void\n}\n", "nothing")
    for env_id in IDS:
        env = make_env(env_id, programs=program, reward="dense")
        env.reset()
        assert env.step(NOTHING)[1:4] == (0.0, True, False)
    env = make_env(IDS[1], programs=ir(pressure("f", 1)), reward="dense")
    rewards, *_ = play(env, always(1))
    assert rewards[-1] == 0.0
