# SPDX-License-Identifier: Apache-2.0
"""What several runs come to."""

import pytest

from mlcompiler_gym.measuring import Sample


@pytest.mark.parametrize(
    ("values", "median", "spread"),
    [
        # One run that was disturbed changes neither.
        ((1.0, 2.0, 3.0, 4.0, 100.0), 3.0, (4.0 - 2.0) / 3.0),
        ((100.0, 1.0, 4.0, 2.0, 3.0), 3.0, (4.0 - 2.0) / 3.0),
        # Among an even number, half-way between the two in the middle. Quartiles also
        # lie between two values.
        ((1.0, 2.0, 4.0, 9.0), 3.0, (5.25 - 1.75) / 3.0),
        ((5.0,), 5.0, 0.0),
        ((5.0, 5.0, 5.0), 5.0, 0.0),
        ((0.0, 0.0, 8.0), 0.0, 0.0),
    ],
)
def test_median_and_spread(
    values: tuple[float, ...], median: float, spread: float
) -> None:
    sample = Sample(values)
    assert sample.median == median
    assert sample.spread == spread
