# SPDX-License-Identifier: Apache-2.0
"""What episodes come to, and which are the same."""

from typing import Any

import pytest

from mlcompiler_gym.evaluation import Evaluation, summarise
from mlcompiler_gym.evaluation.plan import key_of, key_of_record


def record(program: str, value: float, **others: Any) -> dict[str, Any]:
    return {
        "env": "mlcompiler/Inlining-v0",
        "settings": {},
        "policy": "llvm",
        "saved": False,
        "llvm": "22.1.8",
        "program": program,
        "program_sha256": "00" * 32,
        "seed": 0,
        "steps": 4,
        "reward": 0.5,
        "objective": {"text_size": value},
        "baseline": {"text_size": 100.0},
        "error": None,
        "error_code": None,
        **others,
    }


def test_a_total_weighs_programs_and_not_episodes() -> None:
    episodes = [record("a", 50.0), record("a", 50.0), record("a", 50.0)]
    rows, total = summarise([*episodes, record("b", 200.0)])
    assert rows["a"].ratios == pytest.approx({"text_size": 0.5})
    assert rows["b"].ratios == pytest.approx({"text_size": 2.0})
    assert total.ratios == pytest.approx({"text_size": 1.0})
    assert total.episodes == 4


def test_ratios_are_geometric_and_errors_left_out() -> None:
    lost = record("a", 1.0, error="it crashed", error_code="CRASHED", objective=None)
    rows, total = summarise([record("a", 25.0), record("a", 400.0), lost])
    assert rows["a"].ratios == pytest.approx({"text_size": 1.0})
    assert rows["a"].values == {"text_size": 212.5}
    assert (total.episodes, total.errors) == (3, 1)
    assert total.reward == 0.5


@pytest.mark.parametrize(
    "changed",
    [
        {"env": "mlcompiler/PassOrdering-v0"},
        {"settings": {"level": "O2"}},
        {"policy": "never"},
        {"saved": True},
        {"llvm": "22.1.9"},
        {"program": "other"},
        {"program_sha256": "11" * 32},
        {"seed": 1},
    ],
    ids=repr,
)
def test_an_episode_is_another_if_one_thing_is(changed: dict[str, Any]) -> None:
    first = record("a", 1.0)
    assert key_of_record({**first, **changed}) != key_of_record(first)


def test_what_came_of_an_episode_does_not_make_it_another() -> None:
    first = record("a", 1.0)
    other = record("a", 2.0, reward=1.0, steps=9)
    assert key_of_record(other) == key_of_record(first)
    evaluation = Evaluation(first["env"], first["policy"], first["settings"])
    planned = key_of(evaluation, first["llvm"], "a", first["program_sha256"], 0)
    assert planned == key_of_record(first)


def test_the_order_of_settings_makes_no_other_episode() -> None:
    one, other = {"level": "O2", "cpu": "x86-64"}, {"cpu": "x86-64", "level": "O2"}
    assert list(one) != list(other)
    keys = {key_of_record(record("a", 1.0, settings=each)) for each in (one, other)}
    assert len(keys) == 1
