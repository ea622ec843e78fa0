# SPDX-License-Identifier: Apache-2.0
"""What an object file offers to others."""

from __future__ import annotations

import io

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection


def exported(object_code: bytes, binding: str = "STB_GLOBAL") -> frozenset[str]:
    """Names of the symbols that it defines and that others can refer to.

    Args:
        object_code: An ELF object file.
        binding: ``STB_GLOBAL``, or ``STB_WEAK`` for those of which the linker keeps
            one of many.
    """
    elf = ELFFile(io.BytesIO(object_code))
    return frozenset(
        symbol.name
        for section in elf.iter_sections()
        if isinstance(section, SymbolTableSection)
        for symbol in section.iter_symbols()
        if symbol["st_info"]["bind"] == binding
        and symbol["st_shndx"] != "SHN_UNDEF"
        and symbol["st_other"]["visibility"] != "STV_HIDDEN"
    )
