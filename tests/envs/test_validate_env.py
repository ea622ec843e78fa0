# SPDX-License-Identifier: Apache-2.0
"""``env.unwrapped.validate()``: does what the agent made still compute the same?"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import pytest
from support.toolchain import always, at_random, finish, play

from mlcompiler_gym import Program, ProgramError, ResetNeededError, Trajectory, replay
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.validation import (
    Limits,
    LinkError,
    MachineError,
    MiscompileError,
)

Make = Callable[..., CompilerEnv]
Write = Callable[[str, str], Path]

#: Whether the sum is greater is for the optimiser to say, as overflow is
#: undefined: without optimisation it wraps around.
OVERFLOW = """
int printf(const char *, ...);
int atoi(const char *);
static int greater(int x) { return x + 1 > x; }
int main(int argc, char **argv) {
  int x = argc > 1 ? atoi(argv[1]) : 1;
  printf("%d\\n", x);
  printf("%d\\n", greater(x));
  return 0;
}
"""


@pytest.fixture
def overflow(write_file: Write) -> Path:
    return write_file("overflow.c", OVERFLOW)


@pytest.mark.parametrize("name", ["kernels/regex", "kernels/lz", "loops/split_chain"])
def test_random_episodes(make: Make, name: str) -> None:
    env = make(programs=name)
    for seed in range(2):
        play(env, at_random(seed))
        found = env.validate()
        assert found.ok, found.report()
        assert found.status == "same"
        assert found.program == name
        assert found.inputs == env.program.inputs
        assert len(found.inputs) == 3
        assert found.trajectory == env.trajectory


@pytest.mark.parametrize(
    "settings", [{"level": "O2"}, {"pipeline": "default<O3>"}, {"cpu": "x86-64-v2"}]
)
def test_other_compiles(make: Make, settings: dict[str, str]) -> None:
    env = make(programs="kernels/json", **settings)
    play(env, at_random(1))
    found = env.validate()
    assert found.ok, found.report()


def test_through_wrappers(make: Make) -> None:
    env: Any = gymnasium.wrappers.TimeLimit(make(programs="loops/split_chain"), 1000)
    env.reset(seed=0)
    terminated = False
    while not terminated:
        _, _, terminated, _, _ = env.step(1)
    assert isinstance(env.unwrapped, CompilerEnv)
    assert env.unwrapped.validate().ok


def test_other_inputs(make: Make) -> None:
    env = make(programs="kernels/lz")
    play(env, at_random(0))
    found = env.validate(inputs=[["10"], [], ("20", "ignored")])
    assert found.ok
    assert found.inputs == (("10",), (), ("20", "ignored"))
    # The program itself keeps its own.
    assert len(env.program.inputs or ()) == 3
    assert env.program.inputs == env.validate().inputs


@pytest.mark.parametrize("inputs", ["600", ["600", "3000"]])
def test_inputs_that_are_not_lists_of_arguments(make: Make, inputs: object) -> None:
    env = make(programs="kernels/lz")
    play(env, at_random(0))
    with pytest.raises(TypeError, match="inputs"):
        env.validate(inputs=inputs)  # type: ignore[arg-type]


def test_settings_are_passed_on(make: Make) -> None:
    env = make(programs="kernels/lz")
    play(env, at_random(0))
    found = env.validate(limits=Limits(output_bytes=5))
    assert found.status == "invalid reference"
    assert not found.ok


def test_which_input_makes_a_difference(make: Make, overflow: Path) -> None:
    env = make(programs=overflow)
    play(env, always(1))
    largest = str(2**31 - 1)
    found = env.validate(inputs=[[], ["5"], [largest]])
    assert found.status == "different"
    [difference] = found.differences
    assert difference.input == (largest,)
    assert difference.kind == "output"
    assert difference.expected.output == f"{largest}\n0\n".encode()
    assert difference.actual.output == f"{largest}\n1\n".encode()
    with pytest.raises(MiscompileError, match=f"input {largest}: output"):
        found.raise_if_wrong()
    # The report leads back to the same code.
    report = found.report()
    assert "MISCOMPILED" in report
    [line] = [x for x in report.splitlines() if x.strip().startswith("trajectory: ")]
    trajectory = Trajectory.from_json(line.split("trajectory: ", 1)[1])
    replayed = replay(trajectory, env.program, service=env.setup.service)
    assert replayed.object_code == env.emit()


def test_an_episode_that_is_under_way(make: Make) -> None:
    """The module as it stands is a program too."""
    env = make(programs="kernels/lz")
    observation, _ = env.reset(seed=0)
    for _ in range(5):
        observation, *_ = env.step(1)
    assert env.validate().ok
    # Looking at it changes nothing.
    finish(env, always(1), observation)
    assert env.validate().ok
    whole = make(programs="kernels/lz")
    play(whole, always(1))
    assert env.emit() == whole.emit()


def test_forks_are_validated_by_themselves(make: Make, overflow: Path) -> None:
    env = make(programs=overflow)
    env.reset()
    twin = env.fork()
    finish(env, always(1))
    finish(twin, always(0))
    assert env.validate(inputs=[["7"]]).ok
    found = twin.validate(inputs=[["8"]])
    assert found.ok
    assert found.trajectory == twin.trajectory != env.trajectory
    twin.close()


def test_a_program_without_inputs(make: Make, overflow: Path) -> None:
    env = make(programs=overflow)
    play(env, always(0))
    message = r"overflow\.c cannot be run.*no inputs"
    with pytest.raises(ProgramError, match=message):
        env.validate()
    with pytest.raises(ProgramError, match=message):
        env.validate(inputs=[])
    # A program that says so may be run without arguments.
    bitcode = env.program.bitcode
    env.reset(options={"program": Program("mine", bitcode, inputs=((),))})
    finish(env, always(0))
    assert env.validate().ok


def test_a_program_without_main(make: Make, small_c: Path) -> None:
    env = make(programs=small_c)
    play(env, always(0))
    with pytest.raises(ProgramError, match="cannot be run"):
        env.validate()
    with pytest.raises(LinkError, match="undefined symbol: main"):
        env.validate(inputs=[[]])


def test_code_for_another_machine(make: Make) -> None:
    other = "x86_64" if os.uname().machine == "aarch64" else "aarch64"
    env = make(programs="kernels/lz", target=f"{other}-linux-gnu")
    play(env, at_random(0))
    with pytest.raises(MachineError, match=f"{other} and cannot be run"):
        env.validate()


def test_there_is_nothing_to_validate_before_reset(make: Make) -> None:
    env = make(programs="kernels/lz")
    with pytest.raises(ResetNeededError, match="validate"):
        env.validate()
