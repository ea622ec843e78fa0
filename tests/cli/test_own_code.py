# SPDX-License-Identifier: Apache-2.0
"""A user's own build: a named set, objects under the build's names, and a relink."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from support.commands import cli
from support.toolchain import run

from mlcompiler_gym import load_programs

CMAKE = """
cmake_minimum_required(VERSION 3.20)
project(sample C)
add_library(parts STATIC parts/one.c parts/two.c)
add_executable(app main.c)
target_link_libraries(app parts)
"""

SOURCES = {
    "CMakeLists.txt": CMAKE,
    "parts/one.c": (
        "static int twice(int x) { return x + x; }\n"
        "int one(int x) { return twice(x) + twice(x + 1); }\n"
    ),
    "parts/two.c": (
        "static int square(int x) { return x * x; }\n"
        "int two(int x) { return square(x) - square(x - 1) + square(3); }\n"
    ),
    "main.c": (
        "#include <stdio.h>\n#include <stdlib.h>\nint one(int), two(int);\n"
        "static int both(int x) { return one(x) + two(x); }\n"
        "int main(int argc, char **argv) {\n"
        '  printf("%d\\n", both(argc > 1 ? atoi(argv[1]) : 4));\n  return 0;\n}\n'
    ),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    for name, text in SOURCES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    build = folder / "build"
    export = "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON"
    compiler = "-DCMAKE_C_COMPILER=clang-22"
    run("cmake", "-G", "Ninja", "-S", folder, "-B", build, export, compiler)
    run("cmake", "--build", build)
    return folder


@pytest.fixture
def sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLCOMPILER_GYM_SETS", str(tmp_path / "data/sets"))
    return tmp_path / "data/sets"


def extract(project: Path, *options: str) -> None:
    database = project / "build/compile_commands.json"
    cli("programs", "extract", database, "--name", "mine", *options)


def test_a_named_set_is_known_everywhere(project: Path, sets: Path) -> None:
    extract(project)
    names = ["mine/main.c", "mine/parts/one.c", "mine/parts/two.c"]
    assert sorted(load_programs("mine").names) == names
    assert load_programs("mine/parts/one.c").names == ["mine/parts/one.c"]
    assert load_programs("mine/parts").names == names[1:]
    rows = cli("programs", "list").stdout.splitlines()
    [row] = [row.split("\t") for row in rows if row.startswith("mine\t")]
    assert sum(map(int, row[1:4])) == 3
    listed = json.loads(cli("programs", "list", "mine", "--json").stdout)
    assert [each["program"] for each in listed] == names
    for split in {each["split"] for each in listed}:
        wanted = {each["program"] for each in listed if each["split"] == split}
        assert set(load_programs(f"mine:{split}").names) == wanted
    said = cli("programs", "info", "mine/parts/one.c").stdout
    assert "parts.dir/parts/one.c.o" in said
    error = cli("programs", "info", "mine/parts/ones.c", status=1).stderr
    assert "did you mean mine/parts/one.c" in error


def test_splits_keep_folders_or_targets_together(project: Path, sets: Path) -> None:
    for by in ("folder", "target"):
        extract(project, "--split-by", by, "--output", str(sets.parent / by))
        listed = json.loads(cli("programs", "list", "mine", "--json").stdout)
        splits = {each["program"]: each["split"] for each in listed}
        assert splits["mine/parts/one.c"] == splits["mine/parts/two.c"]
        # And they stay where they are.
        extract(project, "--split-by", by, "--output", str(sets.parent / by))
        again = json.loads(cli("programs", "list", "mine", "--json").stdout)
        assert again == listed


@pytest.mark.parametrize("name", ["kernels", "../up", "a b", ""])
def test_names_that_cannot_be(project: Path, sets: Path, name: str) -> None:
    database = project / "build/compile_commands.json"
    done = cli(
        *("programs", "extract", database, "-o", sets.parent / "x", "--name", name),
        status=1,
    )
    assert "cannot be the name of a set" in done.stderr


def test_the_build_links_what_a_policy_made(project: Path, sets: Path) -> None:
    extract(project)
    build = project / "build"
    before = (build / "app").read_bytes()
    (sets.parent / "llvm").write_bytes(before)
    os.chmod(sets.parent / "llvm", 0o755)
    done = cli("compile", "mine", "--policy", "never", "-o", build, "--json")
    made = json.loads(done.stdout)
    objects = {Path(each["object"]).relative_to(build) for each in made}
    assert Path("CMakeFiles/parts.dir/parts/one.c.o") in objects
    assert Path("CMakeFiles/app.dir/main.c.o") in objects
    for linked in ("app", "libparts.a"):
        (build / linked).unlink()
    said = run("cmake", "--build", build).decode()
    assert "Building" not in said
    assert "Linking" in said
    assert (build / "app").read_bytes() != before
    for argument in ("4", "9"):
        run_of = [[each, argument] for each in (build / "app", sets.parent / "llvm")]
        outputs = [subprocess.check_output(each) for each in run_of]
        assert outputs[0] == outputs[1]
    said = cli(
        *("validate", build / "app", "--against", sets.parent / "llvm"),
        *("-i", "4", "-i", "9"),
    ).stdout
    assert "the same on 2 inputs" in said


def test_validate_tells_programs_apart(tmp_path: Path) -> None:
    for name, status in (("a", 0), ("b", 1)):
        source = (
            f"int main(int argc, char **argv) {{ return argc > 1 ? {status} : 0; }}"
        )
        run("clang-22", "-x", "c", "-", "-o", tmp_path / name, data=source.encode())
    command = ("validate", tmp_path / "a", "--against", tmp_path / "b")
    assert "the same on 1 input" in cli(*command).stdout
    done = cli(*command, "-i", "", "-i", "x", status=1)
    assert "exit status" in done.stdout
    done = cli("validate", tmp_path / "a", status=1)
    assert "--against" in done.stderr


def test_a_search_is_not_worse_than_what_it_begins_with(
    project: Path, sets: Path, tmp_path: Path
) -> None:
    extract(project)
    command = (
        "compile",
        "mine/main.c",
        "--search",
        "4",
        "-o",
        tmp_path / "o",
        "--json",
    )
    [made] = json.loads(cli(*command).stdout)
    assert made["this"] <= made["LLVM"]


def test_trajectories_are_compiled(tmp_path: Path) -> None:
    cli(
        *("eval", "mlcompiler/Inlining-v0", "--policy", "always"),
        *("--programs", "kernels/basic", "-o", "always.jsonl"),
        cwd=tmp_path,
    )
    cli("compile", "--trajectories", "always.jsonl", "-o", "objects", cwd=tmp_path)
    cli("compile", "kernels/basic", "--policy", "always", "-o", "o", cwd=tmp_path)
    found = [
        (tmp_path / each / "kernels/basic.o").read_bytes() for each in ("objects", "o")
    ]
    assert found[0] == found[1]
    assert "name programs" in cli("compile", status=1).stderr
    basic = ("compile", "kernels/basic")
    done = cli(*basic, "--policy", "best_of_2", status=1)
    assert "inlining does not decide function by function" in done.stderr
    done = cli(*basic, "--search", "2", "--env", "mlcompiler/Parameters-v0", status=1)
    assert "an action of parameters is a MultiDiscrete" in done.stderr
