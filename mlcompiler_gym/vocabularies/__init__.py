# SPDX-License-Identifier: Apache-2.0
"""Seed embeddings for IR2Vec and MIR2Vec, as files that LLVM 22 reads.

Debian's LLVM has none. Those here were trained by
``mlcompiler-gym vocabulary train``; each has a card that says how.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mlcompiler_gym.vocabularies.errors import VocabularyError

__all__ = ["VocabularyError", "card", "names", "path"]

_FOLDER = Path(__file__).parent


def names() -> list[str]:
    """Names of the vocabularies that are shipped, sorted: ``"ir2vec-75d"``, ..."""
    return sorted(file.stem for file in _FOLDER.glob("*.json"))


def path(name: str) -> Path:
    """The file of a vocabulary, for ``-ir2vec-vocab-path`` or ``-mir2vec-vocab-path``.

    Args:
        name: Kind and dimension, for example ``"mir2vec-x86-64-100d"``.

    Raises:
        VocabularyError: There is none of this name.
    """
    if name not in names():
        raise VocabularyError(
            f"no vocabulary {name!r}; there are: {', '.join(names())}. "
            "`mlcompiler-gym vocabulary train` makes others"
        )
    return _FOLDER / f"{name}.json"


def card(name: str) -> dict[str, Any]:
    """How a vocabulary was made: data, levels, steps, seed, loss, SHA-256.

    Raises:
        VocabularyError: There is none of this name.
    """
    found = path(name)
    content = (found.parent / "cards" / found.name).read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(content)
    return loaded
