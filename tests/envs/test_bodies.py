# SPDX-License-Identifier: Apache-2.0
"""What the option ``bodies`` says of what a call joins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from mlcompiler_gym.envs import CompilerEnv

Make = Callable[..., CompilerEnv]
WriteFile = Callable[[str, str], Path]

MODULE = """
target triple = "x86_64-linux-gnu"
@table = global ptr @pointed
declare void @sink(i32)
declare i32 @__gxx_personality_v0(...)
declare void @llvm.assume(i1)

define internal i32 @leaf(i32 %x, i32 %y) nounwind inlinehint {
  %slot = alloca i32
  store i32 %x, ptr %slot
  %c = icmp eq i32 %x, %y
  call void @llvm.assume(i1 %c)
  ret i32 %y
}
define i32 @pointed(i32 %x) noreturn {
  call void @sink(i32 %x)
  call void @sink(i32 %x)
  unreachable
}
define internal i32 @middle(i32 %x) {
  %a = call i32 @leaf(i32 %x, i32 1)
  %b = call i32 @leaf(i32 %a, i32 2)
  ret i32 %b
}
define i32 @main(i32 %x) personality ptr @__gxx_personality_v0 {
  %a = invoke i32 @middle(i32 %x) to label %on unwind label %pad
on:
  %b = call i32 @pointed(i32 %a)
  ret i32 %b
pad:
  %p = landingpad { ptr, i32 } cleanup
  resume { ptr, i32 } %p
}
"""
NAMES = (
    "caller_instructions",
    "callee_instructions",
    "callee_calls",
    "callee_allocas",
    "callee_parameters",
    "callee_sites_in_caller",
    "caller_removable",
    "callee_removable",
    "callee_hinted",
    "callee_unwinds",
    "callee_returns",
    "call_catches",
    "callee_sites_kept",
    "callee_growth",
)
LEAF = (3, 5, 0, 1, 2, 2, 1, 1, 1, 0, 1, 0, 0, -1)
# The first call of it was kept.
LEAF_AGAIN = (*LEAF[:-2], 1, -1)
MIDDLE = (5, 3, 2, 0, 1, 1, 0, 1, 0, 1, 1, 1, 0, -2)
POINTED = (5, 3, 2, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 1)


def test_small_module(make: Make, write_file: WriteFile) -> None:
    env = make(
        programs=write_file("small.ll", MODULE),
        pipeline="inliner-wrapper",
        observation="dict",
        bodies=True,
    )
    observation, _ = env.reset(seed=0)
    seen = []
    over = False
    while not over:
        seen.append(tuple(int(observation[name].item()) for name in NAMES))
        observation, _, over, _, _ = env.step(0)
    assert sorted(seen) == sorted([LEAF, LEAF_AGAIN, MIDDLE, POINTED])


def test_off_by_default(make: Make) -> None:
    plain = make(programs="kernels/lz")
    shown = make(programs="kernels/lz", bodies=True)
    first, _ = plain.reset(seed=0)
    more, _ = shown.reset(seed=0)
    assert shown.observation_space.shape == (38 + len(NAMES),)
    assert np.array_equal(first, more[:38])
    assert shown.observation_space.contains(more)
