# SPDX-License-Identifier: Apache-2.0
"""The programs that ship with the package, as bitcode.

They were written for it: each has its own ``main``, takes an optional size,
checks itself and prints a checksum. Sources are in ``kernels/src``.
"""

from __future__ import annotations

from mlcompiler_gym.errors import ProgramError
from mlcompiler_gym.programs.program import Program
from mlcompiler_gym.service.executable import find_installed

#: Architectures that the kernels are compiled for.
ARCHITECTURES = ("x86_64", "aarch64")


def architecture_of(target: str | None) -> str:
    """The kernels' architecture for a target triple (None: x86-64)."""
    architecture = (target or "x86_64").split("-", 1)[0]
    architecture = {"amd64": "x86_64", "arm64": "aarch64"}.get(
        architecture, architecture
    )
    if architecture not in ARCHITECTURES:
        raise ProgramError(
            f"there are no kernels for target {target!r}; there are for: "
            + ", ".join(ARCHITECTURES)
        )
    return architecture


def kernels(target: str | None = None) -> list[Program]:
    """All kernels, by name, compiled for ``target``'s architecture."""
    architecture = architecture_of(target)
    folder = find_installed(f"programs/kernels/{architecture}")
    if folder is None:
        raise ProgramError(
            "the kernels' bitcode is not in the installed package; install it "
            "with pip (from a checkout: `./run setup`)"
        )
    return [
        Program(f"kernels/{path.stem}", path) for path in sorted(folder.glob("*.bc"))
    ]
