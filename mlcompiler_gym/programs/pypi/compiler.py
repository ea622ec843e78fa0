# SPDX-License-Identifier: Apache-2.0
"""Running a compiler, from several threads, and stopping all of it at once."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from pathlib import Path

from mlcompiler_gym.programs.pypi.errors import CompileError
from mlcompiler_gym.programs.pypi.sources import Sources, Unit
from mlcompiler_gym.programs.pypi.toolchain import ENVIRONMENT, Toolchain

#: Lines of the compiler's messages that are worth showing.
_LINES = 3


class Compiler:
    """Runs a toolchain; may be used by several threads."""

    def __init__(self, toolchain: Toolchain) -> None:
        self._toolchain = toolchain
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopped = False

    def compile(self, sources: Sources, unit: Unit, variant: str) -> bytes:
        """Bitcode of a unit, linked with the library if there is one.

        What the unit does not need of the library is left out, and the rest is
        internal to the module.

        Raises:
            CompileError: With the compiler's first messages.
        """
        if not sources.library:
            return self._run(self._toolchain.command(sources, unit, variant), sources)
        with tempfile.TemporaryDirectory(prefix="mlcompiler-gym-") as folder:
            library = self._make_library(sources, variant, Path(folder))
            return self._run(
                self._toolchain.command(sources, unit, variant, needed=library),
                sources,
            )

    def _make_library(self, sources: Sources, variant: str, folder: Path) -> Path:
        parts = []
        for number, each in enumerate(sources.library):
            parts.append(folder / f"{number}.bc")
            command = self._toolchain.command(sources, each, variant)
            parts[-1].write_bytes(self._run(command, sources))
        library = folder / "library.bc"
        command = self._toolchain.link_command(sources, parts, variant)
        library.write_bytes(self._run(command, sources))
        return library

    def _run(self, command: list[str], sources: Sources) -> bytes:
        process = self._start(command, sources)
        try:
            bitcode, messages = process.communicate()
        finally:
            with self._lock:
                self._running.discard(process)
        if process.returncode:
            raise CompileError(_reason(process.returncode, messages))
        return bitcode

    def _start(self, command: list[str], sources: Sources) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._stopped:
                raise CompileError("compilation was stopped")
            process = subprocess.Popen(
                command,
                cwd=sources.root,
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            self._running.add(process)
        return process

    def stop(self) -> None:
        """Kill what runs; nothing is started any more."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.kill()


def _reason(status: int, messages: bytes) -> str:
    if status < 0:
        return f"the compiler was killed by signal {-status}; is there memory enough?"
    lines = messages.decode(errors="replace").splitlines()
    errors = [line for line in lines if "error:" in line] or lines
    return "\n".join(errors[:_LINES]) or f"the compiler's exit status is {status}"
