# SPDX-License-Identifier: Apache-2.0
"""Vectors for entities that no program has.

LLVM takes a zero vector for what a vocabulary lacks, so that instructions vanish from
the sum. Most opcodes of a target never occur in a corpus (x86-64 has 6870 names).
"""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from mlcompiler_gym.vocabularies.errors import VocabularyError

_Vector = npt.NDArray[np.float32]

#: LLVM's opcodes that C and C++ seldom make, and what they are most like.
_KIN = {
    "IndirectBr": ("Switch",),
    "Invoke": ("Call",),
    "Resume": ("Unreachable",),
    "CleanupRet": ("Br",),
    "CatchRet": ("Br",),
    "CatchSwitch": ("Switch",),
    "CallBr": ("Call",),
    "FNeg": ("FSub",),
    "FRem": ("FDiv",),
    "Fence": ("Store",),
    "AtomicCmpXchg": ("Load", "Store"),
    "AtomicRMW": ("Load", "Store"),
    "PtrToAddr": ("PtrToInt",),
    "AddrSpaceCast": ("PtrToInt", "IntToPtr"),
    "BitCast": ("PtrToInt", "IntToPtr"),
    "CleanupPad": ("Call",),
    "CatchPad": ("Call",),
    "LandingPad": ("Call",),
    "VAArg": ("Load",),
}

#: Shorter beginnings in common mean nothing.
_SHORTEST_PREFIX = 3


def complete(
    entities: list[str], places: list[tuple[str, str]], trained: dict[str, _Vector]
) -> dict[str, _Vector]:
    """A vector of length 1 for every entity.

    An opcode of IR that was not trained gets the mean of its kin (``CallBr`` that of
    ``Call``). Any other entity gets the mean of those of its section whose names begin
    the same for longest (``VPADDQZ`` that of ``VPADDD``, ``VPADDB``, ...); of the whole
    section, if that is fewer than three letters. Physical register classes that were
    not seen take the virtual ones of the same name, and the other way round, first.

    Args:
        entities: All names.
        places: Section and key of each.
        trained: Vectors of the entities that were seen.

    Raises:
        VocabularyError: Nothing was seen of some section.
    """
    seen: dict[str, dict[str, _Vector]] = {}
    for name, (section, key) in zip(entities, places, strict=True):
        if name in trained:
            seen.setdefault(section, {})[key] = trained[name]
    if missing := {section for section, _ in places} - set(seen):
        raise VocabularyError(
            f"too few programs: none has anything of {', '.join(sorted(missing))}"
        )
    twins = {
        "PhysicalRegisters": seen.get("VirtualRegisters", {}),
        "VirtualRegisters": seen.get("PhysicalRegisters", {}),
    }
    vectors = {}
    for name, (section, key) in zip(entities, places, strict=True):
        if name in trained:
            vectors[name] = trained[name]
        elif key in twins.get(section, {}):
            vectors[name] = twins[section][key]
        elif kin := [k for k in _KIN.get(key, ()) if k in seen[section]]:
            vectors[name] = _mean([seen[section][k] for k in kin])
        else:
            vectors[name] = _mean(_similar(key, seen[section]))
    return vectors


def _similar(key: str, seen: dict[str, _Vector]) -> list[_Vector]:
    lengths = {name: _common_letters(key, name) for name in seen}
    longest = max(lengths.values())
    if longest < _SHORTEST_PREFIX:
        return list(seen.values())
    return [seen[name] for name, length in lengths.items() if length == longest]


def _common_letters(one: str, other: str) -> int:
    """How many letters two names begin with in common."""
    pairs = zip(one, other, strict=False)
    return len(list(itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)))


def _mean(vectors: list[_Vector]) -> _Vector:
    mean = np.mean(vectors, axis=0)
    length = float(np.linalg.norm(mean))
    if length < 1e-3:
        # Opposite vectors; any of them says more than nothing.
        return vectors[0]
    normal: _Vector = mean / length
    return normal
