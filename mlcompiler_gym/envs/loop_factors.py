# SPDX-License-Identifier: Apache-2.0
"""Loop factors: by how much loops are vectorised, interleaved and unrolled."""

from __future__ import annotations

from mlcompiler_gym.envs.core import CompilerEnv
from mlcompiler_gym.envs.vector import vector_maker


class LoopFactorsEnv(CompilerEnv):
    """``mlcompiler/LoopFactors-v0``: how wide and how often loops are made.

    A decision is one innermost loop, where LLVM's vectoriser is about to meet it, in
    the order of the program. It sets the width of the loop's vectors (1, 2, 4, 8, 16),
    how many vectors are under way at once (1, 2, 4, 8), and how often the body is
    unrolled (1, 2, 4, 8). Each may be left to LLVM.

    Action: ``Discrete(150)``, a combination of the three; the last of them changes
    fastest, and 0 leaves all to LLVM. With ``flat=False``,
    ``MultiDiscrete([6, 5, 5])``, an element for each. Options leave factors out.
    Masked: what LLVM would not do for the dependences of the loop, for want of
    iterations, or since the program itself says otherwise.

    Observation: numbers of the loop and of its body (``service/tasks/LoopFacts.h``,
    ``LoopBody.h``). ``observation="dict"`` names them.

    Objective: ``loop_cost`` unless told otherwise, with the pipeline
    ``default<O3>``; programs: ``"loops"``.

    An action asks; whether LLVM does it, its own legality says. ``info["taken"]`` at
    the end has a dict for each decision: ``loop``, ``asked`` (by factor; None: LLVM's
    choice), and what was done: ``width``, ``interleave``, ``unroll``, ``remainder``
    (how often the loop of the last iterations was unrolled), ``unroll_and_jam``, and
    ``why`` not, in LLVM's words.
    """

    task = "loop_factors"


#: ``gymnasium.make_vec("mlcompiler/LoopFactors-v0", num_envs, ...)``.
make_vector = vector_maker(LoopFactorsEnv)
