# SPDX-License-Identifier: Apache-2.0
"""The table of tasks: what is registered, exported and tested."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from types import ModuleType


@dataclass(frozen=True)
class TaskEntry:
    """One row of the table.

    Attributes:
        env_id: The environment's name for ``gymnasium.make``.
        class_name: Its class, which the package exports.
        module: The module that has the class and ``vector_function``.
        vector_function: What ``gymnasium.make_vec`` calls.
        max_episode_steps: Steps of an episode, where it has no end of its own.
    """

    env_id: str
    class_name: str
    module: str
    vector_function: str = "make_vector"
    max_episode_steps: int | None = None


TASKS = (
    TaskEntry("mlcompiler/Inlining-v0", "InliningEnv", "inlining"),
    TaskEntry(
        "mlcompiler/LoopDistribution-v0", "LoopDistributionEnv", "loop_distribution"
    ),
    TaskEntry("mlcompiler/LoopFactors-v0", "LoopFactorsEnv", "loop_factors"),
    TaskEntry("mlcompiler/RegAlloc-v0", "RegAllocEnv", "full_regalloc"),
    TaskEntry(
        "mlcompiler/RegAllocEviction-v0",
        "RegAllocEvictionEnv",
        "regalloc",
        "make_eviction_vector",
    ),
    TaskEntry(
        "mlcompiler/RegAllocPriority-v0",
        "RegAllocPriorityEnv",
        "regalloc",
        "make_priority_vector",
    ),
    TaskEntry(
        "mlcompiler/PassOrdering-v0",
        "PassOrderingEnv",
        "pass_ordering",
        max_episode_steps=50,
    ),
    TaskEntry("mlcompiler/Parameters-v0", "ParametersEnv", "parameters"),
)


def register_envs() -> None:
    """Register every environment with Gymnasium, now or once it is imported.

    To import it takes longer than a small program takes to compile, and not everything
    in this package needs it.
    """
    if "gymnasium" in sys.modules:
        _register_envs()
    else:
        sys.meta_path.insert(0, _WhenImported())


class _WhenImported:
    """Registers the environments as soon as Gymnasium has been imported."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Gymnasium as the other finders have it, registering when it is run."""
        if fullname != "gymnasium":
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        found = (finder.find_spec(fullname, path, target) for finder in others)
        spec = next(filter(None, found), None)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_and_register(module: ModuleType) -> None:
            execute(module)
            # This comes after the import. A module that was only looked for, or that
            # failed to import, does not count.
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            _register_envs()

        spec.loader.exec_module = execute_and_register  # type: ignore[method-assign]
        return spec


def _register_envs() -> None:
    """Register every environment that is not registered yet."""
    from gymnasium.envs.registration import register, registry

    for task in TASKS:
        if task.env_id in registry:
            continue
        module = f"mlcompiler_gym.envs.{task.module}"
        register(
            id=task.env_id,
            entry_point=f"{module}:{task.class_name}",
            vector_entry_point=f"{module}:{task.vector_function}",
            max_episode_steps=task.max_episode_steps,
            # The environment checks actions and the order of calls itself, with
            # better messages and at a fraction of the cost of the wrappers.
            disable_env_checker=True,
            order_enforce=False,
        )
