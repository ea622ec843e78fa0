# SPDX-License-Identifier: Apache-2.0
"""What pairs of runs say of two builds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from support import toolchain

from mlcompiler_gym import Program
from mlcompiler_gym.envs.measured import paid_values
from mlcompiler_gym.measuring import Measuring, measure
from mlcompiler_gym.measuring.paired import compare_pairs
from mlcompiler_gym.validation import reference_object


def test_bounds_are_ratios_in_order() -> None:
    bases = [1.0] * 7
    found = compare_pairs([1.07, 1.01, 1.03, 1.02, 1.05, 1.04, 1.06], bases, 0.95)
    # All 7 heads or all 7 tails come up once in 64 times, one other as well 1 in 8.
    assert (found.low, found.ratio, found.high) == (1.01, 1.04, 1.07)
    assert (found.pairs, found.outliers, found.differs) == (7, 0, True)
    # 4 or fewer of 16 fall on one side with 3.8%, on either side with 7.7%. 3 or fewer
    # fall on one side with 1.06%, on either side with 2.1%.
    sixteen = compare_pairs([*range(1, 17)], [1.0] * 16, 0.95)
    assert (sixteen.low, sixteen.high) == (4, 13)


@pytest.mark.parametrize(("count", "bounded"), [(1, False), (5, False), (6, True)])
def test_few_pairs_bound_nothing(count: int, bounded: bool) -> None:
    found = compare_pairs([2.0 + n / 100 for n in range(count)], [1.0] * count, 0.95)
    assert math.isfinite(found.high) == found.differs == bounded


def test_a_drift_is_in_both() -> None:
    drift = np.linspace(1, 3, 12)
    found = compare_pairs(0.9 * drift, drift, 0.95)
    assert found.ratio == pytest.approx(0.9)
    assert found.differs
    assert found.is_within(0.001)


def test_outliers_are_counted_and_do_not_count() -> None:
    rng = np.random.default_rng(0)
    values = 0.95 + 0.01 * rng.random(20)
    values[[3, 11]] *= 8
    found = compare_pairs(values, np.ones(20), 0.95)
    assert (found.pairs, found.outliers) == (18, 2)
    assert 0.95 <= found.low <= found.ratio <= found.high <= 0.96


@pytest.mark.parametrize("shape", ["normal", "skewed"])
def test_what_is_equal_is_seldom_said_to_differ(shape: str) -> None:
    """With the confidence asked for, over all looks, whatever the noise is like."""
    rng = np.random.default_rng(7)
    how, wrong = Measuring(), 0
    for _ in range(1000):
        noise = rng.normal(size=(2, how.most_repeats))
        noise = np.exp(noise) if shape == "skewed" else noise
        values, bases = 10 + noise
        wrong += any(how.compare(values[:n], bases[:n]).differs for n in how.looks)
    assert wrong < 70


def test_looks() -> None:
    assert Measuring().looks == (7, 14, 28)
    assert Measuring(repeats=9, most_repeats=9).looks == (9,)
    assert Measuring(repeats=40).looks == (40,)


@pytest.mark.parametrize("given", [{"confidence": 1.0}, {"precision": -0.1}])
def test_settings_that_cannot_be(given: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(given))):
        Measuring(**given)  # type: ignore[arg-type]


def test_what_does_not_differ_pays_nothing() -> None:
    paired = {"wall_time": {"differs": False}, "cpu_time": {"differs": True}}
    values = {"wall_time": 1.0, "cpu_time": 2.0, "text_size": 3.0}
    bases = {"wall_time": 5.0, "cpu_time": 6.0, "text_size": 7.0}
    assert paid_values(values, bases, paired) == {**values, "wall_time": 5.0}


SPIN = """
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) {
  volatile long left = atol(argv[1]) * TIMES;
  while (left) left--;
  puts("done");
}
"""


def spin(times: int) -> Program:
    bitcode = toolchain.run(
        *("clang-22", "-O1", "-fPIE", "-emit-llvm", "-x", "c", "-c", "-o", "-", "-"),
        data=SPIN.replace("TIMES", str(times)).encode(),
    )
    return Program("of/test", bitcode, (("3000000",),))


def test_runs_end_when_builds_are_told_apart() -> None:
    program = spin(1)
    builds = {"one": reference_object(program), "nine": reference_object(spin(9))}
    how = Measuring()
    found = measure(program, builds, ["wall_time"], how)
    one, nine = (found[label]["wall_time"].values for label in ("one", "nine"))
    looks = {n: how.compare(nine[:n], one[:n]) for n in how.looks if n <= len(one)}
    # A disturbed run may leave too few pairs that count at the first look.
    told_apart = [n for n, paired in looks.items() if paired.differs]
    assert told_apart == [len(one)] == [len(nine)]
    assert looks[len(one)].low > 1


def test_runs_of_the_same_go_on() -> None:
    program = spin(1)
    code = reference_object(program)
    how = Measuring(repeats=3, most_repeats=6, precision=0.0)
    found = measure(program, {"a": code, "b": code}, ["wall_time"], how)
    assert len(found["b"]["wall_time"].values) == 6


def test_counts_are_exact() -> None:
    how = Measuring(counter="valgrind")
    program = spin(1)
    builds = {"one": reference_object(program), "two": reference_object(spin(2))}
    found = measure(program, builds, ["instructions"], how)
    one, two = (found[label]["instructions"] for label in ("one", "two"))
    assert one.against(one, how).differs is False
    paired = two.against(one, how)
    assert paired.low == paired.high == two.median / one.median
    assert paired.differs
