# SPDX-License-Identifier: Apache-2.0
"""The plugin that puts policies into the clang, opt and llc of Debian's LLVM 22."""

from __future__ import annotations

from pathlib import Path

from mlcompiler_gym.client.executable import find_installed
from mlcompiler_gym.errors import ServiceUnavailableError

_NAME = "libmlcg-plugin.so"


def plugin_path() -> Path:
    """What ``-fpass-plugin=`` and ``-load-pass-plugin=`` are given.

    Raises:
        ServiceUnavailableError: It is not in the installed package.
    """
    found = find_installed(f"lib/{_NAME}")
    if found is None:
        raise ServiceUnavailableError(
            f"{_NAME} is not in the installed package; install mlcompiler_gym with pip "
            "(from a checkout: `./run setup`)"
        )
    return found
