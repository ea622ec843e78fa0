# SPDX-License-Identifier: Apache-2.0
"""The programs that ship with us: the table of them, their bitcode, what they do."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support import toolchain
from support.toolchain import FOLDERS, KERNELS, NAMES, SOME, at_random, play

from mlcompiler_gym import load_programs
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.programs.catalogue import (
    ARCHITECTURES,
    LEVELS,
    SPLITS,
    entries_of,
    read_catalogue,
)

Make = Callable[..., CompilerEnv]

ALL = [
    pytest.param(name, marks=() if name in SOME else pytest.mark.slow) for name in NAMES
]
VARIANTS = [(a, level) for a in ARCHITECTURES for level in LEVELS]


def test_there_are_enough_of_them() -> None:
    assert len(entries_of("kernels")) >= 40
    assert len(entries_of("loops")) >= 60


def test_the_catalogue_has_exactly_the_sources() -> None:
    shipped = [e for name in FOLDERS for e in entries_of(name)]
    assert sorted(entry.name for entry in shipped) == NAMES
    for entry in shipped:
        assert entry.split in SPLITS
        assert entry.licence == "Apache-2.0"
        assert len(entry.inputs) == 3
        assert sorted(map(int, entry.inputs)) == list(map(int, entry.inputs))
        assert set(entry.hashes) == {f"{a}-{level}" for a, level in VARIANTS}


@pytest.mark.parametrize(("architecture", "level"), VARIANTS)
@pytest.mark.parametrize("name", FOLDERS)
def test_bitcode_is_the_recorded_one(name: str, architecture: str, level: str) -> None:
    """Trajectories name programs by this hash, on whatever machine."""
    programs = load_programs(name, target=f"{architecture}-linux-gnu", level=level)
    assert sorted(programs.names) == [n for n in NAMES if n.startswith(f"{name}/")]
    for program in programs:
        recorded = read_catalogue()[program.name].hashes[f"{architecture}-{level}"]
        assert program.sha256.hex() == recorded, program.name
        assert hashlib.sha256(program.bitcode).hexdigest() == recorded


def test_no_two_programs_have_the_same_bitcode() -> None:
    digests = [d for name in NAMES for d in read_catalogue()[name].hashes.values()]
    assert len(set(digests)) == len(digests) == 4 * len(NAMES)


@pytest.mark.parametrize("name", ALL)
def test_bitcode_does_not_tell_where_it_was_made(name: str) -> None:
    for architecture, level in VARIANTS:
        target = f"{architecture}-linux-gnu"
        [program] = load_programs(name, target=target, level=level)
        text = toolchain.run("llvm-dis-22", "-o", "-", data=program.bitcode)
        assert f'source_filename = "{name.split("/")[1]}.c"'.encode() in text
        assert f'target triple = "{architecture}-'.encode() in text
        for tell in (b"/home", b"/root", b"/tmp", os.fsencode(os.getcwd())):
            assert tell not in text


def test_they_are_found_wherever_python_is_started(tmp_path: Path) -> None:
    code = (
        "import mlcompiler_gym as m\n"
        "print(*(len(p.bitcode) > 0 for p in m.load_programs(['kernels', 'loops'])))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code],
        capture_output=True,
        check=True,
        cwd=tmp_path,
    )
    assert done.stdout.split() == [b"True"] * len(NAMES)


# ---------------------------------------------------------------------------
# What they do


def build(name: str, output: Path, *flags: str) -> Path:
    """Compile a program from its source, for this machine."""
    folder, stem = name.split("/")
    toolchain.run(
        *("clang-22", "-std=c11", "-ffp-contract=off", "-w", *flags),
        *("-I", KERNELS / "src", FOLDERS[folder] / "src" / f"{stem}.c"),
        *("-o", output, "-lm"),
    )
    return output


def behaviour(program: Path, *arguments: str) -> tuple[int, bytes, bytes]:
    done = subprocess.run(
        [program, *arguments], capture_output=True, check=False, timeout=120
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("name", ALL)
def test_they_run_at_every_size(name: str, tmp_path: Path) -> None:
    program = build(name, tmp_path / "program", "-O0")
    outputs = set()
    for size in read_catalogue()[name].inputs:
        status, output, errors = behaviour(program, size)
        assert (status, errors) == (0, b""), f"{name} {size}"
        assert behaviour(program, size)[1] == output, "not the same twice"
        outputs.add(output)
    assert len(outputs) == 3, "two sizes give the same output"


@pytest.mark.parametrize("name", ALL)
def test_they_compute_the_same_whatever_is_inlined(
    make: Make, name: str, tmp_path: Path
) -> None:
    plain = build(name, tmp_path / "plain", "-O0")
    env = make(programs=name)
    play(env, at_random(0))
    env.write(tmp_path / "optimised.o")
    optimised = tmp_path / "optimised"
    toolchain.run("clang-22", tmp_path / "optimised.o", "-o", optimised, "-lm")
    for size in read_catalogue()[name].inputs:
        assert behaviour(optimised, size) == behaviour(plain, size), size


@pytest.mark.slow
@pytest.mark.parametrize("sanitizers", ["address,undefined", "memory"])
@pytest.mark.parametrize("name", NAMES)
def test_sanitizers_find_nothing(name: str, sanitizers: str, tmp_path: Path) -> None:
    program = build(
        name,
        tmp_path / "program",
        *("-O1", "-g1", f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all"),
    )
    status, output, errors = behaviour(program, read_catalogue()[name].inputs[0])
    assert (status, errors) == (0, b""), errors.decode(errors="replace")[:2000]
    plain = build(name, tmp_path / "plain", "-O0")
    assert behaviour(plain, read_catalogue()[name].inputs[0])[1] == output


def test_sanitizers_would_find_something(tmp_path: Path) -> None:
    """They are installed and on: reading past an end does not go unseen."""
    source = tmp_path / "wrong.c"
    source.write_text(
        "#include <stdlib.h>\n"
        "int main(int n, char **v) { int *p = malloc(4); *p = 1;"
        " if (n > 2) return p[n - 2]; int x; if (n > 1 && *v[1] == 'u') return x;"
        " return 0x7fffffff + n; }\n"
    )
    for sanitizers, arguments, message in (
        ("address,undefined", ["a", "b"], b"heap-buffer-overflow"),
        ("address,undefined", [], b"signed integer overflow"),
        ("memory", ["u"], b"use-of-uninitialized-value"),
    ):
        flags = ("-O0", "-w", f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all")
        program = tmp_path / "wrong"
        toolchain.run("clang-22", *flags, source, "-o", program)
        status, _, errors = behaviour(program, *arguments)
        assert status != 0
        assert message in errors
