# SPDX-License-Identifier: Apache-2.0
"""Enter the programs that ship with the package into the catalogue.

For maintainers, after a change to them: ``./run hashes``.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from mlcompiler_gym.programs.catalogue import (
    ARCHITECTURES,
    LEVELS,
    Entry,
    read_catalogue,
    write_catalogue,
)
from mlcompiler_gym.programs.shipped import Kernels, Loops, ShippedSet
from mlcompiler_gym.programs.sizes import read_sizes
from mlcompiler_gym.programs.variant import Variant

#: Every kernel is a package by itself; those not named here are for training.
_KERNELS = {
    "validation": {"align", "btree", "filters", "image", "lisp", "rangecoder", "trie"},
    "test": {"aes", "basic", "deflate", "diff", "json", "kdtree", "lz", "regex", "sat"},
}
#: Loops are divided by their class, the first word of their names.
_LOOPS = {"validation": {"cond", "tri"}, "test": {"gather", "stride"}}


def _split(shipped: ShippedSet, name: str) -> str:
    divided, key = (
        (_KERNELS, name) if shipped.name == "kernels" else (_LOOPS, name.split("_")[0])
    )
    return next((split for split, names in divided.items() if key in names), "train")


def _entries(shipped: ShippedSet) -> list[Entry]:
    sources = Path(__file__).parent / shipped.name / "src"
    entries = []
    for source in sorted(sources.glob("*.c")):
        entry = Entry(
            name=f"{shipped.name}/{source.stem}",
            split=_split(shipped, source.stem),
            licence=shipped.licence,
            inputs=read_sizes(source),
        )
        variants = [Variant(a, level) for a in ARCHITECTURES for level in LEVELS]
        hashes = {
            str(v): hashlib.sha256(shipped.content(entry, v).read_bytes()).hexdigest()
            for v in variants
        }
        entries.append(Entry(**{**vars(entry), "hashes": hashes}))
    return entries


def main() -> None:
    """Replace the entries of all shipped sets, keep the others."""
    shipped = (Kernels(), Loops())
    others = [
        entry
        for entry in read_catalogue().values()
        if entry.set_name not in {each.name for each in shipped}
    ]
    ours = [entry for each in shipped for entry in _entries(each)]
    write_catalogue([*others, *ours])


if __name__ == "__main__":
    main()
