# SPDX-License-Identifier: Apache-2.0
"""What an object file offers to others."""

from __future__ import annotations

import io
import re

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


def missing(plain: bytes, llvm: bytes, ours: bytes, ir: str) -> set[str]:
    """Names that an object file would have to define and does not.

    Args:
        plain: Object file of the unoptimised program.
        llvm: What LLVM by itself makes of it.
        ours: The object file.
        ir: The program before it was optimised, as text.
    """
    gone = set(exported(plain) - exported(ours))
    weak = exported(plain, "STB_WEAK") & exported(llvm, "STB_WEAK")
    # A linkonce symbol may go, because every unit that needs it has its own.
    return gone | (weak - exported(ours, "STB_WEAK") - exported(ours) - _linkonce(ir))


def _linkonce(ir: str) -> set[str]:
    """Names that are defined as ``linkonce`` or ``linkonce_odr``."""
    # The linkage comes first in a definition.
    function = r'^define linkonce(?:_odr)?\b[^@]*@"?([^"(]+)"?\('
    variable = r'^@"?([^"=\n]+?)"? = linkonce(?:_odr)?\b'
    return {
        name
        for pattern in (function, variable)
        for name in re.findall(pattern, ir, re.MULTILINE)
    }
