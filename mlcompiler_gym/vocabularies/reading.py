# SPDX-License-Identifier: Apache-2.0
"""Vocabularies, read back as arrays, and their nearest neighbours."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mlcompiler_gym.vocabularies.errors import VocabularyError

_PREFIXES = {"PhysicalRegisters": "PhyReg_", "VirtualRegisters": "VirtReg_"}


def read_vectors(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    """Vectors of all entities of a file, under the names of LLVM's listing.

    Returns:
        float32 arrays of the same shape, ``(dimension,)``.

    Raises:
        VocabularyError: It cannot be read or is no vocabulary.
    """
    try:
        sections = json.loads(path.read_bytes())
        vectors = {
            _PREFIXES.get(section, "") + key: np.asarray(vector, np.float32)
            for section, entries in sections.items()
            for key, vector in entries.items()
        }
    except (OSError, ValueError, AttributeError) as error:
        raise VocabularyError(f"cannot read the vocabulary {path}: {error}") from error
    if len({vector.shape for vector in vectors.values()}) != 1:
        raise VocabularyError(f"the vectors of {path} are not of one dimension")
    return vectors


def nearest(
    vectors: dict[str, npt.NDArray[np.float32]],
    name: str,
    count: int,
    among: set[str] | None = None,
) -> list[tuple[str, float]]:
    """Entities whose vectors point most nearly where another's does.

    Args:
        vectors: Vectors of all entities.
        name: Whose neighbours.
        count: How many.
        among: Only these are considered; all if None.

    Returns:
        Names and cosines, nearest first.

    Raises:
        VocabularyError: There is no entity of that name.
    """
    if name not in vectors:
        raise VocabularyError(f"the vocabulary has no entity {name!r}")
    others = [each for each in vectors if each != name and (not among or each in among)]
    matrix = np.stack([vectors[each] for each in others])
    matrix = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    cosines = matrix @ (vectors[name] / np.linalg.norm(vectors[name]))
    best = np.argsort(-cosines, kind="stable")[:count]
    return [(others[index], float(cosines[index])) for index in best]
