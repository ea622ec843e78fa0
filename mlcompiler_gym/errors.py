# SPDX-License-Identifier: Apache-2.0
"""Everything that this package raises on purpose."""

from typing import Any

import gymnasium.error


class MLCompilerGymError(Exception):
    """Base of all errors of this package."""


class ServiceError(MLCompilerGymError):
    """The compiler service answered with an error, or not at all.

    Attributes:
        code: Name of the protocol's ``ErrorCode``, for example ``"CRASHED"``;
            ``"SESSION_LOST"`` if the session ended without a reply.
        message: What is wrong, with what, and what can be done about it.
        session_ended: Whether the session is gone. ``reset`` starts another.
        signal: Name of the signal that stopped the compiler, or ``""``.
        pass_name: What the compiler was running, or ``""``.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        session_ended: bool = False,
        signal: str = "",
        pass_name: str = "",
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.session_ended = session_ended
        self.signal = signal
        self.pass_name = pass_name

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    def __reduce__(self) -> tuple[Any, ...]:
        # The state brings the other attributes, and notes.
        return (type(self), (self.code, self.message), self.__dict__.copy())


class ServiceUnavailableError(MLCompilerGymError):
    """The compiler service cannot be found, started or reached."""


class ProgramError(MLCompilerGymError):
    """A program does not exist, cannot be read or does not compile."""


class MissingLibraryError(ProgramError):
    """A library is needed that ``mlcompiler_gym[programs]`` installs."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the library {name} is needed for this and is not there; run "
            "`pip install 'mlcompiler_gym[programs]'`"
        )
        self.name = name

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return (type(self), (self.name,))


class InvalidActionError(MLCompilerGymError, gymnasium.error.InvalidAction):
    """An action has the wrong type or shape, or is not legal now.

    The episode goes on, at the same decision.
    """


class ResetNeededError(MLCompilerGymError, gymnasium.error.ResetNeeded):
    """``step`` or ``fork`` without an episode under way."""


class TrajectoryError(MLCompilerGymError):
    """A trajectory cannot be read, or does not replay on this program."""


class EvaluationError(MLCompilerGymError):
    """An evaluation cannot be begun, or cannot go on; what is done is kept."""
