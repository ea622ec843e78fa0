# SPDX-License-Identifier: Apache-2.0
"""Inlining: one decision per call site."""

from __future__ import annotations

import math
from typing import Unpack

from mlcompiler_gym.envs.core import CompilerEnv
from mlcompiler_gym.envs.render import RenderMode
from mlcompiler_gym.envs.setup import Settings, Setup, make_setup
from mlcompiler_gym.envs.vector import vector_maker


def _setup(
    *,
    inlining_default: bool = False,
    size_increase_threshold: float = 100.0,
    **settings: Unpack[Settings],
) -> Setup:
    for name in ("function", "reward"):
        if name in settings:
            raise TypeError(
                f"Inlining has no argument {name!r}: the decisions of one function "
                "change what comes up in others"
            )
    if not 0 < size_increase_threshold < math.inf:
        raise ValueError(
            f"size_increase_threshold must be positive, not {size_increase_threshold}"
        )
    options = {
        "inlining_default": "true" if inlining_default else "false",
        "size_increase_threshold": repr(float(size_increase_threshold)),
    }
    return make_setup("inlining", options, **settings)


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

    Args:
        inlining_default: Add a 39th feature, the heuristic's own decision. An
            agent that repeats it gives the very object file of LLVM's own
            compile.
        size_increase_threshold: Growth of the module at which LLVM stops asking
            (``-ml-advisor-size-increase-threshold``). LLVM has 2, which its own
            heuristic does not keep to.
        **settings: See :class:`~mlcompiler_gym.envs.core.CompilerEnv`.
    """

    def __init__(
        self,
        *,
        inlining_default: bool = False,
        size_increase_threshold: float = 100.0,
        render_mode: RenderMode | None = None,
        **settings: Unpack[Settings],
    ) -> None:
        setup = _setup(
            inlining_default=inlining_default,
            size_increase_threshold=size_increase_threshold,
            **settings,
        )
        super().__init__(setup, render_mode=render_mode)


#: ``gymnasium.make_vec("mlcompiler/Inlining-v0", num_envs, ...)``.
make_vector = vector_maker(_setup, "mlcompiler/Inlining-v0")
