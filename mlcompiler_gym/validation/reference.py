# SPDX-License-Identifier: Apache-2.0
"""Programs that no optimisation has touched: their object files and runs."""

from __future__ import annotations

from dataclasses import dataclass

from mlcompiler_gym.client import LocalService, Service
from mlcompiler_gym.errors import ProgramError, ServiceError
from mlcompiler_gym.programs import Program
from mlcompiler_gym.v1 import compiler_service_pb2 as pb
from mlcompiler_gym.validation.result import Problem
from mlcompiler_gym.validation.sandbox import Run

#: Milliseconds that the compile may take.
_DEADLINE = 300_000


@dataclass(frozen=True)
class Reference:
    """Two runs of unoptimised code on one input.

    Attributes:
        first: The run to compare with.
        second: Once more; the same object if the first is of no use.
    """

    first: Run
    second: Run

    @property
    def problem(self) -> Problem | None:
        """Why optimised code cannot be compared with it."""
        for run in (self.first, self.second):
            if run.status is None:
                return "invalid reference"
        return "not deterministic" if self.first != self.second else None

    @property
    def size(self) -> int:
        """Bytes of output held."""
        return len(self.first.output) + len(self.second.output)


def reference_object(
    program: Program, service: Service | None = None, target: str = "", cpu: str = ""
) -> bytes:
    """Compile a program with the pipeline and the code generator of ``-O0``.

    Args:
        program: The program.
        service: Where to compile. ``None``: on this machine.
        target: Target triple; empty: the program's own.
        cpu: CPU to compile for; empty: the target's generic one.

    Raises:
        ProgramError: It does not compile.
    """
    service = service if service is not None else LocalService.shared()
    request = pb.Open(
        pipeline="default<O0>",
        codegen_opt_level=0,
        target_triple=target,
        cpu=cpu,
        limits=pb.Limits(deadline_ms=_DEADLINE),
    )
    try:
        session = service.open(request, program)
        try:
            return session.emit("object")
        finally:
            session.close()
    except ServiceError as error:
        raise ProgramError(
            f"{program.name} does not compile without optimisation: {error.message}"
        ) from error
