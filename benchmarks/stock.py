# SPDX-License-Identifier: Apache-2.0
"""LLVM's own interactive mode: ``opt-22`` and a pair of named pipes.

The host is as small as one in Python can be, so that what is measured beside
ours is LLVM's mode and not a clumsy host.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

_OPT = ["opt-22", "-relocation-model=pic", "-passes=default<Oz>"]

_LLC = ["llc-22", "-relocation-model=pic", "-filetype=obj"]

#: From the bytes of the features to the decision.
Policy = Callable[[bytes], int]


def plain_compile(bitcode: Path, folder: Path) -> float:
    """Seconds of ``opt`` and ``llc`` with LLVM's own decisions."""
    began = perf_counter()
    subprocess.run([*_OPT, str(bitcode), "-o", str(folder / "out.bc")], check=True)
    _generate_code(folder)
    return perf_counter() - began


def _generate_code(folder: Path) -> None:
    command = [*_LLC, str(folder / "out.bc"), "-o", str(folder / "out.o")]
    subprocess.run(command, check=True)


def interactive_compile(
    bitcode: Path, folder: Path, policy: Policy, *, first_only: bool = False
) -> tuple[float, float, int]:
    """An episode of stock interactive mode.

    Returns:
        Seconds to the first observation, seconds to the end (of the first
        observation, if ``first_only``), and the number of decisions.
    """
    base = folder / "channel"
    for end in (".in", ".out"):
        os.mkfifo(f"{base}{end}")
    began = perf_counter()
    command = [
        *_OPT,
        "-enable-ml-inliner=release",
        f"-inliner-interactive-channel-base={base}",
        "-inliner-interactive-include-default",
        str(bitcode),
        "-o",
        str(folder / "out.bc"),
    ]
    with subprocess.Popen(command) as compiler:
        try:
            with (
                open(f"{base}.in", "wb", buffering=0) as answers,
                open(f"{base}.out", "rb") as observations,
            ):
                header = json.loads(observations.readline())
                # Every feature of the inliner is one int64.
                size = 8 * len(header["features"])
                decisions = 0
                first = 0.0
                while line := observations.readline():
                    if b"context" in line:
                        continue
                    features = observations.read(size)
                    observations.readline()
                    if not decisions:
                        first = perf_counter() - began
                        if first_only:
                            compiler.kill()
                            return first, first, 1
                    decisions += 1
                    answers.write(policy(features).to_bytes(8, "little"))
            compiler.wait()
            _generate_code(folder)
        finally:
            for end in (".in", ".out"):
                os.unlink(f"{base}{end}")
    return first, perf_counter() - began, decisions


def write_bitcode(content: bytes) -> tuple[tempfile.TemporaryDirectory[str], Path]:
    """A temporary folder with the module in it."""
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name, "module.bc")
    path.write_bytes(content)
    return folder, path
