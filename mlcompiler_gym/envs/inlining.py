# SPDX-License-Identifier: Apache-2.0
"""Inlining: one decision per call site."""

from __future__ import annotations

from mlcompiler_gym.envs.core import CompilerEnv
from mlcompiler_gym.envs.vector import vector_maker


class InliningEnv(CompilerEnv):
    """``mlcompiler/Inlining-v0``: whether to inline, call site by call site.

    A decision is one call site, in the order in which LLVM's CGSCC inliner
    visits them, callees before callers. Sites that the inliner has no choice
    about are not asked: unreachable ones, ``alwaysinline`` and ``noinline``,
    direct self-recursion, and every site once the module has doubled.

    Action: ``Discrete(2)``; 0 keeps the call, 1 inlines.

    Observation: LLVM's own 38 features of the call site, the caller, the callee
    and the call graph, as numbers of things (``InlineModelFeatureMaps.h``; MLGO,
    Trofin et al. 2021). ``observation="dict"`` names them.

    Objective: ``text_size`` unless told otherwise, with the pipeline
    ``default<Oz>``.

    With ``inlining_default=True`` there is a further feature, LLVM's own decision. An
    agent that repeats it gives the object file of LLVM's own compile. With
    ``linkage=True`` there are eight that LLVM's own lack: who can use caller and
    callee, how often they are used, and whether the callee's body goes with the call.
    With ``bodies=True`` there are twelve of their sizes and attributes.
    """

    task = "inlining"


#: ``gymnasium.make_vec("mlcompiler/Inlining-v0", num_envs, ...)``.
make_vector = vector_maker(InliningEnv)
