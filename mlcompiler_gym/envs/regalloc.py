# SPDX-License-Identifier: Apache-2.0
"""Register allocation: which live range to evict, and in which order to allocate."""

from __future__ import annotations

from mlcompiler_gym.envs.core import CompilerEnv
from mlcompiler_gym.envs.vector import vector_maker


class RegAllocEvictionEnv(CompilerEnv):
    """``mlcompiler/RegAllocEviction-v0``: which register to take from whom.

    A decision is one live range that LLVM's greedy register allocator finds no
    free register for, function by function. The program is optimised first, by
    ``pipeline`` (``default<O2>``); ``info["function"]`` names the function.

    Action: ``Discrete(33)``. 0 to 31 is the position of a physical register in
    the allocation order of the live range, hints first. Its holders are then
    evicted. 32 evicts nothing. ``info["action_mask"]`` and ``action_masks()``
    say which are legal; others are refused and the episode goes on.

    Observation: LLVM's own 21 tensors, 33 columns each but the last, of block
    frequencies, uses, hints and stages of what would be evicted
    (``MLRegAllocEvictAdvisor.cpp``; MLGO, Trofin et al. 2021).
    ``observation="dict"`` names them; their shape is ``(33,)``.

    Objective: ``regalloc_score`` unless told otherwise.

    Args:
        function: ``None``: the whole module is compiled. A name: that function
            only, with the code that it has in the module. ``"each"``: an
            episode is one function that raises decisions, drawn at random.
        reward: ``"final"``: at the end. ``"dense"``: as soon as a function is
            done, what it adds; the sum is the same.

    With ``eviction_default=True`` there is a further feature, LLVM's own decision. An
    agent that repeats it gives the object file of LLVM's own compile.
    """

    task = "regalloc_eviction"


class RegAllocPriorityEnv(CompilerEnv):
    """``mlcompiler/RegAllocPriority-v0``: in which order to allocate.

    A decision is one live range that LLVM's greedy register allocator puts into
    its queue; the one of the highest priority is taken out first.

    Action: ``Box(1)``, the priority, from 0 to 2^32; LLVM drops what is behind
    the point.

    Observation: the size of the live range, its stage and its spill weight
    (``MLRegAllocPriorityAdvisor.cpp``).

    Objective: ``regalloc_score`` unless told otherwise.

    Args:
        function: As in :class:`RegAllocEvictionEnv`.
        reward: As in :class:`RegAllocEvictionEnv`.

    With ``priority_default=True`` there is a further feature, LLVM's own priority. An
    agent that repeats it gives the object file of LLVM's own compile, although a
    float does not hold all of its bits.
    """

    task = "regalloc_priority"


#: ``gymnasium.make_vec("mlcompiler/RegAllocEviction-v0", num_envs, ...)``.
make_eviction_vector = vector_maker(RegAllocEvictionEnv)
#: ``gymnasium.make_vec("mlcompiler/RegAllocPriority-v0", num_envs, ...)``.
make_priority_vector = vector_maker(RegAllocPriorityEnv)
