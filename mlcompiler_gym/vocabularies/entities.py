# SPDX-License-Identifier: Apache-2.0
"""Entities, as LLVM lists them, and the sections of a vocabulary's file."""

from __future__ import annotations

import tempfile
from pathlib import Path

from mlcompiler_gym.vocabularies.errors import VocabularyError
from mlcompiler_gym.vocabularies.kinds import Kind
from mlcompiler_gym.vocabularies.tools import run_tool

#: An empty function; the tool takes the target from it.
_MODULE = b"define void @f() {\n  ret void\n}\n"
_COMMON_OPERANDS = ("Immediate", "LaneMask")
_ARGUMENTS = ("Function", "ICMP_sle")


def list_entities(kind: Kind) -> list[str]:
    """All entities, in LLVM's order, as ``llvm-ir2vec-22 entities`` prints them.

    110 for LLVM 22's IR, 7158 for its x86-64 machine IR, 6356 for AArch64's.
    """
    if not kind.is_machine:
        listing = run_tool(["llvm-ir2vec-22", "entities"])
    else:
        mir = run_tool(
            ["llc-22", f"-mtriple={kind.triple}", "-stop-after=finalize-isel"], _MODULE
        )
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "empty.mir")
            file.write_bytes(mir)
            listing = run_tool(["llvm-ir2vec-22", "entities", "--mode=mir", str(file)])
    first, *lines = listing.decode().splitlines()
    names = [line.split("\t")[0] for line in lines]
    if len(names) != int(first) or len(set(names)) != len(names):
        raise VocabularyError("llvm-ir2vec-22's listing of entities is not understood")
    return names


def place_of(entities: list[str], kind: Kind) -> list[tuple[str, str]]:
    """Section and key of each entity in LLVM's file, in order.

    Classes of registers have plain names there (``GR32``), not those of the listing
    (``PhyReg_GR32``).
    """
    if not kind.is_machine:
        first, last = (entities.index(name) for name in _ARGUMENTS)
        return [
            ("Arguments", name)
            if first <= index <= last
            else ("Types" if name.endswith("Ty") else "Opcodes", name)
            for index, name in enumerate(entities)
        ]
    first, last = (entities.index(name) for name in _COMMON_OPERANDS)
    places = []
    for index, name in enumerate(entities):
        if index < first:
            places.append(("Opcodes", name))
        elif index <= last:
            places.append(("CommonOperands", name))
        elif name.startswith("PhyReg_"):
            places.append(("PhysicalRegisters", name.removeprefix("PhyReg_")))
        else:
            places.append(("VirtualRegisters", name.removeprefix("VirtReg_")))
    return places
