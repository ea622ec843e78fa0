# SPDX-License-Identifier: Apache-2.0
"""Rewards of measured values, by hand."""

import math

import pytest

from mlcompiler_gym.envs.scoring import Baseline, Scoring

KNOWN = ["size", "time"]


def test_a_reward_is_the_sum_of_relative_gains() -> None:
    scoring = Scoring.parse({"size": 2, "time": 0.5}, KNOWN)
    better = scoring.reward({"size": 90, "time": 3}, {"size": 100, "time": 2})
    assert better == 2 * 0.1 + 0.5 * -0.5
    # If the heuristic reaches 0, the gain is absolute.
    assert scoring.reward({"size": 3, "time": 2}, {"size": 0, "time": 2}) == -6


@pytest.mark.parametrize(
    ("function", "whole", "expected"),
    [
        ("f", 100.0, (20.0 - 15.0) / 100.0),
        # One that the heuristics' compile does not have costs all that it has.
        ("g", 100.0, -15.0 / 100.0),
        ("f", 0.0, 20.0 - 15.0),
    ],
)
def test_the_part_of_a_function(function: str, whole: float, expected: float) -> None:
    baseline = Baseline({"size": whole}, {"f": {"size": 20.0}})
    scoring = Scoring.parse("size", KNOWN)
    assert scoring.part({"size": 15.0}, baseline, function) == expected


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        ({}, "an objective is needed; known: size, time"),
        ("speed", "unknown objective 'speed'; known: size, time"),
        ({"size": math.nan}, "the weight of size is nan"),
        ({"size": 1.0, "time": math.inf}, "the weight of time is inf"),
    ],
)
def test_no_objective_that_there_is(objective: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Scoring.parse(objective, KNOWN)  # type: ignore[arg-type]
