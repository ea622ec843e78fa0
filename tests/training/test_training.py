# SPDX-License-Identifier: Apache-2.0
"""Labels by fork, a forest, a margin, and the policy that comes of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from support.commands import cli

from mlcompiler_gym import PortablePolicy
from mlcompiler_gym.errors import TrainingError
from mlcompiler_gym.programs import Program, load_programs
from mlcompiler_gym.training import (
    ALGORITHMS,
    Assignment,
    CounterfactualSettings,
    Forest,
    Labelling,
    Labels,
    collect,
    few_of_each,
    load_settings,
)
from mlcompiler_gym.training.counterfactual import savings_of
from mlcompiler_gym.training.out_of_fold import folds_of
from mlcompiler_gym.training.playing import Played, choose

INLINING = "mlcompiler/Inlining-v0"
SHOWN: dict[str, Any] = {
    "linkage": True,
    "inlining_default": True,
    "size_increase_threshold": 100.0,
}
NAMES = ["kernels/lz", "kernels/lisp", "kernels/json", "kernels/regex"]
LABELLING = Labelling(INLINING, SHOWN, decisions=10)
SMALL = CounterfactualSettings(
    trees=8, leaves=16, smallest_leaf=2, folds=2, margins=(1.0, 4.0)
)


@pytest.fixture(scope="module")
def programs() -> list[Program]:
    return list(load_programs(NAMES))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("labels")


@pytest.fixture(scope="module")
def labels(programs: list[Program], folder: Path) -> Labels:
    return collect(LABELLING, programs, folder)


@pytest.fixture
def env() -> Iterator[Any]:
    made = gym.make(INLINING, programs=NAMES, **SHOWN).unwrapped
    yield made
    made.close()


def test_labels_are_what_the_compiler_says(labels: Labels, env: Any) -> None:
    """Each value, by stepping there and taking the action."""
    assert set(labels.programs) == set(NAMES)
    assert labels.features.dtype == np.float32
    for row in (0, len(labels) // 2, len(labels) - 1):
        for action in (0, 1):
            env.reset(options={"program": str(labels.programs[row])})
            if labels.decisions[row]:
                env.rollout("llvm", decisions=int(labels.decisions[row]))
            *_, terminated, _, info = env.step(action)
            if not terminated:
                *_, info = env.finish("llvm")
            assert info["objective"]["text_size"] == labels.values[row, action]


def test_labels_are_made_once(
    programs: list[Program], folder: Path, labels: Labels
) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert len(before) == len(NAMES)
    again = collect(LABELLING, programs, folder)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    np.testing.assert_array_equal(again.values, labels.values)
    # Other decisions are other labels.
    collect(LABELLING, programs[:1], folder, seed=1)
    assert len(list(folder.iterdir())) == len(before) + 1


#: What a policy goes by that is deviated from: action 1 where one of them is set.
BASES = {
    "llvm": ["inlining_default"],
    "last_use": ["inlining_default", "callee_removed"],
}


@pytest.mark.parametrize("base", BASES)
def test_a_policy_deviates_where_its_forest_promises_enough(
    labels: Labels, env: Any, base: str
) -> None:
    forest = Forest(labels, env, replace(SMALL, base=base))
    predicted = forest._estimator.predict(labels.features)
    pick = env.setup.features.pick
    each = [pick(labels.features, name).ravel() > 0 for name in BASES[base]]
    shown = np.logical_or.reduce(each)
    for margin in SMALL.margins:
        actions = forest.policy(margin).decide(labels.features).actions
        expected = np.where(shown, predicted > -margin, predicted > margin)
        np.testing.assert_array_equal(actions, expected)


def test_a_policy_deviates_where_enough_trees_agree(labels: Labels, env: Any) -> None:
    forest = Forest(labels, env, replace(SMALL, agreement=0.1))
    each = np.stack(
        [tree.predict(labels.features) for tree in forest._estimator.estimators_]
    )
    shown = env.setup.features.pick(labels.features, "inlining_default").ravel() > 0
    deviated = 0
    for margin in SMALL.margins:
        votes = np.mean(np.where(np.abs(each) > margin, np.sign(each), 0), axis=0)
        expected = np.where(shown, votes > -0.1, votes > 0.1)
        actions = forest.policy(margin).decide(labels.features).actions
        np.testing.assert_array_equal(actions, expected)
        deviated += np.sum(expected != shown)
    assert deviated, "or there is nothing to see"


@pytest.mark.parametrize("base", BASES)
def test_nothing_promises_an_endless_margin(
    labels: Labels, env: Any, base: str
) -> None:
    policy = Forest(labels, env, replace(SMALL, base=base)).policy(1e9)
    env.reset(options={"program": "kernels/lisp"})
    made = env.rollout(policy)
    env.reset(options={"program": "kernels/lisp"})
    np.testing.assert_array_equal(made.actions, env.rollout(base).actions)


def test_relative_savings_have_no_unit(labels: Labels, env: Any) -> None:
    factors = np.where(labels.programs == labels.programs[0], 1024.0, 1.0)
    scaled = replace(labels, values=labels.values * factors[:, np.newaxis])

    def made(some: Labels, relative: bool) -> bytes:
        settings = replace(SMALL, relative=relative)
        return Forest(some, env, settings).policy(1.0).to_bytes()

    assert made(labels, True) == made(scaled, True)
    assert made(labels, False) != made(scaled, False)


def test_deviations_from_llvm_where_it_always_does_the_same(tmp_path: Path) -> None:
    env_id = "mlcompiler/LoopDistribution-v0"
    some = list(load_programs(["loops/split_strides", "loops/alias_shift"], level="O2"))
    labels = collect(Labelling(env_id), some, tmp_path)
    env: Any = gym.make(env_id, programs=some)
    settings = replace(SMALL, smallest_leaf=1, relative=True)
    forest = Forest(labels, env, settings)
    never, sometimes = forest.policy(1e6), forest.policy(0.0)
    env.reset(options={"program": some[0]})
    assert not env.unwrapped.rollout(never).actions.any()
    env.reset(options={"program": some[0]})
    made = env.unwrapped.rollout(sometimes)
    assert made.actions.any()
    assert made.reward > 0
    env.close()


def test_no_deviation_from_a_policy_that_is_no_rule(labels: Labels, env: Any) -> None:
    with pytest.raises(TrainingError, match="from a rule of inlining: last_use"):
        Forest(labels, env, replace(SMALL, base="random")).policy(1)


def test_few_of_each_package() -> None:
    def made(name: str) -> Program:
        return Program(name, f"; {name}".encode())

    names = ["pypi/b/3", "pypi/a/1", "pypi/b/2", "pypi/b/1", "kernels/lz"]
    programs = [made(name) for name in names]
    few = few_of_each(programs, 2)
    assert [p.name.rsplit("/", 1)[0] for p in few] == [
        "kernels",
        "pypi/a",
        "pypi/b",
        "pypi/b",
    ]
    assert few == few_of_each(programs[::-1], 2), "the order makes no difference"
    assert len(few_of_each(programs, 3)) == len(programs)


def test_the_order_of_labels_makes_no_difference(labels: Labels, env: Any) -> None:
    shuffled = labels[np.random.default_rng(0).permutation(len(labels))]
    ordered, other = (Forest(each, env, SMALL).policy(1) for each in (labels, shuffled))
    assert ordered.to_bytes() == other.to_bytes()
    assert ordered.card.seen, "what the inputs were is on the card"


def test_folds_share_no_package(labels: Labels) -> None:
    folds = list(folds_of(labels, SMALL))
    assert np.sum(folds, axis=0).tolist() == [1] * len(labels)
    for held_out in folds:
        assert not set(labels.packages[held_out]) & set(labels.packages[~held_out])


def test_savings(labels: Labels) -> None:
    np.testing.assert_array_equal(
        savings_of(labels), labels.values[:, 0] - labels.values[:, 1]
    )


def test_the_margin_with_the_fewest_losses_is_chosen() -> None:
    bold = Played("bold", 0.95, 0.95, 0.2, 1.3, 10)
    careful = Played("careful", 0.98, 0.98, 0.05, 1.01, 10)
    timid = Played("timid", 0.99, 0.99, 0.0, 1.0, 10)
    assert choose([bold, careful, timid], 0.05) is careful
    assert choose([bold, careful, timid], 0.5) is bold
    assert choose([bold, careful], 0.01) is careful
    alike = replace(careful, name="more careful")
    assert choose([bold, careful, alike], 0.05) is alike


def test_the_command_makes_the_same_policy_again(tmp_path: Path) -> None:
    settings = tmp_path / "small.toml"
    settings.write_text(
        "trees = 8\nleaves = 16\nsmallest_leaf = 2\nfolds = 2\nmargins = [1.0, 4.0]\n"
    )
    made = []
    for name in ("one", "two"):
        done = cli(
            "train",
            INLINING,
            *(f"{key}={str(value).lower()}" for key, value in SHOWN.items()),
            *(f"--programs={each}" for each in NAMES[:2]),
            f"--config={settings}",
            "--decisions=10",
            f"--folder={tmp_path / name}",
            "--output=small.policy",
            cwd=tmp_path,
        )
        assert "Played on packages that were not learned from" in done.stderr
        made.append(PortablePolicy.load(tmp_path / "small.policy"))
    first, second = (replace_command(each) for each in made)
    assert first == second
    card = made[0].card
    assert list(card.programs) == NAMES[:2]
    assert card.seen, "what the inputs were is on the card"
    assert "20 decisions labelled by fork" in card.method
    assert {result.name.split(",")[0] for result in card.results} == {"out of fold"}


def replace_command(policy: PortablePolicy) -> bytes:
    """The file without the command, which names the folder."""
    card = policy.card
    card.command = ""
    return policy.with_card(card).to_bytes()


# -- What is refused ---------------------------------------------------------


def test_too_few_packages(labels: Labels) -> None:
    with pytest.raises(TrainingError, match="9 folds, and programs of 4 packages"):
        list(folds_of(labels, replace(SMALL, folds=9)))


def test_too_few_labels(labels: Labels, env: Any) -> None:
    with pytest.raises(TrainingError, match="2 labels are too few"):
        Forest(labels[:2], env, SMALL)


def test_programs_without_decisions(tmp_path: Path) -> None:
    empty = Program("file/empty", b"define i32 @f() { ret i32 0 }")
    with pytest.raises(TrainingError, match="no program raised a decision"):
        collect(LABELLING, [empty], tmp_path)


@pytest.mark.parametrize("algorithm", ["counterfactual", "rules"])
@pytest.mark.parametrize(
    ("env_id", "settings", "message"),
    [
        (
            "mlcompiler/RegAllocEviction-v0",
            {},
            "regalloc_eviction does not decide between two actions",
        ),
        ("mlcompiler/PassOrdering-v0", {}, "pass_ordering does not decide between two"),
        ("mlcompiler/Parameters-v0", {}, "parameters does not decide between two"),
        (
            INLINING,
            {"base": "reference"},
            "deviations can be from llvm, or from a rule",
        ),
        (INLINING, {"folds": 5}, "5 folds, and programs of 4 packages"),
    ],
)
def test_what_cannot_be_learned_is_said_before_anything_is_labelled(
    algorithm: str,
    env_id: str,
    settings: dict[str, Any],
    message: str,
    programs: list[Program],
    tmp_path: Path,
) -> None:
    chosen = ALGORITHMS[algorithm]
    with pytest.raises(TrainingError, match=message):
        chosen.train(
            Assignment(env_id, programs, tmp_path),
            chosen.settings(**{"folds": 2, **settings}),
        )
    assert list(tmp_path.iterdir()) == []


def test_continuous_actions() -> None:
    with pytest.raises(TrainingError, match="only discrete ones"):
        Labelling("mlcompiler/RegAllocPriority-v0").make_player()


def test_an_environment_that_hides_what_llvm_does(labels: Labels) -> None:
    hidden = gym.make(INLINING, linkage=True)
    with pytest.raises(TrainingError, match="does not show inlining_default"):
        Forest(replace(labels, features=labels.features[:, :46]), hidden, SMALL).policy(
            1
        )
    hidden.close()


def test_settings(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("trees = 3\n")
    assert read(path, {"seed": 5}) == CounterfactualSettings(trees=3, seed=5)
    path.write_text("clip = 20\nmargins = [1.0]\n")
    assert read(path, {}) == CounterfactualSettings(clip=20.0, margins=(1.0,))
    path.write_text("tree = 3\n")
    with pytest.raises(TrainingError, match="no setting 'tree'; did you mean trees"):
        read(path, {})
    path.write_text("trees = 'many'\n")
    with pytest.raises(TrainingError, match="the setting trees is a int, not 'many'"):
        read(path, {})
    with pytest.raises(TrainingError, match="cannot read"):
        read(tmp_path / "none.toml", {})
    with pytest.raises(TrainingError, match="margins are numbers"):
        read(None, {"margins": [-1.0]})
    with pytest.raises(TrainingError, match="ascending"):
        read(None, {"margins": [2.0, 1.0]})
    with pytest.raises(TrainingError, match="agreement is a share"):
        read(None, {"agreement": 1.0})


def read(path: Path | None, given: dict[str, Any]) -> CounterfactualSettings:
    return load_settings(CounterfactualSettings, path, given)
