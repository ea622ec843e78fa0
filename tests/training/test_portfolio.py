# SPDX-License-Identifier: Apache-2.0
"""Portfolios: which sequences are kept, and what comes of a training."""

from __future__ import annotations

import dataclasses
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.commands import cli
from support.curves import untimed
from support.regalloc import MakeEnv

from mlcompiler_gym import PassOrderingEnv, PortablePolicy
from mlcompiler_gym.errors import EvaluationError, TrainingError
from mlcompiler_gym.evaluation import Evaluation, evaluate
from mlcompiler_gym.policies import Best, settings_for
from mlcompiler_gym.policies.pipelines import PASSES
from mlcompiler_gym.programs import Program, load_programs
from mlcompiler_gym.training import (
    Assignment,
    PortfolioSettings,
    Trained,
    load_settings,
    train_portfolio,
)
from mlcompiler_gym.training.portfolio import choose, choose_one, geomean
from mlcompiler_gym.training.sequences import played_orders

ORDERING = "mlcompiler/PassOrdering-v0"
NAMES = ["kernels/lz", "kernels/bwt", "kernels/sorting"]
SMALL = PortfolioSettings(size=3, rounds=2, compiles=6, steps=2, width=1, folds=2)


@pytest.fixture(scope="module")
def programs() -> list[Program]:
    return list(load_programs(NAMES))


@given(
    st.integers(1, 6).flatmap(
        lambda count: st.lists(
            st.lists(st.floats(-1, 1), min_size=count, max_size=count),
            min_size=1,
            max_size=6,
        )
    ),
    st.integers(1, 4),
    st.randoms(),
)
@settings(max_examples=50)
def test_chooses_what_adds_most(rows: Any, size: int, random: Any) -> None:
    logs = np.array(rows)
    packages = [random.choice("abc") for _ in range(logs.shape[1])]
    places = choose(logs, packages, size)
    assert len(places) == len(set(places)) <= size
    reached = [1.0, *(geomean(logs[places[: n + 1]], packages) for n in range(size))]
    for place, before, after in zip(places, reached, reached[1:], strict=False):
        assert after < before
        others = [
            geomean(logs[[*places[: places.index(place)], n]], packages)
            for n in range(len(logs))
        ]
        assert after == pytest.approx(min(others))
    if len(places) < size:
        # Nothing else helps.
        assert geomean(logs, packages) == pytest.approx(reached[len(places)])


def test_packages_count_alike() -> None:
    # One package has three programs, and the other one.
    packages = ["a", "a", "a", "b"]
    many, one = np.log([0.9, 0.9, 0.9, 1.0]), np.log([1.0, 1.0, 1.0, 0.8])
    logs = np.array([many, one])
    assert choose(logs, packages, 1) == [1]
    assert geomean(logs[:1], packages) == pytest.approx(0.9**0.5)
    assert geomean(logs, packages) == pytest.approx((0.9 * 0.8) ** 0.5)
    # Where all are worse, -Oz is taken.
    assert choose(-logs, packages, 2) == []
    assert geomean(-logs, packages) == 1.0


def test_one_sequence_is_judged_by_itself() -> None:
    packages = ["a", "a", "b", "b"]
    bold, careful = np.log([0.5, 1.2, 0.5, 0.5]), np.log([0.9, 0.9, 1.0, 0.9])
    died = [-1.0, -1.0, -1.0, np.inf]
    logs = np.array([careful, bold, died, np.zeros(4)])
    assert choose_one(logs, packages, worse=0.3) == [1]
    assert choose_one(logs, packages, worse=0.2) == [0]
    assert choose_one(logs[2:], packages, worse=1.0) == []


def test_few_that_were_chosen_together_are_near_the_best_few() -> None:
    """The gain of a greedy choice is at least 1 - 1/e of the best one's."""
    rng = np.random.default_rng(0)
    logs = rng.normal(0, 0.1, (12, 20))
    packages = [str(number // 4) for number in range(20)]
    gain = -np.log(geomean(logs[choose(logs, packages, 3)], packages))
    best = max(
        -np.log(geomean(logs[list(rows)], packages))
        for rows in combinations(range(12), 3)
    )
    assert gain >= (1 - 1 / np.e) * best


def test_the_same_again_gives_the_same_file(
    programs: list[Program], tmp_path: Path, make_env: MakeEnv
) -> None:
    """From the beginning, and from where a training was interrupted."""

    def train(folder: str, settings: PortfolioSettings = SMALL) -> Trained:
        return train_portfolio(
            Assignment(ORDERING, programs, tmp_path / folder), settings
        )

    made = train("a")
    content = made.policy.to_bytes()
    curve = untimed(made.curve)
    names = ["search 1", "search 2", "extension 1", "extension 2"]
    assert [point.name for point in curve] == names
    # What is chosen on a program does best there, and nothing is worse than -Oz.
    for point in curve:
        assert point.training["ratio"] <= point.held_out["ratio"] <= 1
    kept = sorted((tmp_path / "a").glob("*.json"))
    # -Oz, two rounds of searches and at least one of trials, and two of extensions.
    assert len(kept) in (6 * len(programs), 7 * len(programs))
    for path in kept[::2]:
        path.unlink()
    again = train("a")
    assert again.policy.to_bytes() == content
    other = train("b")
    assert other.policy.to_bytes() == content
    assert untimed(again.curve) == untimed(other.curve) == curve

    # One sequence by itself, from the same work.
    count = len(list((tmp_path / "a").glob("*.json")))
    alone = train("a", dataclasses.replace(SMALL, size=1, alone=True, worse=1.0))
    assert len(list((tmp_path / "a").glob("*.json"))) == count
    assert "\n" not in alone.policy.options["actions"]
    assert [row.name for row in alone.played] == ["1 sequences"]

    lines = made.policy.options["actions"].split("\n")
    assert lines[0] == "default<Oz>"
    assert 2 <= len(lines) == len(set(lines)) <= 1 + SMALL.size
    assert made.chosen.name == f"{len(lines) - 1} sequences"
    # Sequences that were found elsewhere may help nowhere, and never harm.
    assert made.chosen.ratio == min(row.ratio for row in made.played) <= 1
    assert {row.worse for row in made.played} == {0}

    shown = settings_for(make_env(ORDERING), made.policy)
    gains = []
    for program in programs:
        env = make_env(ORDERING, programs=program, **shown)
        assert isinstance(env, PassOrderingEnv)
        action = Best(env, work=10**9)(*env.reset())
        info = env.step(action)[4]
        gains.append(
            env.baseline["ir_instructions"] - info["objective"]["ir_instructions"]
        )
    assert min(gains) >= 0
    assert max(gains) > 0


def play_orders(journal: Path, actions: list[str], *names: str) -> str:
    """Write what a search plays on programs to a journal."""
    search = "mlcompiler_gym.policies.budgeted:local_4"
    evaluate(Evaluation(ORDERING, search, {"actions": actions}), names, journal)
    return str(journal)


def test_orders_that_were_played_are_learned_from(
    programs: list[Program], tmp_path: Path
) -> None:
    journal = play_orders(tmp_path / "played.jsonl", list(PASSES), *NAMES)
    found = played_orders([journal], programs[:2])
    # Two programs may have the same order.
    assert found
    assert set(found.values()) <= {0, 1}
    # What was played on other programs is left out.
    assert set(played_orders([journal], programs[2:]).values()) == {0}
    few = dataclasses.replace(SMALL, orders=(journal,), rounds=0, steps=0)
    made = train_portfolio(Assignment(ORDERING, programs[:2], tmp_path / "a"), few)
    lines = made.policy.options["actions"].split("\n")[1:]
    assert set(lines) & {",".join(order) for order in found}
    # Searches begin with what is best so far.
    searching = dataclasses.replace(few, rounds=1, compiles=1)
    again = train_portfolio(
        Assignment(ORDERING, programs[:2], tmp_path / "a"), searching
    )
    first, second = untimed(again.curve)
    assert (first.name, second.name) == ("orders", "search 1")
    assert second.training["ratio"] <= first.training["ratio"] < 1


def test_refuses_orders_that_it_cannot_learn_from(
    programs: list[Program], tmp_path: Path
) -> None:
    journal = play_orders(tmp_path / "played.jsonl", list(PASSES), NAMES[0])
    with pytest.raises(EvaluationError, match="there is no journal none"):
        played_orders(["none"], programs)
    with pytest.raises(TrainingError, match="has no pass orderings of the programs"):
        played_orders([journal], programs[1:])
    other = play_orders(tmp_path / "other.jsonl", ["instcombine"], NAMES[0])
    with pytest.raises(TrainingError, match="instcombine was played, which is none of"):
        played_orders([other], programs)


@pytest.mark.parametrize(
    ("env_id", "given_settings", "said"),
    [
        (ORDERING, {"actions": ["sroa"]}, "leave out actions"),
        ("mlcompiler/Inlining-v0", {}, "is no environment for pass ordering"),
        (ORDERING, {"objective": {"text_size": 1, "ir_instructions": 1}}, "single"),
    ],
)
def test_refuses_what_it_is_not_for(
    programs: list[Program],
    tmp_path: Path,
    env_id: str,
    given_settings: dict[str, Any],
    said: str,
) -> None:
    with pytest.raises(TrainingError, match=said):
        train_portfolio(Assignment(env_id, programs, tmp_path, given_settings), SMALL)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"size": 0}, "size is a number from 1 on"),
        ({"folds": 1}, "two folds or more"),
        ({"rouds": 3}, "did you mean rounds"),
        ({"size": 2.5}, "setting size is a int, not 2.5"),
    ],
)
def test_refuses_settings_that_cannot_be(values: dict[str, Any], said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        load_settings(PortfolioSettings, None, values)


def test_one_package_is_too_few(programs: list[Program], tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="take fewer folds"):
        train_portfolio(Assignment(ORDERING, programs[:1], tmp_path), SMALL)


def test_the_command_writes_a_policy_that_eval_plays(tmp_path: Path) -> None:
    config = tmp_path / "small.toml"
    config.write_text("size = 2\ncompiles = 4\nsteps = 1\nwidth = 1\nfolds = 2\n")
    output = tmp_path / "made.policy"
    said = cli(
        "train", ORDERING, "--algo", "portfolio", "--config", config,
        "--programs", NAMES[0], "--programs", NAMES[1],
        "--folder", tmp_path / "work", "--output", output,
    )  # fmt: skip
    assert "sequences" in said.stdout
    policy = PortablePolicy.load(output)
    assert policy.builtin == "best"
    assert policy.card.command.startswith("mlcompiler-gym")
    assert list(policy.card.programs) == NAMES[:2]
    journal = tmp_path / "results.jsonl"
    cli(
        "eval", ORDERING, "--policy", output, "--programs", NAMES[2],
        "--output", journal,
    )  # fmt: skip
    assert '"steps": 1' in journal.read_text()
