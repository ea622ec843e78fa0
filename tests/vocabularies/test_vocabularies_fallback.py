# SPDX-License-Identifier: Apache-2.0
"""Vectors of what was not seen in training, on cases that can be checked by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from mlcompiler_gym.vocabularies.errors import VocabularyError
from mlcompiler_gym.vocabularies.fallback import complete

Vector = NDArray[np.float32]

OPCODES = "Opcodes"
X, Y, Z, W = np.eye(4, dtype=np.float32)


def vector_of(key: str, seen: dict[str, Vector]) -> list[float]:
    """The vector that an unseen opcode gets from the seen ones."""
    names = [*seen, key]
    places = [(OPCODES, name) for name in names]
    vectors = complete(names, places, seen)
    for name, vector in seen.items():
        assert vectors[name] is vector
    found: list[float] = vectors[key].round(6).tolist()
    return found


def mean(*vectors: Vector) -> list[float]:
    total = np.sum(vectors, axis=0)
    found: list[float] = (total / np.linalg.norm(total)).round(6).tolist()
    return found


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        # The longest beginning in common, not any that is long enough.
        ("VPADDQ", mean(X, Y)),
        ("VPSUBB", Z.tolist()),
        ("VPS", Z.tolist()),
        # Three letters in common mean something ...
        ("VPAZ", mean(X, Y, W)),
        # ... and two do not: all of the section.
        ("VPZ", mean(X, Y, Z, W)),
        ("VP", mean(X, Y, Z, W)),
        ("ADD", mean(X, Y, Z, W)),
    ],
)
def test_the_longest_beginning_in_common(key: str, expected: list[float]) -> None:
    seen = {"VPADDB": X, "VPADDD": Y, "VPSUBW": Z, "VPAVGW": W}
    assert vector_of(key, seen) == expected


def test_kin_come_before_letters() -> None:
    seen = {"Call": X, "CallSomething": Y}
    assert vector_of("CallBr", seen) == X.tolist()


def test_opposite_vectors_have_no_mean() -> None:
    assert vector_of("VPADDQ", {"VPADDB": X, "VPADDD": -X}) == X.tolist()


def test_a_section_of_which_nothing_was_seen() -> None:
    with pytest.raises(VocabularyError, match="none has anything of Types"):
        complete(["a", "b"], [(OPCODES, "a"), ("Types", "b")], {"a": X})
