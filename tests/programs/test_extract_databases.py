# SPDX-License-Identifier: Apache-2.0
"""Compilation databases of other tools than CMake, and malformed ones."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support.toolchain import run

from mlcompiler_gym import ProgramError, load_programs
from mlcompiler_gym.errors import MLCompilerGymError
from mlcompiler_gym.programs.extract import ExtractReport
from mlcompiler_gym.programs.extract import extract as extract_build


def extract(database: Path, output: Path) -> ExtractReport:
    return extract_build(database, output, progress=False)


def disassembled(path: Path) -> str:
    return run("llvm-dis-22", "-o", "-", data=path.read_bytes()).decode()


@pytest.fixture
def write_database(tmp_path: Path) -> Callable[..., Path]:
    """``write_database(entry, …)`` beside ``a.c``, ``b.c`` and ``sub/c.c``."""
    (tmp_path / "sub").mkdir()
    for name in ("a", "b", "sub/c"):
        (tmp_path / f"{name}.c").write_text(f"int {name[-1]}(void) {{ return 7; }}\n")

    def write(*entries: object) -> Path:
        path = tmp_path / "compile_commands.json"
        path.write_text(json.dumps(entries))
        return path

    return write


Database = Callable[..., Path]


def test_arguments_and_a_relative_folder(
    write_database: Database, tmp_path: Path
) -> None:
    command = (
        "ccache gcc -DX='1 2' -MD -MT b.o -MF dep/b.d -MJ part.json "
        "--serialize-diagnostics b.dia -o obj/b.o -c ../b.c"
    )
    arguments = ["/usr/bin/cc", "-include", "../b.c", "-oc.o", "-c", "--", "./c.c"]
    database = write_database(
        {"directory": str(tmp_path), "file": "a.c", "arguments": ["cc", "-c", "a.c"]},
        {"directory": "sub", "file": "../b.c", "command": command},
        {"directory": "./sub", "file": "c.c", "arguments": arguments},
    )
    report = extract(database, tmp_path / "out")
    assert (report.made, report.failed, dict(report.dropped)) == (3, [], {})
    programs = load_programs(tmp_path / "out")
    assert [Path(n).name for n in programs.names] == ["a.c.bc", "b.c.bc", "c.c.bc"]
    # The other file that the command line names is still included.
    assert "define i32 @b(" in disassembled(tmp_path / "out/sub/c.c.bc").replace(
        "dso_local ", ""
    )
    # Nothing is written into the build: no objects, no dependencies.
    assert [path.name for path in (tmp_path / "sub").iterdir()] == ["c.c"]


def test_the_compiler_says_the_language(
    write_database: Database, tmp_path: Path
) -> None:
    database = write_database(
        {"directory": ".", "file": "a.c", "command": "/usr/bin/c++ -c a.c"},
        {"directory": ".", "file": "b.c", "command": "cc -x c++ -c b.c"},
        {"directory": "sub", "file": "c.c", "command": "x86_64-linux-gnu-gcc -c c.c"},
    )
    assert extract(database, tmp_path / "out").made == 3
    for file, function in (("a.c", "_Z1av"), ("b.c", "_Z1bv"), ("sub/c.c", "c")):
        assert f"@{function}(" in disassembled(tmp_path / f"out/{file}.bc")


def test_a_build_folder_that_is_gone(write_database: Database, tmp_path: Path) -> None:
    database = write_database(
        {"directory": ".", "file": "a.c", "command": "cc -c a.c"},
        {"directory": str(tmp_path / "gone"), "file": "b.c", "command": "cc -c b.c"},
    )
    report = extract(database, tmp_path / "out")
    assert report.made == 1
    [(source, message)] = report.failed
    assert source.endswith("b.c")
    assert "gone" in message


def test_assembler_is_no_program(write_database: Database, tmp_path: Path) -> None:
    (tmp_path / "start.S").write_text(".globl start\nstart: ret\n")
    database = write_database(
        {"directory": ".", "file": "a.c", "command": "cc -c a.c"},
        {"directory": ".", "file": "start.S", "command": "cc -c start.S"},
    )
    extract(database, tmp_path / "out")
    assert load_programs(tmp_path / "out").names == [f"{tmp_path}/out/a.c.bc"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a JSON compilation database"),
        ("{", "is not a JSON compilation database"),
        ("7", "is not a JSON compilation database"),
        ('{"version": 2}', "is not a JSON compilation database"),
        ('[{"file": "a.c", "command": "cc a.c"}]', "'directory'"),
        ('[{"directory": ".", "file": "a.c"}]', "'command'"),
        ('[{"directory": ".", "file": "a.c", "arguments": [1]}]', "list of strings"),
        ('[{"directory": ".", "file": "a.c", "command": ""}]', "list of strings"),
        ('[{"directory": ".", "file": "a.c", "command": "cc \'"}]', "quotation"),
    ],
)
def test_what_is_no_database(tmp_path: Path, text: str, message: str) -> None:
    database = tmp_path / "compile_commands.json"
    database.write_text(text)
    with pytest.raises(ProgramError, match=message) as caught:
        extract(database, tmp_path / "out")
    assert str(database) in str(caught.value)
    assert "CMAKE_EXPORT_COMPILE_COMMANDS" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_database_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match=r"nonsuch\.json: No such file"):
        extract(tmp_path / "nonsuch.json", tmp_path / "out")


def test_no_clang(
    write_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLCOMPILER_GYM_CLANG", "/nonsuch/clang")
    database = write_database({"directory": ".", "file": "a.c", "command": "cc a.c"})
    with pytest.raises(ProgramError, match="/nonsuch/clang is not there"):
        extract(database, tmp_path / "out")


# ---------------------------------------------------------------------------
# The folder


def test_an_output_that_is_a_file(write_database: Database, tmp_path: Path) -> None:
    database = write_database({"directory": ".", "file": "a.c", "command": "cc a.c"})
    (tmp_path / "out").write_text("mine")
    with pytest.raises(MLCompilerGymError, match=r"out: (File exists|Not a directory)"):
        extract(database, tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize(
    "text", ["", "[]", '{"format": "x"}', '{"format": "mlcompiler_gym programs 1"}']
)
def test_a_manifest_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "programs.json").write_text(text)
    with pytest.raises(ProgramError, match=r"programs\.json cannot be read"):
        load_programs(tmp_path)


def test_a_folder_without_programs(tmp_path: Path) -> None:
    database = tmp_path / "compile_commands.json"
    database.write_text("[]")
    with pytest.raises(ProgramError, match="names no C or C"):
        extract(database, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_bitcode_that_went_away(write_database: Database, tmp_path: Path) -> None:
    database = write_database({"directory": ".", "file": "a.c", "command": "cc a.c"})
    extract(database, tmp_path / "out")
    (tmp_path / "out/a.c.bc").unlink()
    [program] = load_programs(tmp_path / "out")
    with pytest.raises(ProgramError, match=r"cannot read .*a\.c\.bc: No such file"):
        program.bitcode  # noqa: B018
