# SPDX-License-Identifier: Apache-2.0
"""What policies come to on programs that they were not learned from."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from mlcompiler_gym.errors import TrainingError
from mlcompiler_gym.evaluation import Record
from mlcompiler_gym.evaluation.plan import judged
from mlcompiler_gym.policies import PortablePolicy

#: What a program counts as whose compile a candidate did not survive.
_FAILED = 1.0


@dataclass(frozen=True)
class Played:
    """What one candidate comes to on programs whose packages it did not see.

    Attributes:
        name: Which: ``"margin 4"``, ``"round 3"``.
        ratio: Geometric mean over programs of the objective against LLVM's. Where
            functions are judged, each counts as a program does.
        total: Sum of the objective against the sum of LLVM's.
        worse: Share of programs that come out worse than by LLVM.
        worst: The largest ratio.
        programs: How many.
    """

    name: str
    ratio: float
    total: float
    worse: float
    worst: float
    programs: int

    @classmethod
    def of(cls, name: str, measures: Mapping[str, Any]) -> Played:
        """A candidate that has these :attr:`measures`."""
        return cls(name, **measures)

    @property
    def measures(self) -> dict[str, float]:
        """All of it except the name, as a learning curve has it."""
        return {k: v for k, v in asdict(self).items() if k != "name"}


def choose(rows: Sequence[Played], worse: float) -> Played:
    """The row with the lowest ratio, of those with few programs that are worse.

    Args:
        rows: At least one, the more careful behind the bolder.
        worse: Share of programs that may be worse than by LLVM; if more are in every
            row, the row with the fewest is chosen.

    Returns:
        The row; the most careful of several that are as good.
    """
    careful = rows[::-1]
    allowed = [row for row in careful if row.worse <= worse]
    if not allowed:
        return min(careful, key=lambda row: (row.worse, row.ratio))
    return min(allowed, key=lambda row: row.ratio)


def save_by_content(policy: PortablePolicy, folder: Path) -> Path:
    """Write a policy to a file that is called after what is in it."""
    digest = hashlib.sha256(policy.to_bytes()).hexdigest()[:16]
    path = folder / f"{digest}.policy"
    policy.save(path)
    return path


def against_llvm(info: Mapping[str, Any]) -> float:
    """The logarithm of the objective against LLVM's, of the last info of an episode."""
    if "error" in info or "objective" not in info:
        return _FAILED
    (value,) = info["objective"].values()
    (baseline,) = info["baseline"].values()
    if min(value, baseline) <= 0:
        return 0.0 if value == baseline else _FAILED
    return math.log(value / baseline)


def summarise(name: str, records: Sequence[Record]) -> Played:
    """What the episodes of a candidate come to.

    Raises:
        TrainingError: None was played to its end.
    """
    ratios, values, baselines = [], 0.0, 0.0
    for record in itertools.chain.from_iterable(map(judged, records)):
        if record["objective"] is None:
            continue
        (value,), (baseline,) = (
            record["objective"].values(),
            record["baseline"].values(),
        )
        values, baselines = values + value, baselines + baseline
        if value > 0 and baseline > 0:
            ratios.append(value / baseline)
    if not ratios:
        raise TrainingError("no program was played to its end out of fold")
    return Played(
        name,
        math.exp(fmean(map(math.log, ratios))),
        values / baselines,
        sum(ratio > 1 for ratio in ratios) / len(ratios),
        max(ratios),
        len(ratios),
    )
