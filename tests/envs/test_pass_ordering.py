# SPDX-License-Identifier: Apache-2.0
"""Pass ordering: the environment, its actions and what they do to the module."""

import json
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
import stable_baselines3.common.env_checker
from gymnasium.utils.env_checker import check_env
from hypothesis import given
from hypothesis import strategies as st
from support.pass_ordering import (
    FEW,
    LOOP,
    ORDERING,
    SETS,
    MakeOrdering,
    orderings,
    same,
    take,
)
from support.strategies import examples

from mlcompiler_gym import (
    InvalidActionError,
    LocalService,
    ResetNeededError,
    ServiceError,
    Trajectory,
    replay,
)


@pytest.fixture
def make_ordering(service: LocalService) -> Iterator[MakeOrdering]:
    """``make_ordering(actions=…)`` on a service of the test's own."""
    with orderings(service) as make:
        yield make


numbers = st.lists(st.integers(0, 10**6), min_size=1, max_size=12)


@pytest.mark.parametrize("repeats", [True, False])
@pytest.mark.filterwarnings("ignore:.*A Box observation space:UserWarning")
def test_environment_checkers(service: LocalService, repeats: bool) -> None:
    env = gymnasium.make(ORDERING, programs=LOOP, service=service, repeats=repeats)
    stable_baselines3.common.env_checker.check_env(env, warn=False)
    check_env(env.unwrapped, skip_render_check=True)
    env.close()


def test_spaces_and_first_info(make_ordering: MakeOrdering) -> None:
    env = make_ordering(actions=FEW)
    assert env.action_space == gymnasium.spaces.Discrete(len(FEW))
    assert len(env.action_names) == len(FEW)
    assert env.observation_space.shape == (56,)
    observation, info = env.reset()
    assert observation in env.observation_space
    assert info["objective"] == env.measure("ir_instructions")
    assert "action_mask" not in info


@pytest.mark.parametrize(
    ("settings", "limit"), [({}, 50), ({"max_episode_steps": 3}, 3)]
)
def test_episodes_are_truncated(
    service: LocalService, settings: dict[str, Any], limit: int
) -> None:
    env = gymnasium.make(ORDERING, programs=LOOP, service=service, **settings)
    env.reset()
    endings = [env.step(0)[2:4] for _ in range(limit)]
    assert endings == [(False, False)] * (limit - 1) + [(False, True)]
    env.close()


@pytest.mark.parametrize("actions", SETS)
def test_the_sets_sizes(make_ordering: MakeOrdering, actions: str) -> None:
    env = make_ordering(actions=actions)
    names = env.action_names
    assert len(set(names)) == len(names)
    assert actions == "llvm22" or len(names) == int(actions[-2:])


@pytest.mark.parametrize("actions", SETS)
def test_every_action_runs(make_ordering: MakeOrdering, actions: str) -> None:
    env = make_ordering(actions=actions)
    for action, name in enumerate(env.action_names):
        env.reset()
        _, reward, _, truncated, info = env.step(action)
        assert not truncated, f"{name}: {info}"
        assert np.isfinite(reward)


@given(chosen=numbers)
@examples(10)
def test_no_effect_means_the_same_text(
    make_ordering: MakeOrdering, chosen: list[int]
) -> None:
    env = make_ordering()
    env.reset()
    before = env.observe("ir")["ir"]
    for number in chosen:
        # A pass that has just been run often has nothing left to do.
        action = number % len(env.action_names)
        for _ in range(2):
            observed = env.observe("autophase")["autophase"]
            observation, reward, _, truncated, info = env.step(action)
            if truncated:
                return
            # As it is in memory: what reads bitcode gives intrinsics the attributes
            # they should have, and so undoes what `inferattrs` did to them.
            after = env.observe("ir")["ir"]
            assert info["no_effect"] == (before == after), env.action_names[action]
            if info["no_effect"]:
                assert reward == 0.0
                np.testing.assert_array_equal(observation, observed)
            before = after


#: Most of these say that they have kept all analyses, also where they have changed
#: attributes, alignments or metadata. The last ones give them something to do.
SILENT = ["argpromotion", "called-value-propagation", "deadargelim", "infer-alignment"]
SILENT += ["ipsccp", "sccp", "instcombine<no-verify-fixpoint>", "mem2reg", "sroa"]


@given(
    program=st.sampled_from(["kernels/matrix", "kernels/bigint", "kernels/regex"]),
    actions=st.lists(st.integers(0, len(SILENT) - 1), min_size=1, max_size=12),
)
@examples(15)
def test_passes_that_keep_all_analyses_may_change_the_module(
    make_ordering: MakeOrdering, program: str, actions: list[int]
) -> None:
    env = make_ordering(programs=program, actions=SILENT)
    env.reset()
    before = env.observe("ir")["ir"]
    for action in actions:
        info = env.step(action)[4]
        after = env.observe("ir")["ir"]
        assert after == before or not info["no_effect"], SILENT[action]
        before = after


def test_both_kinds_of_step_occur(make_ordering: MakeOrdering) -> None:
    env = make_ordering(actions=FEW)
    env.reset()
    found = [env.step(0)[4]["no_effect"] for _ in range(2)]
    assert found == [False, True]


@given(chosen=numbers)
@examples(10)
def test_several_actions_in_one_request(
    make_ordering: MakeOrdering, chosen: list[int]
) -> None:
    one, many = make_ordering(), make_ordering()
    actions = [number % len(one.action_names) for number in chosen]
    rewards, info = take(one, actions)
    many.reset()
    observation, reward, terminated, truncated, its_info = many.multistep(actions)
    assert not terminated
    if "error" in info:
        assert truncated
        assert its_info["error_code"] == info["error_code"]
        return
    assert same(one.emit("bitcode"), many.emit("bitcode"))
    assert reward == pytest.approx(sum(rewards))
    assert its_info["objective"] == info["objective"]
    np.testing.assert_array_equal(observation, one.observe("autophase")["autophase"])
    assert many.trajectory == one.trajectory


def test_multistep_refuses_what_is_no_action(make_ordering: MakeOrdering) -> None:
    env = make_ordering(actions=FEW)
    with pytest.raises(ResetNeededError, match="multistep"):
        env.multistep([0])
    env.reset()
    before = env.emit("bitcode")
    with pytest.raises(InvalidActionError, match="action 7 is not in"):
        env.multistep([0, len(FEW)])
    assert same(env.emit("bitcode"), before)
    assert env.multistep([0])[4]["no_effect"] is False


def test_without_repeats(make_ordering: MakeOrdering) -> None:
    env = make_ordering(actions=FEW, repeats=False)
    assert env.observation_space.shape == (len(FEW) + 56,)
    observation, info = env.reset()
    assert info["action_mask"].tolist() == [1] * len(FEW)
    observation, _, _, _, info = env.step(3)
    expected = [index != 3 for index in range(len(FEW))]
    assert info["action_mask"].tolist() == expected
    assert env.action_masks().tolist() == expected
    assert observation[: len(FEW)].tolist() == expected
    before = env.emit("bitcode")
    with pytest.raises(InvalidActionError, match=r"action 3 .* is not legal"):
        env.step(3)
    assert same(env.emit("bitcode"), before)
    for seed in range(20):
        env.action_space.seed(seed)
        assert env.action_space.sample() != 3
    env.step(2)
    assert np.flatnonzero(env.action_masks()).tolist() == [0, 1, 4, 5, 6]
    env.reset()
    assert env.action_masks().all()


def test_without_repeats_several_at_once(make_ordering: MakeOrdering) -> None:
    env = make_ordering(actions=FEW, repeats=False)
    env.reset()
    *_, info = env.multistep([0, 1, 2])
    assert np.flatnonzero(info["action_mask"]).tolist() == [3, 4, 5, 6]


@pytest.mark.parametrize(
    "bad", ["no-such-pass", "mem2reg(", "function(globaldce)", "sroa<deep>"]
)
def test_a_pipeline_that_is_none_is_named(
    make_ordering: MakeOrdering, bad: str
) -> None:
    env = make_ordering(actions=["mem2reg", bad, "adce"])
    with pytest.raises(ServiceError) as caught:
        env.reset()
    assert caught.value.code == "INVALID_ARGUMENT"
    assert f"'{bad}'" in caught.value.message


@pytest.mark.parametrize("nothing", ["", [], ["", " "]])
def test_no_actions_at_all(make_ordering: MakeOrdering, nothing: object) -> None:
    with pytest.raises(ValueError, match="names no pipeline"):
        make_ordering(actions=nothing)


@given(prefix=numbers, one=numbers, other=numbers)
@examples(6)
def test_a_fork_equals_its_replay(
    make_ordering: MakeOrdering, prefix: list[int], one: list[int], other: list[int]
) -> None:
    env = make_ordering(actions="poset-manual15")
    take(env, [number % 15 for number in prefix])
    twin = env.fork()
    for each, suffix in ((env, one), (twin, other)):
        for number in suffix:
            each.step(number % 15)
    for each, suffix in ((env, one), (twin, other)):
        recorded = each.trajectory
        assert list(recorded.actions) == [n % 15 for n in prefix + suffix]
        again = replay(
            Trajectory.from_json(recorded.to_json()),
            each.program,
            service=each.setup.service,
        )
        assert same(again.object_code, each.emit("object"))
        assert again.values == each.measure()
    twin.close()


def test_what_has_been_run_is_observed(make_ordering: MakeOrdering) -> None:
    env = make_ordering(actions=FEW)
    take(env, [0, 3])
    decision = json.loads(env.observe("decision")["decision"])
    assert decision["steps"] == 2
    assert decision["pipeline"] == "default<O0>,function(mem2reg),cgscc(inline)"
