# SPDX-License-Identifier: Apache-2.0
"""LLVM's own interactive mode: ``opt-22``, ``llc-22`` and pairs of named pipes.

The host is as small as one in Python can be, so that what is measured beside
ours is LLVM's mode and not a clumsy host.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

_OPT = ["opt-22", "-relocation-model=pic", "-passes=default<Oz>"]

_LLC = ["llc-22", "-relocation-model=pic", "-filetype=obj"]

#: Bytes of one element of a tensor, by its type.
_BYTES = {"int64_t": 8, "float": 4}

#: From the bytes of the features to the decision.
Policy = Callable[[bytes], int]


def plain_compile(bitcode: Path, folder: Path) -> float:
    """Seconds of ``opt`` and ``llc`` with LLVM's own decisions."""
    began = perf_counter()
    subprocess.run([*_OPT, str(bitcode), "-o", str(folder / "out.bc")], check=True)
    plain_codegen(folder / "out.bc", folder)
    return perf_counter() - began


def plain_codegen(bitcode: Path, folder: Path) -> float:
    """Seconds of ``llc`` with LLVM's own decisions."""
    began = perf_counter()
    subprocess.run([*_LLC, str(bitcode), "-o", str(folder / "out.o")], check=True)
    return perf_counter() - began


def interactive_compile(
    bitcode: Path, folder: Path, policy: Policy, *, first_only: bool = False
) -> tuple[float, float, int]:
    """An episode of stock interactive mode: inlining, and code generation.

    Returns:
        Seconds to the first observation, seconds to the end (of the first
        observation, if ``first_only``), and the number of decisions.
    """
    began = perf_counter()
    command = [
        *_OPT,
        "-enable-ml-inliner=release",
        f"-inliner-interactive-channel-base={folder / 'channel'}",
        "-inliner-interactive-include-default",
        str(bitcode),
        "-o",
        str(folder / "out.bc"),
    ]
    first, decisions = _converse(command, folder / "channel", policy, first_only)
    if first_only:
        return first, first, 1
    plain_codegen(folder / "out.bc", folder)
    return first, perf_counter() - began, decisions


def interactive_codegen(
    bitcode: Path, folder: Path, policy: Policy
) -> tuple[float, int]:
    """Code generation in which stock interactive mode asks about evictions.

    Returns:
        Seconds, and the number of decisions.
    """
    began = perf_counter()
    command = [
        *_LLC,
        "-regalloc-enable-advisor=release",
        f"-regalloc-evict-interactive-channel-base={folder / 'channel'}",
        str(bitcode),
        "-o",
        str(folder / "out.o"),
    ]
    _, decisions = _converse(command, folder / "channel", policy, False)
    return perf_counter() - began, decisions


def _converse(
    command: list[str], base: Path, policy: Policy, first_only: bool
) -> tuple[float, int]:
    """Answer a compiler's questions; seconds to the first, and their number."""
    for end in (".in", ".out"):
        os.mkfifo(f"{base}{end}")
    began = perf_counter()
    first = 0.0
    decisions = 0
    with subprocess.Popen(command) as compiler:
        try:
            with (
                open(f"{base}.in", "wb", buffering=0) as answers,
                open(f"{base}.out", "rb") as observations,
            ):
                header = json.loads(observations.readline())
                size = sum(
                    _BYTES[feature["type"]] * math.prod(feature["shape"])
                    for feature in header["features"]
                )
                while line := observations.readline():
                    if b"context" in line:
                        continue
                    features = observations.read(size)
                    observations.readline()
                    if not decisions:
                        first = perf_counter() - began
                        if first_only:
                            compiler.kill()
                            break
                    decisions += 1
                    answers.write(policy(features).to_bytes(8, "little"))
            compiler.wait()
        finally:
            for end in (".in", ".out"):
                os.unlink(f"{base}{end}")
    return first, decisions


def write_bitcode(content: bytes) -> tuple[tempfile.TemporaryDirectory[str], Path]:
    """A temporary folder with the module in it."""
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name, "module.bc")
    path.write_bytes(content)
    return folder, path
