# SPDX-License-Identifier: Apache-2.0
"""From an object file to an executable of this machine."""

from __future__ import annotations

import functools
import os
import platform
import re
import shutil
import struct
import subprocess
import textwrap
from collections.abc import Sequence
from pathlib import Path

from mlcompiler_gym.files import explain
from mlcompiler_gym.validation.errors import LinkError, MachineError

_LINKERS = ("clang-22", "clang", "cc", "gcc")
#: They bring the library of C++ along.
_CXX_LINKERS = ("clang++-22", "clang++", "c++", "g++")

#: How the names begin that C++ gives to functions, and to what they need at run time.
_CXX_NAME = re.compile(rb"\0(_Z|__cxa_|__gxx_)")

#: ELF's numbers of machines, by the names that `uname -m` has for them.
_MACHINES = {3: "i386", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv64"}

_ALIASES = {"amd64": "x86_64", "arm64": "aarch64"}


def find_linker(*, cxx: bool = False) -> str:
    """A compiler driver that links, or what ``MLCOMPILER_GYM_LINKER`` names.

    Args:
        cxx: Whether the program has C++ in it.

    Raises:
        LinkError: There is none.
    """
    override = os.environ.get("MLCOMPILER_GYM_LINKER")
    names = _CXX_LINKERS if cxx else _LINKERS
    for name in (override,) if override else names:
        found = shutil.which(name)
        if found is not None:
            return found
    missing = (
        f"MLCOMPILER_GYM_LINKER={override} is not a program"
        if override
        else f"none of {', '.join(names)} is there"
    )
    raise LinkError(
        f"{missing}, and running a program needs one to link it: install one "
        "(Debian: clang-22, lld-22 and libc6-dev; for C++ libstdc++-12-dev), or set "
        "MLCOMPILER_GYM_LINKER to the path of a C compiler (of a C++ compiler for C++ "
        "programs)"
    )


def check_machine(object_code: bytes) -> None:
    """Refuse an object file that is not one of this machine.

    Raises:
        MachineError: It is for another machine, or no ELF file.
    """
    if len(object_code) < 20 or object_code[:4] != b"\x7fELF":
        raise MachineError("this is not an object file: it does not begin as ELF does")
    order = "<" if object_code[5] == 1 else ">"
    (number,) = struct.unpack_from(order + "H", object_code, 18)
    machine = _MACHINES.get(number, f"ELF machine {number}")
    host = platform.machine()
    if machine != _ALIASES.get(host, host):
        raise MachineError(
            f"the object file is for {machine} and cannot be run on this machine, "
            f"which is {host}; compile for {host} to validate, or validate on a "
            f"machine with {machine}"
        )


def link(object_code: bytes, executable: Path, others: Sequence[Path] = ()) -> None:
    """Link an object file against libc and libm, and libstdc++ if there is C++ in it.

    The program is position-independent if the object file can be part of such.

    Args:
        object_code: An object file with ``main``.
        executable: Where to write the program.
        others: Files of further object code.

    Raises:
        LinkError: It does not link; the linker's message is in the error.
        MachineError: The object file is for another machine.
    """
    check_machine(object_code)
    linker = find_linker(cxx=_CXX_NAME.search(object_code) is not None)
    object_file = executable.with_name(executable.name + ".o")
    flags = ["-fuse-ld=lld"] if _has_lld(linker) else []
    command = [linker, *flags, "-pie", str(object_file), *map(str, others)]
    command += ["-o", str(executable), "-lm"]
    try:
        object_file.write_bytes(object_code)
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode:
            fixed = ["-no-pie" if word == "-pie" else word for word in command]
            if not subprocess.run(fixed, capture_output=True, check=False).returncode:
                return
    except OSError as error:
        raise LinkError(f"cannot link {executable.name}: {explain(error)}") from error
    finally:
        object_file.unlink(missing_ok=True)
    if done.returncode:
        output = (done.stderr + done.stdout).decode(errors="replace").strip()
        raise LinkError(
            f"{executable.name} does not link:\n  {' '.join(command)}\n"
            + textwrap.indent(output, "    ")
        )


@functools.cache
def _has_lld(linker: str) -> bool:
    # A driver that finds lld prints its path. Otherwise it prints the bare name, which
    # it would look up like any program.
    done = subprocess.run(
        [linker, "-print-prog-name=ld.lld"], capture_output=True, check=False
    )
    return shutil.which(os.fsdecode(done.stdout).strip()) is not None
