# SPDX-License-Identifier: Apache-2.0
"""Embeddings in a small file: signed logarithms of a byte each.

A number is stored as ``12 * asinh(10 * number)``, to the next integer of -127 to 127.
So large numbers next to each other differ by 8%, and small ones by 0.008. What is past
1900 counts as 1900. A tree only asks of a number whether it is larger than another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def write(
    path: Path,
    places: Mapping[str, Sequence[Any]],
    vectors: Mapping[str, Sequence[NDArray[np.float32]]],
) -> None:
    """Write vectors.

    Args:
        path: A Parquet file.
        places: By name of a column, where each row is from.
        vectors: By name, vectors of shape (elements,) for each row.

    """
    columns: dict[str, Any] = dict(places)
    for name, each in vectors.items():
        stored = np.rint(12 * np.arcsinh(10 * np.stack(each).astype(np.float64)))
        for element, column in enumerate(stored.clip(-127, 127).astype(np.int8).T):
            columns[f"{name}[{element}]"] = column
    pd.DataFrame(columns).to_parquet(path, compression="zstd", compression_level=19)


def read(
    path: Path, places: Mapping[str, Any]
) -> tuple[list[str], NDArray[np.float32]]:
    """The stored numbers of some rows.

    Args:
        path: What :func:`write` wrote.
        places: By name of a column, where each of n rows is from; may repeat.

    Returns:
        Names of the elements, and shape (n, elements).

    Raises:
        ValueError: A row is not there.
    """
    table = pd.read_parquet(path)
    wanted = pd.DataFrame(places)
    names = [name for name in table.columns if name not in wanted.columns]
    found = wanted.merge(table, "left", list(wanted.columns), validate="many_to_one")
    if found[names].isna().any(axis=None):
        raise ValueError(f"{path.name} lacks some of the labelled decisions")
    return names, found[names].to_numpy(np.float32)
