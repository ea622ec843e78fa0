# SPDX-License-Identifier: Apache-2.0
"""What can go wrong when code is run, and what it means if it runs wrongly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlcompiler_gym.errors import MLCompilerGymError, ProgramError

if TYPE_CHECKING:
    from mlcompiler_gym.validation.result import Validation


class LinkError(ProgramError):
    """An object file does not link to an executable."""


class MachineError(ProgramError):
    """An object file is not one of this machine, so that it cannot run here."""


class SandboxError(MLCompilerGymError):
    """A program could not be started; nothing is known of what it computes."""


class MiscompileError(MLCompilerGymError):
    """Optimised code computes something else than unoptimised code.

    Attributes:
        validation: What was compared; the message is its report.
    """

    def __init__(self, validation: Validation) -> None:
        super().__init__(validation)
        self.validation = validation

    def __str__(self) -> str:
        return self.validation.report()
