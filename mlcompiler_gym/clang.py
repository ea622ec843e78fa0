# SPDX-License-Identifier: Apache-2.0
"""Where clang is."""

from __future__ import annotations

import os
import shutil

from mlcompiler_gym.errors import ProgramError


def find_clang(language: str = "c") -> str:
    """``clang-22``, or what ``MLCOMPILER_GYM_CLANG`` names."""
    override = os.environ.get("MLCOMPILER_GYM_CLANG")
    name = override or "clang-22"
    found = shutil.which(name)
    if found is None:
        raise ProgramError(
            f"{name} is not there, and compiling {language} needs it: install it "
            "(Debian: clang-22), set MLCOMPILER_GYM_CLANG to the path of a clang "
            "22, or give bitcode instead of source"
        )
    return found
