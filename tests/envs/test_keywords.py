# SPDX-License-Identifier: Apache-2.0
"""Typing errors in the arguments of gym.make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
from gymnasium.envs.registration import registry

from mlcompiler_gym import InliningEnv, ProgramError

IDS = sorted(each for each in registry if each.startswith("mlcompiler/"))


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("program", "programs"),
        ("objectives", "objective"),
        ("rendermode", "render_mode"),
        ("memory_limt", "memory_limit"),
    ],
)
def test_the_right_one_is_named(env_id: str, wrong: str, right: str) -> None:
    makers: list[tuple[Any, dict[str, Any]]] = [
        (gym.make, {}),
        (gym.make_vec, {"num_envs": 2}),
    ]
    for make, extra in makers:
        with pytest.raises(TypeError) as caught:
            make(env_id, **extra, **{wrong: None})
        message = str(caught.value)
        assert f"has no argument {wrong!r}; did you mean {right}" in message
        listed = message.partition("It takes ")[2]
        assert "cpu, deadline, " in listed
        assert "measuring, memory_limit, " in listed


@pytest.mark.parametrize(
    ("env_id", "wrong", "right"),
    [
        ("mlcompiler/Inlining-v0", "inline_default", "inlining_default"),
        ("mlcompiler/RegAllocEviction-v0", "evict_default", "eviction_default"),
        ("mlcompiler/RegAllocPriority-v0", "functions", "function"),
        ("mlcompiler/LoopDistribution-v0", "agent", "agents"),
        ("mlcompiler/PassOrdering-v0", "action", "actions"),
    ],
)
def test_a_tasks_own(env_id: str, wrong: str, right: str) -> None:
    settings: dict[str, Any] = {wrong: 1}
    with pytest.raises(TypeError, match=f"did you mean {right}"):
        gym.make(env_id, **settings)


def test_what_is_like_nothing() -> None:
    with pytest.raises(TypeError, match=r"no argument 'zzz'; It takes bodies, "):
        gym.make("mlcompiler/Inlining-v0", zzz=1)
    with pytest.raises(TypeError, match="did you mean batch_size"):
        gym.make_vec("mlcompiler/Inlining-v0", num_envs=2, batchsize=1)


def test_subclasses_may_take_others() -> None:
    class Mine(InliningEnv):
        def __init__(self, mine: int, **settings: Any) -> None:
            super().__init__(**settings)
            self.mine = mine

    env = Mine(mine=3, programs="kernels/lz")
    assert env.mine == 3


def test_paths(tmp_path: Path) -> None:
    (tmp_path / "filter.c").write_text("int main(void) { return 0; }\n")
    (tmp_path / "filter.txt").write_text("")

    def message(programs: str) -> str:
        with pytest.raises(ProgramError) as caught:
            gym.make("mlcompiler/Inlining-v0", programs=programs)
        return str(caught.value)

    said = message(f"{tmp_path}/fliter.c")
    assert f"there is no file {tmp_path}/fliter.c: did you mean filter.c? " in said
    assert said.endswith(f"It is not in {tmp_path}")
    missing = tmp_path / "nonsuch"
    said = message(f"{missing}/filter.c")
    assert said.endswith(f"the folder {missing} does not exist")
    # A relative path is given in full.
    assert str(Path.cwd() / "foo") in message("foo/bar.c")
    assert "did you mean kernels" in message("kernls")
    assert "did you mean kernels/regex" in message("kernels/regx")
    assert "train, validation, test, not 'tran'" in message("kernels:tran")
