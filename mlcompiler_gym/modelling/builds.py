# SPDX-License-Identifier: Apache-2.0
"""Builds of programs with their times: what performance models are learned from."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.errors import TrainingError

if TYPE_CHECKING:
    import pandas as pd

#: What the columns of objectives and of observations begin with.
OBJECTIVES = "objective."
FEATURES = "feature."

#: Rounds in which both builds of a pair have to have been run.
_ROUNDS = 3
#: Pairs of equal object files that it takes to tell how large noise is.
_ENOUGH = 8
#: The least relative error that is assumed of any time.
_LEAST_ERROR = 1e-4


@dataclass(frozen=True)
class Pairs:
    """Pairs of builds of the same program, under the same profile if any.

    Attributes:
        first: Row of one build, int64 of shape (n,).
        second: Row of the other, int64 of shape (n,).
        differences: Natural logarithm of the time of the first over that of the
            second, float64 of shape (n,): the median over the rounds in which both
            were run.
        noise: How large a difference is without any, float64 of shape (n,): of the
            pairs with equal object files, 95% differ by less. It is larger for
            programs whose times vary more from round to round.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    differences: NDArray[np.float64]
    noise: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.first)

    def __getitem__(self, rows: Any) -> Pairs:
        """Some of them, by a mask or by places."""
        return Pairs(*(getattr(self, each.name)[rows] for each in fields(self)))

    @property
    def multiples(self) -> NDArray[np.float64]:
        """Sizes of the differences, as multiples of the noise, shape (n,)."""
        return np.abs(self.differences) / self.noise


@dataclass(frozen=True)
class Builds:
    """A table of builds that were measured, a row each.

    Attributes:
        table: With these columns:

            - ``program``, ``program_sha256``, ``level``, ``profiled``: what was
              compiled.
            - ``task``, ``rate``, ``trajectory``: by whose decisions; the first of
              them, if several lead to the same object file.
            - ``object_sha256``. The first build of a program, which LLVM decides, is
              there twice, to tell what differences there are without any.
            - ``machine``, ``input``: where and on what it was run.
            - ``times``: processor time of each round in seconds, NaN where a run
              failed. In each round all builds of the program are run in turn.
            - ``instructions``: what valgrind counts on ``counted_input``, or NaN.
            - ``objective.NAME``: what the service computes; NaN where it is not of
              the program.
            - ``feature.NAME``: an observation of the module, as a list.
    """

    table: pd.DataFrame

    @classmethod
    def load(cls, *paths: str | Path) -> Builds:
        """Read Parquet files, or folders of them.

        Raises:
            TrainingError: There are none, or they are something else.
        """
        import pandas as pd

        files: list[Path] = []
        for each in map(Path, paths):
            files += sorted(each.glob("*.parquet")) if each.is_dir() else [each]
        if not files:
            raise TrainingError(
                f"there are no builds in {', '.join(map(str, paths))}; "
                "`mlcompiler-gym collect` makes them"
            )
        try:
            table = pd.concat(map(pd.read_parquet, files), ignore_index=True)
        except (OSError, ValueError) as error:
            raise TrainingError(f"cannot read builds: {error}") from error
        missing = {"program", "object_sha256", "times"} - set(table.columns)
        if missing:
            raise TrainingError(
                f"these are no builds: there is no column {', '.join(sorted(missing))}"
            )
        return cls(table)

    def save(self, path: str | Path) -> None:
        """Write to one Parquet file."""
        self.table.to_parquet(path, engine="pyarrow", index=False)

    def __len__(self) -> int:
        return len(self.table)

    def where(self, mask: Any) -> Builds:
        """The builds of some rows, bool array of shape (n,)."""
        return Builds(self.table[mask].reset_index(drop=True))

    @property
    def objectives(self) -> list[str]:
        """Names of the objectives that there are columns of."""
        return [
            name.removeprefix(OBJECTIVES)
            for name in self.table.columns
            if name.startswith(OBJECTIVES)
        ]

    def objective(self, name: str) -> NDArray[np.float64]:
        """What an objective comes to, float64 of shape (n,)."""
        found: NDArray[np.float64] = self.table[OBJECTIVES + name].to_numpy(np.float64)
        return found

    def features(self, name: str) -> NDArray[np.float64]:
        """An observation of every build, float64 of shape (n, elements)."""
        rows = self.table[FEATURES + name].to_list()
        return np.stack(rows).astype(np.float64, copy=False)

    @cached_property
    def times(self) -> NDArray[np.float64]:
        """Median of each build's times in seconds, float64 of shape (n,)."""
        times: NDArray[np.float64] = np.stack(self.table["times"].to_list())
        return np.nanmedian(times, axis=1).astype(np.float64, copy=False)

    @cached_property
    def groups(self) -> list[NDArray[np.int64]]:
        """The rows of each program that were measured together, int64 arrays."""
        keys = ["program", "program_sha256", "profiled", "machine", "input"]
        found = self.table.groupby(keys, sort=False).indices
        return [np.sort(rows) for rows in found.values()]

    def pairs(self) -> Pairs:
        """Every pair of builds with different object files."""
        return self._all_pairs[~self._are_equal]

    def equal_pairs(self) -> Pairs:
        """Pairs with equal object files: all that differs is noise."""
        return self._all_pairs[self._are_equal]

    @property
    def _are_equal(self) -> NDArray[np.bool_]:
        hashes = self.table["object_sha256"].to_numpy()
        pairs = self._all_pairs
        equal: NDArray[np.bool_] = hashes[pairs.first] == hashes[pairs.second]
        return equal

    @cached_property
    def _all_pairs(self) -> Pairs:
        made = [self._pairs_of(rows) for rows in self.groups]
        if not made:
            none = np.zeros(0, np.int64)
            return Pairs(none, none, np.zeros(0), np.zeros(0))
        first, second, differences, errors = map(
            np.concatenate, zip(*made, strict=False)
        )
        hashes = self.table["object_sha256"].to_numpy()
        alike = hashes[first] == hashes[second]
        # As many standard errors as it takes, which is 1.96 if they are normal.
        reach = 1.96
        if alike.sum() >= _ENOUGH:
            reach = float(np.percentile(np.abs(differences[alike]) / errors[alike], 95))
        return Pairs(first, second, differences, reach * errors)

    def _pairs_of(self, rows: NDArray[np.int64]) -> tuple[NDArray[Any], ...]:
        """Pairs of a group: rows of both, differences, and standard errors.

        All have the median error, since one of a few rounds is a poor guess.
        """
        times = np.log(np.stack(self.table["times"].iloc[rows].to_list()))
        first, second = np.triu_indices(len(rows), 1)
        rounds = times[first] - times[second]
        known = np.isfinite(rounds).sum(axis=1)
        keep = known >= _ROUNDS
        rounds, first, second = rounds[keep], first[keep], second[keep]
        if not len(first):
            return rows[first], rows[second], np.zeros(0), np.zeros(0)
        low, middle, high = np.nanpercentile(rounds, [25, 50, 75], axis=1)
        # The median of a normal distribution has an error of 1.2533 sigma / sqrt(n).
        errors = 1.2533 * (high - low) / 1.349 / np.sqrt(known[keep])
        error = max(float(np.median(errors)), _LEAST_ERROR)
        return rows[first], rows[second], middle, np.full(len(first), error)
