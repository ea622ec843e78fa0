# SPDX-License-Identifier: Apache-2.0
"""Small projects, built by make and by CMake with ``mlcg-clang`` as their compiler."""

import json
import os
from pathlib import Path

import pytest
from support.builds import MLCG_CLANG, MLCG_CLANGXX, run

MAKEFILE = """
CFLAGS = -Oz -MMD
all: program
program: main.o part\\ one.o part2.o
	$(CC) "main.o" "part one.o" part2.o -o $@
part\\ one.o: part\\ one.c
	$(CC) $(CFLAGS) -c "part one.c" -o "$@"
-include *.d
"""

CMAKELISTS = """
cmake_minimum_required(VERSION 3.20)
project(small C CXX)
add_library(parts STATIC "part one.c" part2.c)
add_executable(program main.c cxx.cc)
target_link_libraries(program parts)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "a project"
    folder.mkdir()
    (folder / "part.h").write_text("int one(int); int two(int);\n")
    (folder / "part one.c").write_text(
        '#include "part.h"\nstatic int leaf(int x) { return x * 31 + 7; }\n'
        "int one(int x) { return leaf(x) - leaf(x + 1) + leaf(x * 2); }\n"
    )
    (folder / "part2.c").write_text(
        '#include "part.h"\nint two(int x) { return one(x) + one(x + 3); }\n'
    )
    (folder / "main.c").write_text(
        '#include "part.h"\n#include <stdio.h>\n'
        'int main(void) { printf("%d\\n", two(5)); return 0; }\n'
    )
    (folder / "cxx.cc").write_text("int cxx() { return 1; }\n")
    (folder / "Makefile").write_text(MAKEFILE)
    (folder / "CMakeLists.txt").write_text(CMAKELISTS)
    return folder


def variables(folder: Path) -> dict[str, str]:
    return {
        "MLCOMPILER_GYM_POLICY": "last_use",
        "MLCOMPILER_GYM_REPORT": str(folder / "report"),
        "TMPDIR": str(folder),
    }


def compiled(folder: Path) -> list[str]:
    """The units of the report, all by policy."""
    lines = [json.loads(each) for each in (folder / "report").read_text().splitlines()]
    assert {each["kept"] for each in lines} == {"policy"}
    return sorted(Path(each["unit"]).name for each in lines)


def test_make(project: Path) -> None:
    built = run(["make", "-j3", f"CC={MLCG_CLANG}"], project, **variables(project))
    assert (built.returncode, built.stderr) == (0, "")
    assert compiled(project) == ["main.c", "part one.c", "part2.c"]
    assert run(["./program"], project).stdout == f"{_two(5)}\n"
    # Dependencies are those of the source, and not of any bitcode.
    assert "part.h" in (project / "main.d").read_text()
    (project / "part.h").touch()
    os.utime(project / "part.h", (2**31, 2**31))
    built = run(["make", "-n", f"CC={MLCG_CLANG}"], project)
    assert "main.c" in built.stdout
    assert not list(project.glob("mlcg-*"))


def test_cmake(project: Path) -> None:
    arguments = [
        f"-DCMAKE_C_COMPILER={MLCG_CLANG}",
        f"-DCMAKE_CXX_COMPILER={MLCG_CLANGXX}",
        "-DCMAKE_BUILD_TYPE=MinSizeRel",
    ]
    made = run(["cmake", "-B", "build", *arguments], project)
    assert made.returncode == 0, made.stderr
    assert "The C compiler identification is Clang 22" in made.stdout
    built = run(["cmake", "--build", "build", "-j2"], project, **variables(project))
    assert built.returncode == 0, built.stderr
    assert compiled(project) == ["cxx.cc", "main.c", "part one.c", "part2.c"]
    assert run(["build/program"], project).stdout == f"{_two(5)}\n"


def _two(x: int) -> int:
    def leaf(x: int) -> int:
        return x * 31 + 7

    def one(x: int) -> int:
        return leaf(x) - leaf(x + 1) + leaf(x * 2)

    return one(x) + one(x + 3)
