# SPDX-License-Identifier: Apache-2.0
"""Programs with the block frequencies of a run."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support import toolchain
from support.commands import cli

from mlcompiler_gym import (
    LocalService,
    Program,
    ProgramError,
    Trajectory,
    load_programs,
    replay,
)
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.errors import MLCompilerGymError, ServiceError
from mlcompiler_gym.measuring import profile, profiled
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

Make = Callable[..., CompilerEnv]

#: Enters `often` a hundred times for each argument, and `never` not at all.
SOURCE = """
int atoi(const char *);
int printf(const char *, ...);
static __attribute__((noinline)) int often(int x) { return x / 3 + x % 7; }
static __attribute__((noinline)) int never(int x) { return x / 5; }
int main(int argc, char **argv) {
  int n = atoi(argv[1]), s = 0;
  for (int i = 0; i < 100 * n; i++)
    s += often(i);
  if (n < 0)
    s += never(n);
  printf("%d\\n", s);
  return n == 9;
}
"""


@pytest.fixture
def program(
    tmp_path: Path,
    write_file: Callable[[str, str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> Program:
    monkeypatch.setenv("MLCOMPILER_GYM_CACHE", str(tmp_path / "cache"))
    made = load_programs(write_file("counted.c", SOURCE), level="O2")[0]
    return replace(made, inputs=(("2",), ("50",)))


def entries(program: Program) -> dict[str, int]:
    """How often each function was entered, as its metadata says."""
    text = toolchain.run("llvm-dis-22", "-o", "-", data=program.bitcode).decode()
    found = {}
    for line in text.splitlines():
        if line.startswith("define") and "!prof" in line:
            name = line.split("@")[1].split("(")[0]
            node = line.split("!prof ")[1].split()[0]
            [count] = [
                each for each in text.splitlines() if each.startswith(f"{node} = ")
            ]
            found[name] = int(count.rsplit("i64 ", 1)[1].rstrip("}"))
    return found


def test_counts_are_those_of_the_first_input(program: Program) -> None:
    made = profile(program)
    assert entries(made) == {"main": 1, "often": 200, "never": 0}
    assert (made.name, made.inputs) == (program.name, program.inputs)


def test_of_several_inputs_they_are_added(program: Program) -> None:
    made = profile(program, [["2"], ["50"]])
    assert entries(made) == {"main": 2, "often": 5200, "never": 0}


def test_a_run_that_says_no_counts_too(program: Program) -> None:
    assert entries(profile(program, [["9"]]))["often"] == 900


def test_it_is_made_once(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    bitcode = profile(program).bitcode
    monkeypatch.setenv("PATH", "/nowhere")
    assert profile(program).bitcode == bitcode
    with pytest.raises(MLCompilerGymError, match=r"llvm-22"):
        _ = profile(program, [["3"]]).bitcode


def test_a_program_without_inputs_is_refused(program: Program) -> None:
    with pytest.raises(MLCompilerGymError, match="input"):
        profile(replace(program, inputs=None))


def test_a_crash_leaves_no_profile(program: Program) -> None:
    with pytest.raises(MLCompilerGymError, match="leaves no profile"):
        _ = profile(program, [[]]).bitcode


def test_an_environment_compiles_them(make: Make, program: Program) -> None:
    env = make(programs=profiled(program), inlining_default=True)
    env.reset()
    env.finish("llvm")
    found = env.measure("profiled_cycles", "program_cycles")
    # The run made 200 calls, and the model counts each of them.
    assert found["profiled_cycles"] > 200
    assert env.validate().ok


def test_cycles_are_of_what_ran(service: LocalService, program: Program) -> None:
    values = []
    for runs in (["2"], ["4"]):
        request = pb.Open(pipeline="default<O1>", objectives=["profiled_cycles"])
        session = service.open(request, profile(program, [runs]))
        values.append(session.opened.state.outcome.measurements[0].value)
        session.close()
    assert values[1] == pytest.approx(2 * values[0], rel=0.1)


def test_without_a_profile_there_is_nothing_to_say(
    service: LocalService, program: Program
) -> None:
    request = pb.Open(pipeline="default<O1>", objectives=["profiled_cycles"])
    with pytest.raises(ServiceError, match=r"measuring\.profile"):
        service.open(request, program)


def test_the_command_writes_them(program: Program, tmp_path: Path) -> None:
    output = tmp_path / "profiled.bc"
    cli("programs", "profile", "kernels/lz", "-o", str(output))
    assert entries(load_programs(output)[0])["main"] == 1


def test_an_environment_makes_profiles(make_env: Make) -> None:
    settings = {"programs": "kernels/lz", "objective": "profiled_cycles"}
    env = make_env("mlcompiler/Inlining-v0", profile="auto", **settings)
    plain = load_programs("kernels/lz")[0]
    for options in ({"program": "kernels/lz"}, {"program": plain}, None):
        env.reset(seed=0, options=options)
        assert env.program.sha256 == profile(plain).sha256 != plain.sha256
        # The first is what the profile is of.
        assert env.program.inputs == (plain.inputs or ())[1:]
    *_, info = env.finish("inactive")
    assert info["objective"]["profiled_cycles"] > 0
    trajectory = Trajectory.from_json(env.trajectory.to_json())
    for program in (None, plain, env.program):
        assert replay(trajectory, program).object_code == env.emit()
    table = env.counterfactuals(policy="inactive", decisions=1).to_pandas()
    assert table["profiled_cycles"].all()


def test_what_cannot_be_profiled_by_an_environment(
    make_env: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="profile is 'auto' or None"):
        make_env("mlcompiler/Inlining-v0", programs="kernels/lz", profile="run")
    silent = Program("of/test", load_programs("kernels/lz")[0].bitcode)
    env = make_env("mlcompiler/Inlining-v0", programs=silent, profile="auto")
    with pytest.raises(ProgramError, match="no inputs"):
        env.reset()
    monkeypatch.setenv("PATH", "/nowhere")
    unseen = replace(silent, inputs=(("12345",), ("1",)))
    with pytest.raises(ProgramError, match=r"not installed.*Debian"):
        env.reset(options={"program": unseen})


def test_trajectories_without_a_profile_are_as_before(make_env: Make) -> None:
    env = make_env("mlcompiler/Inlining-v0", programs="kernels/lz")
    env.reset()
    assert '"profile"' not in env.trajectory.to_json()
