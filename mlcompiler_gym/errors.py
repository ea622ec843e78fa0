# SPDX-License-Identifier: Apache-2.0
"""Everything that this package raises on purpose."""

from __future__ import annotations

import enum
from typing import Any, ClassVar


class MLCompilerGymError(Exception):
    """Base of all errors of this package."""


class ErrorCode(enum.StrEnum):
    """What went wrong, in one word: ``error.code`` and ``info["error_code"]``.

    Each is also a string, and equal to its name. The first ones are those of the
    protocol, where ``compiler_service.proto`` says more of them.
    """

    #: The service sent a code that this version does not know.
    ERROR_CODE_UNSPECIFIED = "ERROR_CODE_UNSPECIFIED"
    #: The service does not understand the request.
    MALFORMED_REQUEST = "MALFORMED_REQUEST"
    #: A field of the request has a value that cannot work.
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    #: The service does not hold the program.
    NOT_FOUND = "NOT_FOUND"
    #: The program cannot be read, or the compiler refuses it.
    INVALID_PROGRAM = "INVALID_PROGRAM"
    #: The action is not legal at this decision.
    INVALID_ACTION = "INVALID_ACTION"
    #: The request does not fit the state of the session.
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    #: The request took longer than its deadline.
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    #: The compiler needed more memory than it may have.
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    #: The compiler crashed, or stopped itself.
    CRASHED = "CRASHED"
    #: A limit of the service itself, or of its machine.
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    #: A pass left a module that LLVM's verifier refuses.
    BROKEN_MODULE = "BROKEN_MODULE"

    #: The session ended without a reply.
    SESSION_LOST = "SESSION_LOST"
    #: The program could not be run to measure it.
    NOT_MEASURED = "NOT_MEASURED"


class ServiceError(MLCompilerGymError):
    """The compiler service answered with an error, or not at all.

    Causes that a program may want to tell apart are subclasses.

    Attributes:
        code: What went wrong, for example :attr:`ErrorCode.CRASHED`, which is equal
            to ``"CRASHED"``.
        message: What is wrong, with what, and what can be done about it.
        session_ended: Whether the session is gone. ``reset`` starts another.
        signal: Name of the signal that stopped the compiler, or ``""``.
        pass_name: What the compiler was running, or ``""``.
    """

    _leaves: ClassVar[dict[ErrorCode, type[ServiceError]]] = {}

    def __init_subclass__(cls, code: ErrorCode) -> None:
        super().__init_subclass__()
        cls._leaves[code] = cls

    def __init__(
        self,
        code: ErrorCode | str,
        message: str,
        *,
        session_ended: bool = False,
        signal: str = "",
        pass_name: str = "",
    ) -> None:
        super().__init__(code, message)
        self.code = ErrorCode(code)
        self.message = message
        self.session_ended = session_ended
        self.signal = signal
        self.pass_name = pass_name

    @classmethod
    def of(cls, code: ErrorCode, message: str, **details: Any) -> ServiceError:
        """The error of a code, of the subclass that is for it if there is one.

        Args:
            code: What went wrong.
            message: See the attribute.
            **details: The other attributes.
        """
        return cls._leaves.get(code, ServiceError)(code, message, **details)

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    def __reduce__(self) -> tuple[Any, ...]:
        # The state brings the other attributes, and notes.
        return (type(self), (self.code, self.message), self.__dict__.copy())


class InvalidRequestError(ServiceError, code=ErrorCode.INVALID_ARGUMENT):
    """An unknown option, objective, observation, target, pass, and the like."""


class InvalidProgramError(ServiceError, code=ErrorCode.INVALID_PROGRAM):
    """The program cannot be read, or the compiler refuses it."""


class DeadlineError(ServiceError, code=ErrorCode.DEADLINE_EXCEEDED):
    """A request took longer than ``deadline``; the session has ended."""


class CompilerMemoryError(ServiceError, code=ErrorCode.OUT_OF_MEMORY):
    """The compiler needed more than ``memory_limit``; the session has ended."""


class CompilerCrashedError(ServiceError, code=ErrorCode.CRASHED):
    """The compiler crashed, or stopped itself; the session has ended."""


class ServiceLimitError(ServiceError, code=ErrorCode.RESOURCE_EXHAUSTED):
    """A limit of the service or its machine: too many sessions, too large a program."""


class BrokenModuleError(ServiceError, code=ErrorCode.BROKEN_MODULE):
    """A pass left a module that LLVM's verifier refuses; the session has ended."""


class SessionLostError(ServiceError, code=ErrorCode.SESSION_LOST):
    """The session ended without saying why: its process was killed from outside."""


class ServiceUnavailableError(MLCompilerGymError):
    """The compiler service cannot be found, started or reached."""


class ProtocolError(ServiceUnavailableError):
    """The service speaks another version of the protocol than this client."""


class ProgramError(MLCompilerGymError):
    """A program does not exist, cannot be read or does not compile."""


class MissingLibraryError(ProgramError):
    """A library is needed that an extra of this package installs.

    Attributes:
        name: Name of the library.
        extra: What to install: ``mlcompiler_gym[extra]``.
    """

    def __init__(self, name: str, extra: str = "programs") -> None:
        super().__init__(
            f"the library {name} is needed for this and is not there; run "
            f"`pip install 'mlcompiler_gym[{extra}]'`"
        )
        self.name = name
        self.extra = extra

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return (type(self), (self.name, self.extra))


class RunningError(MLCompilerGymError, TypeError):
    """A compile under way cannot be pickled or copied, but forked."""


class TrajectoryError(MLCompilerGymError):
    """A trajectory cannot be read, or does not replay on this program."""


class EvaluationError(MLCompilerGymError):
    """An evaluation cannot be begun, or cannot go on; what is done is kept."""


class TuningError(MLCompilerGymError):
    """A study cannot be read, or is for something else."""


class TrainingError(MLCompilerGymError):
    """A training cannot be begun, or cannot go on; what is done is kept."""


class PolicyError(MLCompilerGymError):
    """A policy cannot be read, is broken, or cannot decide here."""


class ExportError(PolicyError):
    """What was learned cannot be made a policy that is data; names the layer."""
