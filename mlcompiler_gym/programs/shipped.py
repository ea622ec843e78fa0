# SPDX-License-Identifier: Apache-2.0
"""The programs that ship with the package, as bitcode.

They were written for it: each has its own ``main``, takes an optional size and
prints a checksum of what it computed. Sources are in ``kernels/src`` and
``loops/src``.
"""

from __future__ import annotations

from pathlib import Path

from typing_extensions import override

from mlcompiler_gym.client.executable import find_installed
from mlcompiler_gym.errors import ProgramError
from mlcompiler_gym.programs.catalogue import Entry
from mlcompiler_gym.programs.named_set import CatalogueSet
from mlcompiler_gym.programs.variant import Variant


class ShippedSet(CatalogueSet):
    """Bitcode in the installed package."""

    licence = "Apache-2.0"

    @override
    def content(self, entry: Entry, variant: Variant) -> Path:
        file = entry.name.split("/", 1)[1] + ".bc"
        found = find_installed(f"programs/{self.name}/{variant}/{file}")
        if found is None:
            raise ProgramError(
                f"the bitcode of {entry.name} is not in the installed package; "
                "install it with pip (from a checkout: `./run setup`)"
            )
        return found


class Kernels(ShippedSet):
    """Whole small programs."""

    name = "kernels"
    example = "kernels/regex"
    description = "small whole programs that check themselves"


class Loops(ShippedSet):
    """Loop nests."""

    name = "loops"
    example = "loops/stencil_five_point"
    description = "loop nests of the classes of TSVC and PolyBench"
