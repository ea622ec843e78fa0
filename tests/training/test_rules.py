# SPDX-License-Identifier: Apache-2.0
"""Rules for where to deviate: what labels propose, and episodes dispose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from numpy.typing import NDArray
from support.curves import untimed

from mlcompiler_gym.errors import TrainingError
from mlcompiler_gym.programs import Program, load_programs
from mlcompiler_gym.training import (
    Assignment,
    Labels,
    Rules,
    RulesSettings,
    find_algorithm,
    load_settings,
)
from mlcompiler_gym.training.playing import Played
from mlcompiler_gym.training.rules import Bound, Rule
from mlcompiler_gym.training.trials import Trials

INLINING = "mlcompiler/Inlining-v0"
SHOWN: dict[str, Any] = {"linkage": True, "inlining_default": True}
SETTINGS = RulesSettings(base="last_use", counts=(1, 0), proposals=4)
BODY = "".join(f"  call void @effect(i32 {i})\n" for i in range(40))


@pytest.fixture(scope="module")
def env() -> Iterator[Any]:
    made = gym.make(INLINING, programs="kernels/lz", **SHOWN).unwrapped
    yield made
    made.close()


@pytest.fixture(scope="module")
def place(env: Any) -> dict[str, int]:
    return {
        name: index for index, (name, _) in enumerate(env.setup.features.task_names)
    }


@pytest.fixture(scope="module")
def labels(place: dict[str, int]) -> Labels:
    """To keep a call that LLVM inlines saves 9 bytes, in one corner alone."""
    rng = np.random.default_rng(0)
    count = 900
    drawn = rng.integers(0, 9, (count, len(place)))
    features: NDArray[np.float32] = drawn.astype(np.float32)
    for name, few in {
        "inlining_default": 2,
        "callee_removed": 2,
        "callee_linkage": 3,
    }.items():
        features[:, place[name]] = rng.integers(0, few, count)
    features[:, place["cost_estimate"]] = rng.integers(-50, 10, count)
    values = np.full((count, 2), 100.0)
    base = base_of(features, place)
    values[np.arange(count), 1 - base] += 5
    values[corner(features, place) & (base == 1), 0] = 91.0
    names = np.array([f"pypi/p{i % 12}/u" for i in range(count)])
    calls = np.ones(count, np.int64)
    return Labels(names, np.arange(count), features, values, calls)


def corner(features: Any, place: dict[str, int]) -> Any:
    return (features[:, place["callee_linkage"]] == 2) & (
        features[:, place["cost_estimate"]] > -20
    )


def base_of(features: Any, place: dict[str, int]) -> Any:
    shown = [features[:, place[n]] > 0 for n in ("inlining_default", "callee_removed")]
    return np.logical_or.reduce(shown).astype(np.int64)


def test_finds_where_deviations_save(
    labels: Labels, env: Any, place: dict[str, int]
) -> None:
    rules = Rules(labels, env, SETTINGS, lambda *_: True)
    first = rules.found[0]
    assert first.action == 1
    assert {bound.element for bound in first.bounds} == {
        place["callee_linkage"],
        place["cost_estimate"],
    }
    base = base_of(labels.features, place)
    where = corner(labels.features, place)
    assert first.score == 9 * np.sum(where & (base == 1))
    actions = rules.policy(1).decide(labels.features).actions
    np.testing.assert_array_equal(actions, np.where(where, 0, base))
    np.testing.assert_array_equal(rules.policy(0).decide(labels.features).actions, base)


def test_a_rule_may_inline_what_is_kept(
    labels: Labels, env: Any, place: dict[str, int]
) -> None:
    turned = replace(labels, values=labels.values.copy())
    base = base_of(labels.features, place)
    where = corner(labels.features, place) & (base == 0)
    turned.values[where, 1] = 80.0
    rules = Rules(turned, env, SETTINGS, lambda _, __, rule: rule.action == 0)
    assert {rule.action for rule in rules.found} == {0}
    actions = rules.policy(1).decide(labels.features).actions
    np.testing.assert_array_equal(actions, np.where(where, 1, base))


def test_what_does_not_pay_is_left_out(
    labels: Labels, env: Any, place: dict[str, int]
) -> None:
    tried: list[Rule] = []

    def never(without: Any, with_it: Any, rule: Rule) -> bool:
        tried.append(rule)
        assert without.to_bytes() != with_it.to_bytes()
        return False

    rules = Rules(labels, env, SETTINGS, never)
    assert tried
    assert len(tried) <= SETTINGS.proposals
    assert not rules.found
    assert rules.policy(1).to_bytes() == rules.policy(0).to_bytes()


def test_the_base_is_followed_where_labels_are(
    labels: Labels, env: Any, place: dict[str, int]
) -> None:
    """Where it deviates from LLVM, and in kinds that have labels."""
    pick = [
        labels.features[:, place[n]] for n in ("inlining_default", "callee_removed")
    ]
    deviates = (pick[0] == 0) & (pick[1] == 1)
    linkage = labels.features[:, place["callee_linkage"]]
    known = labels[~deviates | (linkage == 1)]
    policy = Rules(known, env, SETTINGS, lambda *_: False).policy(0)
    base = base_of(labels.features, place)
    np.testing.assert_array_equal(
        policy.decide(labels.features).actions,
        np.where(deviates & (linkage != 1), 0, base),
    )


def test_the_order_of_labels_makes_no_difference(labels: Labels, env: Any) -> None:
    shuffled = labels[np.random.default_rng(1).permutation(len(labels))]
    one, other = (
        Rules(each, env, SETTINGS, lambda *_: True).policy(1)
        for each in (labels, shuffled)
    )
    assert one.to_bytes() == other.to_bytes()
    assert one.card.seen


def given(**changed: Any) -> dict[str, Any]:
    """A rule that labels do not call for."""
    bounds = {"callee_linkage": [-np.inf, 0.5], "cost_estimate": [-10, 5.5]}
    return {"action": 1, "bounds": bounds, **changed}


def test_a_given_rule_is_tried_first(
    labels: Labels, env: Any, place: dict[str, int], tmp_path: Path
) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(
        "[[given]]\n"
        "action = 1\n"
        "bounds = { callee_linkage = [-inf, 0.5], cost_estimate = [-10, 5.5] }\n"
    )
    read = load_settings(RulesSettings, file, {})
    assert read.given == (given(),)
    settings = replace(SETTINGS, given=read.given, proposals=1)
    base = base_of(labels.features, place)
    cost = labels.features[:, place["cost_estimate"]]
    where = (labels.features[:, place["callee_linkage"]] == 0) & (cost > -10)
    where &= cost <= 5.5
    policy = Rules(labels, env, settings, lambda *_: True).policy(1)
    np.testing.assert_array_equal(
        policy.decide(labels.features).actions, np.where(where, 0, base)
    )
    (rule,) = Rules(labels, env, settings, lambda *_: True).found
    assert rule.score == -5 * np.sum(where & (base == 1))


@pytest.mark.parametrize(
    "changed",
    [
        {"action": 2},
        {"bounds": {"moon": [0, 1]}},
        {"bounds": {"cost_estimate": 4}},
        {"bounds": [1, 2]},
    ],
)
def test_refuses_a_given_rule_that_is_none(
    labels: Labels, env: Any, changed: dict[str, Any]
) -> None:
    settings = replace(SETTINGS, given=(given(**changed),))
    with pytest.raises(TrainingError, match="a given rule has an action, 0 or 1"):
        Rules(labels, env, settings, lambda *_: False)


@pytest.mark.parametrize(
    "narrow", [{"support": 900}, {"packages": 13}, {"losses": 0.0, "clip": 0.0}]
)
def test_too_little_to_tell(labels: Labels, env: Any, narrow: dict[str, Any]) -> None:
    settings = replace(SETTINGS, **narrow)
    assert not Rules(labels, env, settings, lambda *_: True).found


# -- Episodes ----------------------------------------------------------------


def keeps(name: str, body: str) -> Program:
    """LLVM keeps a call although the callee's body would go with it."""
    text = f"""
    target triple = "x86_64-linux-gnu"
    declare void @effect(i32)
    define linkonce_odr void @large() minsize optsize {{
    {body}  ret void
    }}
    define void @main() minsize optsize {{
      call void @large()
      ret void
    }}
    """
    return Program(name, text.encode())


def test_a_rule_pays_if_programs_become_smaller(
    env: Any, place: dict[str, int], labels: Labels, tmp_path: Path
) -> None:
    programs = [keeps("file/one", BODY), keeps("file/two", BODY * 2)]
    assignment = Assignment(INLINING, programs, tmp_path, SHOWN)
    settings = replace(SETTINGS, base="llvm")
    trials = Trials(assignment, programs, settings)
    rows = np.zeros(0, np.intp)
    removed = Bound(place["callee_removed"], 0.5)
    inline, keep = (Rule(action, (removed,), 1.0, rows) for action in (0, 1))
    made = Rules(labels, env, settings, lambda *_: False)
    both = {each.name for each in programs}
    without, with_it = made._made([]), made._made([inline])
    assert trials.pays(both, without, with_it, inline)
    assert not trials.pays(both, with_it, without, inline), "it makes them larger"
    assert not trials.pays({"file/one"}, without, with_it, inline), "of one program"
    assert not trials.pays(both, without, with_it, keep), "it has no say"
    trials.close()


def test_comes_to_the_same_policy_again(tmp_path: Path) -> None:
    programs = list(load_programs(["kernels/json", "kernels/lz", "kernels/lisp"]))
    algorithm = find_algorithm("rules")
    settings = replace(
        SETTINGS, decisions=12, support=2, packages=2, folds=2, losses=0.5
    )
    first, again = (
        algorithm.train(
            Assignment(INLINING, programs, tmp_path / name, SHOWN), settings
        )
        for name in ("first", "again")
    )
    assert first.policy.to_bytes() == again.policy.to_bytes()
    assert [row.name for row in first.played] == ["rules 1", "rules 0"]
    assert first.chosen.ratio == min(row.ratio for row in first.played)
    assert "36 decisions labelled by fork" in first.policy.card.method
    curve = untimed(first.curve)
    assert curve == untimed(again.curve)
    assert [point.spent for point in curve] == [{"labels": 36}] * 2
    assert [Played.of(each.name, each.held_out) for each in curve] == first.played


def test_settings() -> None:
    for wrong in ({"counts": [0, 1]}, {"counts": [-1]}, {"folds": 1}, {"support": 0}):
        with pytest.raises(TrainingError):
            load_settings(RulesSettings, None, wrong)
