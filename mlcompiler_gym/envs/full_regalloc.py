# SPDX-License-Identifier: Apache-2.0
"""Full register allocation: which live range comes next, and what becomes of it."""

from __future__ import annotations

from mlcompiler_gym.envs.core import CompilerEnv
from mlcompiler_gym.envs.vector import vector_maker


class RegAllocEnv(CompilerEnv):
    """``mlcompiler/RegAlloc-v0``: all decisions of a register allocator.

    Decisions come in pairs, function by function: which of the live ranges without a
    register comes next, and what becomes of it. ``order`` takes the first of the two
    away. Where there is one thing to choose from, nothing is asked. The program is
    optimised first, by ``pipeline`` (``default<O2>``); ``info["function"]`` names the
    function.

    Action: ``Discrete(54)``; 0 to 47 is the position of a physical register in the
    allocation order of the live range, hints first, whose holders are then spilled;
    48 spills the live range, 49 gives each block with uses a piece of its own, 50 to
    53 give one to a loop. Where it is asked which live range comes next, 0 to 15 is
    its row. ``info["action_mask"]`` and :meth:`action_masks` say which are legal.

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
        reward: As in :class:`~mlcompiler_gym.RegAllocEvictionEnv`.
    """

    task = "regalloc"


#: ``gymnasium.make_vec("mlcompiler/RegAlloc-v0", num_envs, ...)``.
make_vector = vector_maker(RegAllocEnv)
