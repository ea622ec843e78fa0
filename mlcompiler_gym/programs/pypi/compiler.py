# SPDX-License-Identifier: Apache-2.0
"""Running a compiler, from several threads, and stopping all of it at once."""

from __future__ import annotations

import subprocess
import threading

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
        """Bitcode of a unit.

        Raises:
            CompileError: With the compiler's first messages.
        """
        process = self._start(self._toolchain.command(sources, unit, variant), sources)
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
