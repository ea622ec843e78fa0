# SPDX-License-Identifier: Apache-2.0
"""Random programs by seed: the same each time, and through the environment."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from support.toolchain import always, at_random, finish, play, run

from mlcompiler_gym import Program, ProgramError, load_programs, replay
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.validation import Limits

Make = Callable[..., CompilerEnv]

#: Some of csmith's programs never end; the others take milliseconds.
LIMITS = Limits(cpu_seconds=2)

EPISODES = int(os.environ.get("MLCOMPILER_GYM_TEST_EPISODES", "60"))

#: Episodes of one test, few enough for its time limit on a busy machine.
_TOGETHER = 10


def generated(name: str, **settings: str) -> Program:
    [program] = load_programs(name, **settings)
    return program


@pytest.mark.parametrize(
    "name",
    [
        "csmith/5",
        "llvm-stress/5",
    ],
)
def test_the_same_seed_gives_the_same_bitcode(name: str) -> None:
    assert generated(name).bitcode == generated(name).bitcode
    assert generated(name).sha256 == generated(name).sha256


@pytest.mark.parametrize("name", ["csmith", "llvm-stress"])
def test_another_seed_gives_another_program(name: str) -> None:
    texts = {
        run("opt-22", "-strip-debug", "-S", "-o", "-", data=program.bitcode)
        for program in (generated(f"{name}/{seed}") for seed in (5, 13, 15))
    }
    assert len(texts) == 3


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("csmith/5", "x86_64"),
        ("csmith/5", "aarch64"),
        ("llvm-stress/5", "x86_64"),
        ("llvm-stress/5", "aarch64"),
    ],
)
def test_programs_are_for_the_target(make: Make, name: str, target: str) -> None:
    program = generated(name, target=f"{target}-linux-gnu")
    text = run("opt-22", "-S", "-o", "-", data=program.bitcode)
    assert f'\ntarget triple = "{target}-'.encode() in text
    env = make(programs=program, target=f"{target}-linux-gnu")
    play(env, always(0))
    assert {"x86_64": b"\x3e\0", "aarch64": b"\xb7\0"}[target] == env.emit()[18:20]


def test_generators_that_are_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProgramError, match=r"csmith is not there.*Debian: csmith lib"):
        generated("csmith/5").bitcode  # noqa: B018
    with pytest.raises(ProgramError, match=r"llvm-stress-22 is not.*Debian: llvm-22"):
        generated("llvm-stress/5").bitcode  # noqa: B018


def test_a_generator_that_is_not_installed_ends_no_environment(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = make(programs=["kernels/lz", "csmith"])
    with monkeypatch.context() as patched:
        patched.setenv("PATH", str(tmp_path))
        with pytest.raises(ProgramError, match="csmith is not there"):
            env.reset(options={"program": "csmith/5"})
    play(env, always(0), "kernels/lz")
    play(env, always(0), "csmith/5")


def test_a_generator_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "csmith"
    broken.write_text("#!/bin/sh\necho no such luck >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(ProgramError, match=r"--seed 5 failed.*status 3.*such luck"):
        generated("csmith/5").bitcode  # noqa: B018


def test_generators_leave_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for name in ("csmith/5", "llvm-stress/5"):
        assert generated(name).bitcode
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------------------
# Through the environment


def test_csmith_from_reset_to_validation(make: Make) -> None:
    env = make(programs="csmith")
    _, info = env.reset(options={"program": "csmith/12"})
    assert info["program"] == "csmith/12"
    finish(env, at_random(0))
    assert len(env.trajectory.actions) > 20
    found = env.validate(limits=LIMITS)
    assert found.ok, found.report()
    assert found.inputs == ((),)
    replayed = replay(env.trajectory, env.program, service=env.setup.service)
    assert replayed.object_code == env.emit()


def test_an_environment_draws_seeds(make: Make) -> None:
    def drawn() -> list[str]:
        env = make(programs="llvm-stress:validation")
        first = env.reset(seed=1)[1]["program"]
        return [first] + [env.reset()[1]["program"] for _ in range(4)]

    names = drawn()
    assert drawn() == names
    assert len(set(names)) == 5
    assert all(name.endswith("8") for name in names)


def test_llvm_stress_opens_and_cannot_be_run(make: Make) -> None:
    # Optimised, most of them are nothing but undefined behaviour.
    env = make(programs="llvm-stress", pipeline="inliner-wrapper")
    for seed in range(3):
        _, info = env.reset(options={"program": f"llvm-stress/{seed}"})
        # One function that calls nothing.
        assert info["no_decision"]
        _, reward, terminated, _, _ = env.step(0)
        assert terminated
        assert reward == 0
        assert env.measure()["text_size"] > 100
        with pytest.raises(ProgramError, match="cannot be run"):
            env.validate()


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, EPISODES, _TOGETHER))
def test_random_episodes_compute_the_same(make: Make, first: int) -> None:
    """`MLCOMPILER_GYM_TEST_EPISODES` of them, 60 by default."""
    env = make(programs="csmith")
    compared = 0
    for seed in range(first, min(first + _TOGETHER, EPISODES)):
        observation, _ = env.reset(options={"program": f"csmith/{seed}"})
        finish(env, at_random(seed), observation)
        found = env.validate(limits=LIMITS)
        assert not found.differences, found.report()
        compared += found.ok
    assert compared, "not one of these programs ends"
