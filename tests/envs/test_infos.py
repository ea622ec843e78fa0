# SPDX-License-Identifier: Apache-2.0
"""What is said beside an observation, and that the documentation names it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from support.tasks import ALL, make_task

from mlcompiler_gym.envs import CompilerEnv

PAGE = Path(__file__).parents[2] / "docs" / "concepts.md"
#: They need measured runs, a compile that fails, or a program without decisions.
RARE = {"spread", "paired", "error", "error_code", "no_decision"}


def documented() -> set[str]:
    section = PAGE.read_text().split("## What `info` has")[1].split("\n## ")[0]
    firsts = [
        row.split("|")[1] for row in section.splitlines() if row.startswith("| `")
    ]
    return {key for first in firsts for key in re.findall(r"`(\w+)`", first)}


def infos(env_id: str) -> list[dict[str, Any]]:
    """The infos of an episode that begins at random."""
    with make_task(env_id) as env:
        compiler = env.unwrapped
        assert isinstance(compiler, CompilerEnv)
        _, info = env.reset(seed=0)
        seen = [info]
        env.action_space.seed(0)
        for _ in range(5):
            action = env.action_space.sample(info.get("action_mask"))
            _, _, ended, _, info = env.step(action)
            seen.append(info)
            if ended:
                return seen
        if env_id != "mlcompiler/PassOrdering-v0":
            seen.append(compiler.finish("random", seed=0)[4])
    return seen


def test_every_key_is_documented_and_occurs() -> None:
    found = {key for name in ALL for info in infos(name) for key in info}
    assert found == documented() - RARE


def test_a_call_site_is_named() -> None:
    at_reset, *later = infos("mlcompiler/Inlining-v0")
    assert re.fullmatch(r"\S+ -> \S+", at_reset["decision"])
    names = [info.get("decision") for info in later]
    assert names[-1] is None  # the end is no decision
    assert len(set(names)) > 2
