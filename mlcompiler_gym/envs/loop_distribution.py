# SPDX-License-Identifier: Apache-2.0
"""Loop distribution: one decision per node of a loop's dependence graph."""

from __future__ import annotations

from mlcompiler_gym.envs.core import CompilerEnv
from mlcompiler_gym.envs.vector import vector_maker


class LoopDistributionEnv(CompilerEnv):
    """``mlcompiler/LoopDistribution-v0``: how innermost loops are split.

    Rebuilds RL-LoopDistribution (Jain, VenkataKeerthy et al., "Reinforcement
    Learning assisted Loop Distribution for Locality and Vectorization", LLVM-HPC
    2022) on LLVM 22. Each innermost loop that can be split is a sequence of nodes
    (strongly connected components of the dependence graph that store something or
    compute what is used later) in topological order. A decision is one node: it
    joins the loop that is being put together, or begins a new one behind it. The
    first node begins the first loop without being asked about. The loops are made
    where LLVM would run its own ``loop-distribute``, before the vectoriser, and
    the rest of the pipeline follows.

    Action: ``Discrete(2)``; 0 merges, 1 distributes. Masked: distributing is not
    legal where a loop would have to read what one before it has overwritten.

    Observation: numbers of the loop, of the node in a loop of its own, of the loop
    that is being put together, and of the two together
    (``service/tasks/LoopDistributionFeatures.h``). ``observation="dict"`` names
    the four.

    Objective: ``loop_cost`` unless told otherwise, with the pipeline
    ``default<O3>``; programs: ``"loops"``. A reward of 0 is that of LLVM -O3,
    which distributes nothing by itself.

    ``observe("loops")`` says what became of each loop, and why some loops could not
    be split.

    With ``agents=2`` both of the paper's agents decide, in one action of
    ``Discrete(16)``. One chooses the next node, of up to 8. The other says whether
    the node joins the loop or begins a new one (twice its row, plus 1). ``loop``,
    ``node`` and ``merged`` then have a row for each such node.
    :class:`mlcompiler_gym.integrations.pettingzoo.LoopDistributionAEC` has two agents
    that take turns.
    """

    task = "loop_distribution"


#: ``gymnasium.make_vec("mlcompiler/LoopDistribution-v0", num_envs, ...)``.
make_vector = vector_maker(LoopDistributionEnv)
