# SPDX-License-Identifier: Apache-2.0
"""A user's own build as programs, by way of its ``compile_commands.json``."""

import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.toolchain import at_random, play, run

from mlcompiler_gym import load_programs
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.programs.extract import ExtractReport
from mlcompiler_gym.programs.extract import extract as extract_build

Make = Callable[..., CompilerEnv]

CMAKE = """
cmake_minimum_required(VERSION 3.20)
project(sample C CXX)
add_custom_command(OUTPUT generated.h
  COMMAND ${CMAKE_COMMAND} -E copy ${CMAKE_CURRENT_SOURCE_DIR}/template generated.h)
add_library(first STATIC src/first.c ${CMAKE_CURRENT_BINARY_DIR}/generated.h)
target_include_directories(first PRIVATE ${CMAKE_CURRENT_BINARY_DIR} include)
add_library(second STATIC src/deep/second.cpp)
target_compile_options(second PRIVATE -O3 -g -Wall -Werror -flto=thin)
foreach(n 1 2)
  add_library(twice${n} STATIC src/twice.c)
  target_compile_definitions(twice${n} PRIVATE FACTOR=100${n} "NAME=\\"a b\\"")
endforeach()
add_library(broken OBJECT EXCLUDE_FROM_ALL src/broken.c)
add_library(flags OBJECT EXCLUDE_FROM_ALL src/flags.c)
target_compile_options(flags PRIVATE
  -fno-tree-vectorize-foo -fplan9-extensions -mpreferred-stack-boundary=4)
"""

SOURCES = {
    "CMakeLists.txt": CMAKE,
    "template": "enum { GENERATED = 4711 };\n",
    "include/step.h": "#define STEP 31\n",
    "src/first.c": (
        '#include "generated.h"\n#include "step.h"\n'
        "static int leaf(int x) { return x * STEP + GENERATED; }\n"
        "int first(int x) { return leaf(x) + leaf(x + 1) - leaf(2); }\n"
    ),
    "src/deep/second.cpp": (
        "#include <vector>\nint second(const std::vector<int> &v) {\n"
        "  int s = 0;\n  for (int x : v) s += x;\n  return s;\n}\n"
    ),
    "src/twice.c": "int twice(int x) { return x * FACTOR + (int)sizeof NAME; }\n",
    "src/broken.c": "int broken(void) { return nonsuch; }\n",
    "src/flags.c": "int flags(int x) { return x + 5; }\n",
}

MADE = [
    "deep/second.cpp.bc",
    "first.c.bc",
    "flags.c.bc",
    "twice.c.2.bc",
    "twice.c.bc",
]


def extract(database: Path, output: Path, **settings: Any) -> ExtractReport:
    return extract_build(database, output, progress=False, **settings)


def disassembled(path: Path) -> str:
    return run("llvm-dis-22", "-o", "-", data=path.read_bytes()).decode()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of CMake's, with its build beside it."""
    folder = tmp_path_factory.mktemp("built") / "project"
    for name, text in SOURCES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    compilers = ("-DCMAKE_C_COMPILER=clang-22", "-DCMAKE_CXX_COMPILER=clang++-22")
    export = "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON"
    build = folder / "build"
    run("cmake", "-G", "Ninja", "-S", folder, "-B", build, export, *compilers)
    run("cmake", "--build", build)
    return folder


@pytest.fixture
def project(built: Path, tmp_path: Path) -> Path:
    """The project, for a test that changes it; built at the path that it says."""
    copy = tmp_path / "project"
    shutil.copytree(built, copy)
    database = copy / "build/compile_commands.json"
    text = database.read_text()
    database.write_text(text.replace(str(built), str(copy)))
    return copy


def edit(path: Path, text: str) -> None:
    # Later than what was written before, also by the coarse clock of files.
    time.sleep(0.05)
    path.write_text(text)


# ---------------------------------------------------------------------------
# A build of CMake's


def test_a_build(built: Path, tmp_path: Path) -> None:
    report = extract(built / "build/compile_commands.json", tmp_path / "out")
    assert (report.made, report.kept, len(report.failed)) == (5, 0, 1)
    files = sorted(tmp_path.glob("out/**/*.bc"))
    assert [str(f.relative_to(tmp_path / "out")) for f in files] == MADE
    text = {name: disassembled(tmp_path / "out" / name) for name in MADE}
    assert "4711" in text["first.c.bc"]
    assert "_Z6secondRKSt6vector" in text["deep/second.cpp.bc"]
    assert "mul nsw i32 %0, 1001" in re.sub(r"%\d+", "%0", text["twice.c.bc"])
    assert "mul nsw i32 %0, 1002" in re.sub(r"%\d+", "%0", text["twice.c.2.bc"])
    for each in text.values():
        # Not optimised yet but ready to be, whatever the build's own flags say.
        assert "alloca" in each
        assert "minsize" in each
        assert "optnone" not in each
        assert "DICompileUnit" not in each
    # Nothing is left beside what was there.
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        ".depends",
        "deep",
        "first.c.bc",
        "flags.c.bc",
        "programs.json",
        "twice.c.2.bc",
        "twice.c.bc",
    ]


def test_what_failed_and_why(built: Path, tmp_path: Path) -> None:
    report = extract(built / "build/compile_commands.json", tmp_path / "out")
    [(source, message)] = report.failed
    assert source == str(built / "src/broken.c")
    assert "use of undeclared identifier 'nonsuch'" in message
    assert report.dropped == {
        "-fno-tree-vectorize-foo": 1,
        "-fplan9-extensions": 1,
        "-mpreferred-stack-boundary=4": 1,
    }
    text = str(report)
    assert text.startswith("5 programs made, 0 kept, 1 failed\n")
    assert "left out -fplan9-extensions (1 files): clang does not know it" in text
    assert re.search("1 failed, e.g. .*broken[.]c: .*identifier 'nonsuch'", text)


def test_the_level(built: Path, tmp_path: Path) -> None:
    database = built / "build/compile_commands.json"
    extract(database, tmp_path / "out", level="O2")
    text = disassembled(tmp_path / "out/first.c.bc")
    assert "minsize" not in text
    assert "optnone" not in text
    # Another level is another program.
    assert extract(database, tmp_path / "out", level="Oz").made == 5
    assert "minsize" in disassembled(tmp_path / "out/first.c.bc")


def test_the_folder_is_a_set_of_programs(
    make: Make, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    extract(built / "build/compile_commands.json", Path("out"))
    absolute = str(tmp_path / "out")
    for name in ("out", "./out", "out/", absolute, f"file:{absolute}", Path("out")):
        env = make(programs=name)
        assert env.setup.programs.size == 5
        _, _, _, info = play(env, at_random(0))
        assert info["program"] in env.setup.programs.names
    # Each by its path, also alone.
    programs = load_programs("out")
    assert programs.names == [f"out/{name}" for name in MADE]
    env = make(programs="out")
    env.reset(options={"program": "out/first.c.bc"})
    assert load_programs("out/first.c.bc")[0] == programs.named("out/first.c.bc")
    assert load_programs(["out", "kernels/lz"]).size == 6


# ---------------------------------------------------------------------------
# A second run


def test_a_second_run_makes_nothing_again(project: Path, tmp_path: Path) -> None:
    database, out = project / "build/compile_commands.json", tmp_path / "out"
    extract(database, out)
    before = {path: path.stat().st_mtime_ns for path in out.glob("**/*.bc")}
    report = extract(database, out)
    assert (report.made, report.kept, len(report.failed)) == (0, 5, 1)
    assert {p: p.stat().st_mtime_ns for p in out.glob("**/*.bc")} == before
    assert load_programs(out).size == 5
    assert extract(database, out, resume=False).made == 5


def test_what_changed_is_made_again(project: Path, tmp_path: Path) -> None:
    database, out = project / "build/compile_commands.json", tmp_path / "out"
    extract(database, out)
    source = project / "src/first.c"
    edit(source, source.read_text().replace("leaf(2)", "leaf(987654)"))
    assert extract(database, out).made == 1
    assert "987654" in disassembled(out / "first.c.bc")
    # Also if its flags did, or it is gone.
    database.write_text(database.read_text().replace("FACTOR=1002", "FACTOR=1007"))
    (out / "flags.c.bc").unlink()
    report = extract(database, out)
    assert (report.made, report.kept) == (2, 3)
    assert "1007" in disassembled(out / "twice.c.2.bc")
    # What was broken is tried again each time.
    edit(project / "src/broken.c", "int broken(void) { return 1; }\n")
    report = extract(database, out)
    assert (report.made, report.kept, report.failed) == (1, 5, [])
    assert load_programs(out).size == 6


def test_a_header_that_changed_is_noticed(project: Path, tmp_path: Path) -> None:
    database, out = project / "build/compile_commands.json", tmp_path / "out"
    extract(database, out)
    edit(project / "include/step.h", "#define STEP 98765\n")
    assert extract(database, out).made == 1
    assert "98765" in disassembled(out / "first.c.bc")


def test_what_is_no_longer_built_leaves_the_set(project: Path, tmp_path: Path) -> None:
    database, out = project / "build/compile_commands.json", tmp_path / "out"
    extract(database, out)
    entries = json.loads(database.read_text())
    entries = [e for e in entries if not e["file"].endswith(("second.cpp", "twice.c"))]
    database.write_text(json.dumps(entries))
    extract(database, out)
    assert load_programs(out).names == [f"{out}/first.c.bc", f"{out}/flags.c.bc"]
