# SPDX-License-Identifier: Apache-2.0
"""What actions were found to be worth: the data that policies are learned from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.errors import TrainingError
from mlcompiler_gym.programs.named_set import package_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Labels:
    """Decisions, and what each action was worth there; a row is a decision.

    Attributes:
        programs: Names, shape (n,).
        decisions: Which decision of its program each is, int64 of shape (n,).
        features: The observation of the environment, float32 of shape (n, elements).
        values: What the objective comes to if an action is taken and the base policy
            decides everything else, float64 of shape (n, actions); NaN where it is
            not known. Lower is better.
        calls: At how many decisions the other action is taken for that, int64 of shape
            (n,): 1, or all calls of a callee that the base policy answers alike.
    """

    programs: NDArray[np.str_]
    decisions: NDArray[np.int64]
    features: NDArray[np.float32]
    values: NDArray[np.float64]
    calls: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.programs)

    def __getitem__(self, rows: Any) -> Labels:
        """Some of the rows, by a mask or by places."""
        return Labels(*(getattr(self, field.name)[rows] for field in fields(self)))

    @property
    def packages(self) -> NDArray[np.str_]:
        """The package of each row; programs of one are alike. Shape (n,)."""
        return np.array([package_of(str(name)) for name in self.programs], np.str_)

    @classmethod
    def from_tables(
        cls, tables: Iterable[pd.DataFrame], objective: str, actions: int
    ) -> Labels:
        """The decisions of counterfactual tables, in their order.

        Args:
            tables: As :meth:`~mlcompiler_gym.envs.counterfactuals.Counterfactuals.\
to_pandas` makes them, all in the same environment. Without a column ``calls``, each row
                is of one decision.
            objective: Name of the column with what is learned.
            actions: How many there are.

        Raises:
            TrainingError: There is no row, or the tables are of different features.
        """
        every = [table for table in tables if len(table)]
        if not every:
            raise TrainingError(
                "there are no labels: no program raised a decision and was compiled"
            )
        columns = list(every[0].columns)
        if any(list(table.columns) != columns for table in every):
            raise TrainingError("the tables are of different features or objectives")
        if objective not in columns:
            raise TrainingError(
                f"the tables do not say what {objective} comes to; they have "
                f"{', '.join(columns)}"
            )
        pieces = [_piece(cls, table, objective, actions) for table in every]
        return cls(
            *(
                np.concatenate([getattr(piece, field.name) for piece in pieces])
                for field in fields(cls)
            )
        )


def _piece(
    kind: type[Labels], table: pd.DataFrame, objective: str, actions: int
) -> Labels:
    """The labels of one program."""
    decisions, first, place = np.unique(
        table["decision"].to_numpy(np.int64), return_index=True, return_inverse=True
    )
    values = np.full((len(decisions), actions), np.nan)
    values[place, table["action"].to_numpy(np.int64)] = table[objective]
    # Features are behind the objectives, the last of the columns that are not features
    # is float64 and every feature float32.
    features = table.select_dtypes(np.float32).to_numpy()[first]
    names = np.full(len(decisions), str(table["program"].iloc[0]))
    calls = np.ones(len(decisions), np.int64)
    if "calls" in table:
        calls = table["calls"].to_numpy(np.int64)[first]
    return kind(names, decisions, features, values, calls)
