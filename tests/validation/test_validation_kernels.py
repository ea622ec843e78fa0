# SPDX-License-Identifier: Apache-2.0
"""Whatever is decided about a kernel, it computes the same.

The number of random episodes is `MLCOMPILER_GYM_TEST_EPISODES`, 200 by default:

    MLCOMPILER_GYM_TEST_EPISODES=1000 pytest -m slow -k validation_kernels tests
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import toolchain
from support.toolchain import at_random, finish, play

from mlcompiler_gym import Trajectory, replay
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.validation import MachineError, MiscompileError, validate

Make = Callable[..., CompilerEnv]

EPISODES = int(os.environ.get("MLCOMPILER_GYM_TEST_EPISODES", "200"))

#: Episodes of one test, few enough for its time limit on a busy machine.
_TOGETHER = 10

#: The factor of the kernels' checksum: every kernel has it, in every input's path.
_FACTOR = str(0x100000001B3)


def test_a_random_episode(make: Make) -> None:
    env = make(programs="kernels/lz")
    play(env, at_random(0))
    found = validate(env.program, env.emit("object"))
    assert found.ok, found.report()
    assert found.program == "kernels/lz"
    assert found.inputs == env.program.inputs


def test_a_planted_miscompile(make: Make, tmp_path: Path) -> None:
    env = make(programs="kernels/lz")
    play(env, at_random(1))
    bitcode = env.emit("bitcode")
    ir = toolchain.run("opt-22", "-S", "-o", "-", data=bitcode).decode()
    assert _FACTOR in ir
    llc = ("llc-22", "-relocation-model=pic", "-filetype=obj", "-o", "-")
    wrong = toolchain.run(*llc, data=ir.replace(_FACTOR, "3", 1).encode())
    path = tmp_path / "wrong.json"
    found = validate(env.program, wrong).with_trajectory(env.trajectory, save_to=path)
    with pytest.raises(MiscompileError) as caught:
        found.raise_if_wrong()
    report = str(caught.value)
    assert report.startswith("kernels/lz: MISCOMPILED")
    assert "lz checksum" in report
    assert found.differences
    for difference in found.differences:
        assert f"input {' '.join(difference.input) or '(no arguments)'}" in report
    assert str(path) in report
    replayed = replay(Trajectory.load(path), env.program, service=env.setup.service)
    assert replayed.object_code == env.emit("object")


def test_code_for_another_machine(make: Make) -> None:
    other = "x86_64" if os.uname().machine == "aarch64" else "aarch64"
    env = make(programs="kernels/lz", target=f"{other}-linux-gnu")
    play(env, at_random(0))
    with pytest.raises(MachineError, match=f"{other} and cannot be run"):
        validate(env.program, env.emit("object"))


def inclined(rng: np.random.Generator) -> Callable[[Any], int]:
    """Inline with a probability of the episode's own."""
    probability = rng.random()
    return lambda _: int(rng.random() < probability)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, EPISODES, _TOGETHER))
def test_random_episodes(make: Make, first: int) -> None:
    env = make(programs="kernels")
    for seed in range(first, min(first + _TOGETHER, EPISODES)):
        observation, _ = env.reset(seed=seed)
        finish(env, inclined(np.random.default_rng(seed)), observation)
        found = validate(env.program, env.emit("object"))
        found = found.with_trajectory(env.trajectory)
        assert found.ok, found.report()
