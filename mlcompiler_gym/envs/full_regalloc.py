# SPDX-License-Identifier: Apache-2.0
"""Full register allocation: which live range comes next, and what becomes of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from mlcompiler_gym.envs.core import CompilerEnv
from mlcompiler_gym.envs.observer import Observer
from mlcompiler_gym.envs.setup import Setup
from mlcompiler_gym.envs.vector import vector_maker

#: The action that spills; registers come before it, splits behind it.
_SPILL = 48
#: A larger spill weight counts as this one, as in RL4ReAl.
_MOST = 10_000.0


class RegAllocEnv(CompilerEnv):
    """``mlcompiler/RegAlloc-v0``: all decisions of a register allocator.

    Decisions come in pairs, function by function: which of the live ranges without a
    register comes next, and what becomes of it. ``order`` takes the first of the two
    away. Where there is one thing to choose from, nothing is asked. The program is
    optimised first, by ``pipeline`` (``default<O2>``); ``info["function"]`` names the
    function.

    Action: ``Discrete(54)``. 0 to 47 is the position of a physical register in the
    allocation order of the live range, hints first. Its holders are then spilled. 48
    spills the live range. 49 gives each block with uses a piece of its own, and 50 to
    53 give one to a loop. Where the question is which live range comes next, 0 to 15
    is its row. ``info["action_mask"]`` and ``action_masks()`` say which are legal.

    Observation: numbers of the live ranges to choose from, of the one at hand and of
    each column (``service/tasks/AllocationFeatures.h``). ``observation="dict"`` names
    them; the shape is ``(16,)`` of those of rows and ``(54,)`` of those of columns.

    Objective: ``regalloc_score`` unless told otherwise; the baseline is LLVM's greedy
    allocator.

    Args:
        order: ``"agent"``: the agent says which live range comes next. ``"weight"``,
            ``"size"``, ``"global_first"``: a fixed order.
        allocator: ``"agent"``, or one of LLVM's, which then decides all by itself:
            ``"basic"``, ``"greedy"``, ``"pbqp"``.
        function: As in :class:`~mlcompiler_gym.RegAllocEvictionEnv`.
        reward: ``"final"`` and ``"dense"`` as in
            :class:`~mlcompiler_gym.RegAllocEvictionEnv`; the former is RL4ReAl's
            global reward. ``"local"``: its local one, the spill weight of what gets a
            register; ``docs/full_regalloc.md`` has its terms.
    """

    task = "regalloc"

    @override
    @classmethod
    def make_setup(
        cls, settings: Mapping[str, Any], beside: Iterable[str] = ()
    ) -> Setup:
        given = dict(settings)
        reward = given.get("reward", "final")
        if reward not in ("final", "dense", "local"):
            raise ValueError(f"reward is 'final', 'dense' or 'local', not {reward!r}")
        if reward == "local":
            del given["reward"]
        setup = super().make_setup(given, (*beside, "reward"))
        if reward == "local":
            setup = dataclasses.replace(
                setup, decision_reward=LocalReward(setup.features)
            )
        return setup


class LocalReward:
    """RL4ReAl's local reward: the spill weight of what gets a register.

    Args:
        observer: Makes the environment's observations.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def __call__(
        self, rows: NDArray[np.float32], actions: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """What each decision pays.

        A live range that gets a register pays its spill weight, less the largest of
        those of the live ranges that are spilled for it. A live range that is spilled
        pays its weight with the sign changed. A split pays nothing, but its pieces
        pay. Weights are bounded by 10,000, and divided by that.

        Args:
            rows: Shape (n, numbers), what each was made from.
            actions: Shape (n,), what was done.

        Returns:
            Shape (n,), each from -1 to 1.
        """
        seen = self._observer.present(rows, {})
        weight, spillable = self._observer.pick(seen, "range").T[:2]
        # What must not be spilled is worth most.
        own = np.where(spillable > 0, np.minimum(weight, _MOST), _MOST)
        heaviest = self._observer.pick(seen, "heaviest")
        others = np.minimum(heaviest[np.arange(len(actions)), actions], _MOST)
        paid = np.select([actions < _SPILL, actions == _SPILL], [own - others, -own])
        if "phase" in self._observer.names:
            # Nothing has become of a live range that was only chosen.
            paid = paid * self._observer.pick(seen, "phase")[:, 0]
        return paid.astype(np.float64) / _MOST


#: ``gymnasium.make_vec("mlcompiler/RegAlloc-v0", num_envs, ...)``.
make_vector = vector_maker(RegAllocEnv)
