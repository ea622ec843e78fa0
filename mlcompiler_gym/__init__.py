# SPDX-License-Identifier: Apache-2.0
"""Gymnasium environments in which LLVM stops at each decision and asks.

Importing this package costs next to nothing: what it exports is loaded when it
is first used. The environments are registered with Gymnasium by an entry point
(group ``gymnasium.envs``), so ``gymnasium.make("mlcompiler/Inlining-v0")`` works
whichever of the two packages is imported first.
"""

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlcompiler_gym.envs import (
        CompilerEnv,
        CompilerVectorEnv,
        InliningEnv,
        Trajectory,
        replay,
    )
    from mlcompiler_gym.errors import (
        InvalidActionError,
        MLCompilerGymError,
        ProgramError,
        ResetNeededError,
        ServiceError,
        ServiceUnavailableError,
    )
    from mlcompiler_gym.programs import Program, ProgramSet, load_programs
    from mlcompiler_gym.service import LocalService

__version__ = "0.1.0"

_MODULES = {
    "CompilerEnv": "envs",
    "CompilerVectorEnv": "envs",
    "InliningEnv": "envs",
    "Trajectory": "envs",
    "replay": "envs",
    "InvalidActionError": "errors",
    "MLCompilerGymError": "errors",
    "ProgramError": "errors",
    "ResetNeededError": "errors",
    "ServiceError": "errors",
    "ServiceUnavailableError": "errors",
    "Program": "programs",
    "ProgramSet": "programs",
    "load_programs": "programs",
    "LocalService": "service",
}

__all__ = [
    "CompilerEnv",
    "CompilerVectorEnv",
    "InliningEnv",
    "InvalidActionError",
    "LocalService",
    "MLCompilerGymError",
    "Program",
    "ProgramError",
    "ProgramSet",
    "ResetNeededError",
    "ServiceError",
    "ServiceUnavailableError",
    "Trajectory",
    "__version__",
    "load_programs",
    "replay",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_MODULES[name]}")
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted(__all__)


# Gymnasium reads its entry points once, when it is imported; if that was before
# this package was installed (a notebook that ran pip), they are made up for.
if "gymnasium" in sys.modules:
    from mlcompiler_gym.registration import register_envs

    register_envs()
