# SPDX-License-Identifier: Apache-2.0
"""What the option ``linkage`` says of caller and callee, and the rule by it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.policies import last_use, play

Make = Callable[..., CompilerEnv]
WriteFile = Callable[[str, str], Path]

NAMES = (
    "caller_linkage",
    "callee_linkage",
    "caller_uses",
    "callee_uses",
    "callee_call_sites",
    "callee_discardable",
    "callee_last_use",
    "callee_removed",
)
BODY = "(i32 %x) {\n  %r = call i32 @sink(i32 %x)\n  ret i32 %r\n}\n"
MODULE = f"""
target triple = "x86_64-linux-gnu"
@table = global ptr @pointed
declare i32 @sink(i32)
define internal i32 @twice{BODY}
define linkonce_odr i32 @once{BODY}
define i32 @api{BODY}
define available_externally i32 @elsewhere{BODY}
define internal i32 @pointed{BODY}
define internal i32 @middle(i32 %x) {{
  %r = call i32 @once(i32 %x)
  ret i32 %r
}}
define i32 @main(i32 %x) {{
  %a = call i32 @twice(i32 %x)
  %b = call i32 @twice(i32 %a)
  %c = call i32 @api(i32 %b)
  %d = call i32 @pointed(i32 %c)
  %e = call i32 @middle(i32 %d)
  %f = call i32 @elsewhere(i32 %e)
  ret i32 %f
}}
"""
# As NAMES; of each call, unless something was inlined before it.
ONCE = (0, 1, 1, 1, 1, 1, 1, 1)
TWICE = (2, 0, 0, 2, 2, 1, 0, 0)
API = (2, 2, 0, 1, 1, 0, 1, 0)
POINTED = (2, 0, 0, 2, 1, 1, 0, 0)
MIDDLE = (2, 0, 0, 1, 1, 1, 1, 1)
# The object file has no body of it that could go.
ELSEWHERE = (2, 1, 0, 1, 1, 0, 1, 0)
KEPT = [ONCE, TWICE, TWICE, API, POINTED, MIDDLE, ELSEWHERE]


def decisions(env: CompilerEnv, *actions: int) -> list[tuple[int, ...]]:
    observation, _ = env.reset(seed=0)
    seen = []
    for action in actions:
        seen.append(tuple(int(observation[name].item()) for name in NAMES))
        observation, _, over, _, _ = env.step(action)
    assert over
    return seen


def test_small_module(make: Make, write_file: WriteFile) -> None:
    env = make(
        programs=write_file("small.ll", MODULE),
        pipeline="inliner-wrapper",
        observation="dict",
        linkage=True,
    )
    assert decisions(env, 0, 0, 0, 0, 0, 0, 0) == KEPT
    # The second call is the last use once the first is inlined.
    last = (2, 0, 0, 1, 1, 1, 1, 1)
    assert decisions(env, 0, 1, 0, 0, 0, 0, 0) == [*KEPT[:2], last, *KEPT[3:]]


def test_off_by_default(make: Make) -> None:
    plain = make(programs="kernels/lz")
    shown = make(programs="kernels/lz", inlining_default=True, linkage=True)
    assert plain.observation_space.shape == (38,)
    assert shown.observation_space.shape == (38 + 1 + len(NAMES),)
    first, _ = plain.reset(seed=0)
    more, _ = shown.reset(seed=0)
    assert np.array_equal(first, more[:38])
    assert shown.observation_space.contains(more)


@pytest.mark.parametrize("observation", ["flat", "dict"])
def test_last_use(make: Make, observation: str) -> None:
    env = make(
        programs="kernels/vm",
        observation=observation,
        inlining_default=True,
        linkage=True,
        size_increase_threshold=100,
    )
    rule = last_use(env)
    expected = []

    def watch(seen: Any, info: dict[str, Any]) -> Any:
        pick = env.setup.features.pick
        wanted = pick(seen, "inlining_default"), pick(seen, "callee_removed")
        expected.append(int(any(each.item() for each in wanted)))
        return rule(seen, info)

    play(env, watch, seed=0)
    assert env.trajectory.actions == tuple(expected)
    assert set(expected) == {0, 1}
    code = env.emit()
    env.reset(seed=0)
    made = env.rollout("last_use")
    assert made.actions.tolist() == expected
    assert env.emit() == code


LARGE = "".join(f"  call void @effect(i32 {i})\n" for i in range(60))
KEEPS = f"""
target triple = "x86_64-linux-gnu"
declare void @effect(i32)
define linkonce_odr void @large() minsize optsize {{
{LARGE}  ret void
}}
define void @main() minsize optsize {{
  call void @large()
  ret void
}}
"""


def test_last_use_inlines_what_llvm_keeps(make: Make, write_file: WriteFile) -> None:
    env = make(
        programs=write_file("keeps.ll", KEEPS), inlining_default=True, linkage=True
    )
    actions, sizes = [], []
    for policy in ("llvm", "last_use"):
        env.reset(seed=0)
        made = env.rollout(policy)
        actions.append(made.actions.tolist())
        sizes.append(made.info["objective"]["text_size"])
    assert actions == [[0], [1]]
    assert sizes[1] < sizes[0]


def test_last_use_needs_what_it_goes_by(make: Make) -> None:
    env = make(programs="kernels/lz", inlining_default=True)
    with pytest.raises(ValueError, match="with linkage=True"):
        last_use(env)
