# SPDX-License-Identifier: Apache-2.0
"""Gymnasium environments in which LLVM stops at each decision and asks.

Importing this package registers the environments with Gymnasium, so that
``gymnasium.make("mlcompiler/Inlining-v0")`` works. It costs little, for it imports
nothing, not even Gymnasium: what is exported here is loaded when it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

from mlcompiler_gym.registration import TASKS, register_envs

if TYPE_CHECKING:
    from mlcompiler_gym.client import LocalService
    from mlcompiler_gym.envs import (
        CompilerEnv,
        CompilerVectorEnv,
        StepReward,
        Trajectory,
        replay,
    )
    from mlcompiler_gym.envs.errors import InvalidActionError, ResetNeededError
    from mlcompiler_gym.envs.full_regalloc import RegAllocEnv
    from mlcompiler_gym.envs.inlining import InliningEnv
    from mlcompiler_gym.envs.loop_distribution import LoopDistributionEnv
    from mlcompiler_gym.envs.loop_factors import LoopFactorsEnv
    from mlcompiler_gym.envs.parameters import ParametersEnv
    from mlcompiler_gym.envs.pass_ordering import PassOrderingEnv
    from mlcompiler_gym.envs.regalloc import RegAllocEvictionEnv, RegAllocPriorityEnv
    from mlcompiler_gym.errors import (
        BrokenModuleError,
        CompilerCrashedError,
        CompilerMemoryError,
        DeadlineError,
        ErrorCode,
        EvaluationError,
        ExportError,
        InvalidProgramError,
        InvalidRequestError,
        MissingLibraryError,
        MLCompilerGymError,
        PolicyError,
        ProgramError,
        ProtocolError,
        RunningError,
        ServiceError,
        ServiceLimitError,
        ServiceUnavailableError,
        SessionLostError,
        TrainingError,
        TrajectoryError,
        TuningError,
    )
    from mlcompiler_gym.policies import PortablePolicy
    from mlcompiler_gym.programs import (
        Program,
        ProgramSet,
        ProgramSource,
        load_programs,
    )

__version__ = "0.1.0"

_MODULES = {
    "CompilerEnv": "envs",
    "CompilerVectorEnv": "envs",
    "StepReward": "envs",
    "Trajectory": "envs",
    "replay": "envs",
    "BrokenModuleError": "errors",
    "CompilerCrashedError": "errors",
    "CompilerMemoryError": "errors",
    "DeadlineError": "errors",
    "ErrorCode": "errors",
    "EvaluationError": "errors",
    "ExportError": "errors",
    "InvalidActionError": "envs.errors",
    "InvalidProgramError": "errors",
    "InvalidRequestError": "errors",
    "MLCompilerGymError": "errors",
    "MissingLibraryError": "errors",
    "PolicyError": "errors",
    "ProgramError": "errors",
    "ProtocolError": "errors",
    "ResetNeededError": "envs.errors",
    "RunningError": "errors",
    "ServiceError": "errors",
    "ServiceLimitError": "errors",
    "ServiceUnavailableError": "errors",
    "SessionLostError": "errors",
    "TrainingError": "errors",
    "TrajectoryError": "errors",
    "TuningError": "errors",
    "Program": "programs",
    "ProgramSet": "programs",
    "ProgramSource": "programs",
    "load_programs": "programs",
    "PortablePolicy": "policies",
    "LocalService": "client",
}

_MODULES |= {task.class_name: f"envs.{task.module}" for task in TASKS}

__all__ = [
    "BrokenModuleError",
    "CompilerCrashedError",
    "CompilerEnv",
    "CompilerMemoryError",
    "CompilerVectorEnv",
    "DeadlineError",
    "ErrorCode",
    "EvaluationError",
    "ExportError",
    "InliningEnv",
    "InvalidActionError",
    "InvalidProgramError",
    "InvalidRequestError",
    "LocalService",
    "LoopDistributionEnv",
    "LoopFactorsEnv",
    "MLCompilerGymError",
    "MissingLibraryError",
    "ParametersEnv",
    "PassOrderingEnv",
    "PolicyError",
    "PortablePolicy",
    "Program",
    "ProgramError",
    "ProgramSet",
    "ProgramSource",
    "ProtocolError",
    "RegAllocEnv",
    "RegAllocEvictionEnv",
    "RegAllocPriorityEnv",
    "ResetNeededError",
    "RunningError",
    "ServiceError",
    "ServiceLimitError",
    "ServiceUnavailableError",
    "SessionLostError",
    "StepReward",
    "Trajectory",
    "TrainingError",
    "TrajectoryError",
    "TuningError",
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
    return sorted({*__all__, *_MODULES})


register_envs()
