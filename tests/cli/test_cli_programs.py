# SPDX-License-Identifier: Apache-2.0
"""``mlcompiler-gym programs``, as a user types it."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support.commands import SCRIPT, cli, environment
from support.samples import wait_until
from support.toolchain import run

import mlcompiler_gym
from mlcompiler_gym import load_programs
from mlcompiler_gym.programs.catalogue import SPLITS, entries_of, read_catalogue

Database = Callable[..., Path]


@pytest.fixture
def write_database(tmp_path: Path) -> Database:
    """``write_database(3)``: a build of three files and one that does not compile."""

    def write(count: int, broken: bool = True) -> Path:
        entries = []
        for index in range(count):
            (tmp_path / f"f{index}.c").write_text(f"int f{index}(void) {{ return 7; }}")
            command = f"cc -fno-such -c f{index}.c"
            entries.append({"file": f"f{index}.c", "command": command})
        if broken:
            (tmp_path / "broken.c").write_text("int broken(void) { return nonsuch; }\n")
            entries.append({"file": "broken.c", "command": "cc -c broken.c"})
        path = tmp_path / "compile_commands.json"
        path.write_text(json.dumps([{"directory": ".", **e} for e in entries]))
        return path

    return write


# ---------------------------------------------------------------------------
# list and info


def test_help_and_version() -> None:
    assert cli("--version").stdout == f"mlcompiler-gym {mlcompiler_gym.__version__}\n"
    text = cli("programs", "--help").stdout
    for command in ("list", "info", "fetch", "extract"):
        assert command in text
    assert "--jobs" in cli("programs", "extract", "--help").stdout


def test_list_of_the_sets() -> None:
    lines = cli("programs", "list").stdout.splitlines()
    rows = {cells[0]: cells for cells in (line.split("\t") for line in lines)}
    for name in ("kernels", "loops", "apps", "pypi"):
        sizes = [str(len(entries_of(name, split))) for split in SPLITS]
        assert rows[name][1:4] == sizes
    assert rows["csmith"][1:4] == ["no end"] * 3
    assert rows["kernels"][4] == "Apache-2.0"


@pytest.mark.parametrize(
    "what", ["kernels", "loops:test", "pypi:validation", "apps:test"]
)
def test_list_of_one_set(what: str) -> None:
    name, _, split = what.partition(":")
    head, *lines = cli("programs", "list", what).stdout.splitlines()
    assert head.split("\t") == ["program", "split", "licence"]
    entries = entries_of(name, split or None)
    variant = "x86_64-Oz"
    assert [line.split("\t") for line in lines] == [
        [e.name, e.split, e.licence] for e in entries if variant in e.hashes
    ]
    assert lines
    listed = json.loads(cli("programs", "list", what, "--json").stdout)
    assert [list(each.values()) for each in listed] == [
        line.split("\t") for line in lines
    ]


def test_list_by_licence_and_target() -> None:
    options = ("--target", "aarch64", "--level", "O2", "--licence", "MIT")
    names = [
        line.split()[0]
        for line in cli("programs", "list", "pypi", *options).stdout.splitlines()[1:]
    ]
    assert names == [
        entry.name
        for entry in entries_of("pypi")
        if entry.licence == "MIT" and "aarch64-O2" in entry.hashes
    ]


def test_info() -> None:
    text = cli("programs", "info", "kernels/regex").stdout
    entry = read_catalogue()["kernels/regex"]
    lines = (line.strip() for line in text.splitlines())
    rows = dict(re.split(" {2,}", line, maxsplit=1) for line in lines)
    assert rows["split"] == entry.split
    assert rows["runs with"] == "40, 200, 800"
    for variant, digest in entry.hashes.items():
        assert rows[f"sha256 {variant}"] == digest
    size = len(load_programs("kernels/regex")[0].bitcode)
    assert rows["bitcode"] == f"{size:,} bytes"


def test_info_into_a_pipe_is_whole() -> None:
    done = subprocess.run(
        [SCRIPT, "programs", "info", "kernels/regex"],
        env={k: v for k, v in os.environ.items() if k != "COLUMNS"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    for digest in read_catalogue()["kernels/regex"].hashes.values():
        assert digest in done.stdout


def test_info_of_other_programs(tmp_path: Path) -> None:
    program = load_programs("llvm-stress/5")[0]
    assert program.sha256.hex() in cli("programs", "info", "llvm-stress/5").stdout
    text = cli(
        *("programs", "info", "pypi/lz4/lz4hc"),
        env={"MLCOMPILER_GYM_CACHE": str(tmp_path)},
    ).stdout
    assert read_catalogue()["pypi/lz4/lz4hc"].hashes["x86_64-Oz"] in text
    assert "mlcompiler-gym programs fetch pypi/lz4" in text


def test_info_of_a_file(small_c: Path) -> None:
    text = cli("programs", "info", small_c).stdout
    assert load_programs(small_c)[0].sha256.hex() in text


def test_info_of_a_file_that_is_marked_as_one(small_c: Path) -> None:
    text = cli("programs", "info", f"file:{small_c}").stdout
    assert "bitcode" in text
    assert "sha256" in text


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("list nonsuch", "no set 'nonsuch'; there are: kernels, loops, pypi"),
        ("list kernels:nonsuch", "train, validation, test, not 'nonsuch'"),
        ("list csmith", "no end of csmith"),
        ("list kernels --licence MIT", "has the licence 'MIT'; there are: Apache"),
        ("info kernels/regexp", "did you mean kernels/regex"),
        ("info kernels", "no program 'kernels' in this set"),
        ("fetch kernels", "nothing to fetch for 'kernels'"),
        ("fetch pypi/nonsuch", "nothing to fetch for 'pypi/nonsuch'"),
        ("fetch pypi --licence nonsuch", "'nonsuch'; the licences are"),
        ("fetch pypi/lz4 --level O3", "levels Oz and O2, not 'O3'"),
        ("extract nonsuch.json -o out", "cannot read nonsuch.json: No such file"),
        ("extract nonsuch.o -o out", "nonsuch.o': No such file"),
        ("extract a.json b.o -o out", "one compile_commands.json, and nothing else"),
        ("extract a.json -o out --level O3", "levels Oz and O2, not 'O3'"),
    ],
)
def test_mistakes(command: str, message: str, tmp_path: Path) -> None:
    done = cli("programs", *command.split(), status=1, cwd=tmp_path)
    assert done.stderr.startswith("mlcompiler-gym: ")
    assert message in done.stderr
    assert done.stdout == ""
    assert not list(tmp_path.glob("out/*"))


@pytest.mark.parametrize("command", ["nonsuch", "extract a.json", "fetch", "info"])
def test_usage(command: str) -> None:
    assert "Usage:" in cli("programs", *command.split(), status=2).stderr


def test_fewer_compilers_than_one(write_database: Database, tmp_path: Path) -> None:
    out = tmp_path / "out"
    cli("programs", "extract", write_database(1), "-o", out, "--jobs", "-1", status=2)


# ---------------------------------------------------------------------------
# extract


def test_extract(write_database: Database, tmp_path: Path) -> None:
    command = ("programs", "extract", write_database(3), "--output", "out")
    done = cli(*command, cwd=tmp_path)
    lines = done.stdout.splitlines()
    assert lines[0] == "3 programs made, 0 kept, 1 failed"
    assert "left out -fno-such (3 files): clang does not know it" in lines
    assert any("undeclared identifier 'nonsuch'" in line for line in lines)
    assert lines[-1] == "use them with programs='out'"
    # A bar is for people at a terminal.
    assert done.stderr == ""
    assert load_programs(tmp_path / "out").size == 3
    assert cli(*command, cwd=tmp_path).stdout.startswith("0 programs made, 3 kept")
    again = cli(*command, "--no-resume", "--level", "O2", cwd=tmp_path)
    assert again.stdout.startswith("3 programs made, 0 kept, 1 failed")


def test_extract_where_nothing_compiles(
    write_database: Database, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = cli("programs", "extract", write_database(0), "-o", out, status=1)
    assert "0 programs made, 0 kept, 1 failed" in done.stdout
    assert "nonsuch" in done.stdout


def test_extract_from_objects(small_c: Path, tmp_path: Path) -> None:
    for flag in ("-flto", "-fembed-bitcode"):
        run("clang-22", flag, "-c", small_c, "-o", tmp_path / f"{flag}.o")
    objects = sorted(tmp_path.glob("*.o"))
    done = cli("programs", "extract", *(f"./{p.name}" for p in objects), "-o", "out",
               cwd=tmp_path)  # fmt: skip
    assert done.stdout == "2 programs found\nuse them with programs='out'\n"
    assert load_programs(tmp_path / "out").size == 2
    done = cli("programs", "extract", small_c, "-o", tmp_path / "none", status=1)
    assert "there is no bitcode in" in done.stderr


@pytest.mark.parametrize(
    "whole_group",
    [
        pytest.param(True, id="Ctrl-C"),
        pytest.param(False, id="kill -INT", marks=pytest.mark.slow),
    ],
)
def test_an_interrupt_keeps_what_is_done(
    write_database: Database, tmp_path: Path, whole_group: bool
) -> None:
    database = write_database(24, broken=False)
    slow = tmp_path / "slow-clang"
    slow.write_text('#!/bin/sh\nsleep 0.1\nexec clang-22 "$@"\n')
    slow.chmod(0o755)
    out = tmp_path / "out"
    command = ("programs", "extract", str(database), "-o", str(out), "--jobs", "2")
    settings = {"MLCOMPILER_GYM_CLANG": str(slow)}
    process = subprocess.Popen(
        [SCRIPT, *command],
        env=environment(**settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        wait_until(lambda: len(list(out.glob("*.bc"))) >= 6, "six programs", 60)
        done = len(list(out.glob("*.bc")))
        if whole_group:
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130, errors
    assert "interrupted; what is done is kept" in errors
    assert "Traceback" not in errors
    assert output == ""
    kept = load_programs(out).size
    assert kept is not None
    # Each compiler may have lost the program that it was making.
    assert done - 2 <= kept < 24
    assert not list(out.glob("*.partial"))
    rest = cli(*command, env=settings).stdout
    assert rest.startswith(f"{24 - kept} programs made, {kept} kept, 0 failed")
    assert load_programs(out).size == 24
