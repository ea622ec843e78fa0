# SPDX-License-Identifier: Apache-2.0
"""How large the code in an object file is."""

from __future__ import annotations

import io

from mlcompiler_gym.errors import MissingLibraryError, MLCompilerGymError


def text_size(content: bytes) -> int:
    """Bytes of the sections of an ELF object file that can be executed.

    Raises:
        MissingLibraryError: The library that reads it is not installed.
        MLCompilerGymError: It is no such file.
    """
    try:
        from elftools.common.exceptions import ELFError
        from elftools.elf.constants import SH_FLAGS
        from elftools.elf.elffile import ELFFile
    except ModuleNotFoundError as missing:
        raise MissingLibraryError("pyelftools", "building") from missing
    try:
        return sum(
            section["sh_size"]
            for section in ELFFile(io.BytesIO(content)).iter_sections()
            if section["sh_flags"] & SH_FLAGS.SHF_EXECINSTR
        )
    except ELFError as error:
        raise MLCompilerGymError(
            f"the size of the code is read from ELF object files, and this is none: "
            f"{error}"
        ) from error
