# SPDX-License-Identifier: Apache-2.0
"""``mlcg-clang`` in clang's place: what is passed through, and what is said."""

import os
from pathlib import Path

import pytest
from support.builds import MLCG_CLANGXX, clang, mlcg, run
from support.commands import SCRIPT

POLICY = "--mlcg-policy=llvm"

SOURCE = """
#include "part.h"
static int twice(int x) { return PART(x) + PART(x + 1); }
int entry(int x) { return twice(x) - PART(x) + twice(3); }
#ifdef MAIN
int main(int argc, char **argv) { return entry(argc) & 63; }
#endif
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / 'a "b" $c\\d'
    folder.mkdir()
    (folder / "part.h").write_text("#define PART(x) ((x) * 31 + 7)\n")
    (folder / "main.c").write_text(SOURCE)
    (folder / "an other.c").write_text("int other(int x) { return x / 3; }\n")
    (folder / "part.s").write_text(".globl part\npart: ret\n.section .note.GNU-stack\n")
    return folder


@pytest.mark.parametrize(
    "arguments",
    [
        ["--version"],
        ["-dumpmachine"],
        ["-O2", "-E", "main.c"],
        ["-O2", "-M", "main.c"],
        ["-O2", "-S", "main.c", "-o", "-"],
        ["-O2", "-c", "-emit-llvm", "main.c", "-o", "-S", "-o", "main.ll"],
        ["-O2", "-fsyntax-only", "main.c"],
        ["-O2", "-c", "part.s", "-o", "part.o"],
        ["-c", "main.c", "-o", "main.o"],
        ["-O2", "-###", "-c", "main.c"],
        ["-O2", "-v", "-c", "main.c"],
        ["-O2", "-print-search-dirs"],
        [],
        ["-O2", "-c", "nonsuch.c"],
        ["-O2", "--nonsuch", "-c", "main.c"],
        ["-O2", "-c", "main.c", "an other.c", "-o", "both.o"],
    ],
)
def test_what_is_not_compiled_to_an_object_is_clangs(
    arguments: list[str], folder: Path
) -> None:
    theirs = clang(*arguments, folder=folder)
    ours = mlcg(POLICY, *arguments, folder=folder)
    assert ours.returncode == theirs.returncode
    assert ours.stdout == theirs.stdout
    assert ours.stderr == theirs.stderr


@pytest.mark.parametrize(
    ("arguments", "made"),
    [
        (["-c", "main.c", "-o", "o/main.o"], ["o/main.o"]),
        (["-c", "an other.c", "main.c"], ["an other.o", "main.o"]),
        (["-c", "@flags", "main.c", "-o", "x"], ["x"]),
        (["-c", "main.c", "-MMD", "-MP", "-o", "x.o"], ["x.o", "x.d"]),
        (["-MD", "-MF", "deps here", "-MT", "t", "-c", "main.c"], ["deps here"]),
        (["-c", "-x", "c", "-", "-o", "x.o"], ["x.o"]),
        (["-c", "-xc++", "main.c", "-o", "x.o"], ["x.o"]),
        (["-DMAIN", "main.c", "an other.c", "part.s", "-o", "p"], ["p"]),
        (["-DMAIN", "main.c", "-o", "p", "-Wl,-Map=map", "-g"], ["p"]),
        (["-flto", "-c", "main.c", "-o", "x.o"], ["x.o"]),
        (["-save-temps", "-c", "main.c", "-o", "x.o"], ["x.o", "main.s"]),
        (["-c", "main.c", "-o", "/dev/null"], []),
        (["-c", "--", "main.c"], ["main.o"]),
    ],
)
def test_everything_made_is_what_clang_makes(
    arguments: list[str], made: list[str], folder: Path
) -> None:
    (folder / "o").mkdir()
    (folder / "flags").write_text('-Wall -DX="a b"\n')
    before = set(os.listdir(folder))
    temporary = folder.with_name("temporary")
    temporary.mkdir()

    def make(by: list[str | Path]) -> tuple[dict[str, bytes], str, str]:
        done = run([*by, *arguments], folder, SOURCE, TMPDIR=str(temporary))
        assert done.returncode == 0, done.stderr
        found = {each: (folder / each).read_bytes() for each in made}
        for each in set(os.listdir(folder)) - before:
            (folder / each).unlink()
        return found, done.stdout, done.stderr

    from support.builds import MLCG_CLANG

    from mlcompiler_gym.clang import find_clang

    theirs = make([find_clang(), "-Os"])
    ours = make([MLCG_CLANG, POLICY, "-Os"])
    assert ours[1:] == theirs[1:]
    for each in made:
        assert ours[0][each] == theirs[0][each], each
    assert os.listdir(temporary) == []


def test_what_is_wrong_with_a_source_is_said_once(folder: Path) -> None:
    (folder / "main.c").write_text(SOURCE + "int f(void) { int unused; }\n")
    (folder / "wrong.c").write_text("int g(void) { return nonsuch; }\n")
    for arguments in (
        ["-Wall", "-Oz", "-c", "main.c"],
        ["-Wall", "-Werror", "-Oz", "-c", "main.c"],
        ["-Oz", "-c", "wrong.c", "main.c"],
        ["-Oz", "-unused-flag-of-nobody", "-c", "main.c"],
        ["-Oz", "-Lnowhere", "-lm", "-Wall", "-c", "main.c"],
        ["-Oz", "-Wframe-larger-than=1", "-c", "main.c"],
    ):
        theirs = clang(*arguments, folder=folder)
        assert theirs.stderr
        ours = mlcg(POLICY, *arguments, folder=folder)
        assert ours.returncode == theirs.returncode
        assert _without_counts(ours.stderr) == _without_counts(theirs.stderr)


def _without_counts(said: str) -> str:
    """Clang counts for a whole command line; jobs count for themselves."""
    return "\n".join(
        line for line in said.splitlines() if not line.endswith("generated.")
    )


def test_a_link_that_fails(folder: Path) -> None:
    done = mlcg(POLICY, "-O2", "main.c", "-o", "p", folder=folder)
    theirs = clang("-O2", "main.c", "-o", "p", folder=folder)
    assert done.returncode == theirs.returncode == 1
    assert "undefined reference to `main'" in done.stderr
    assert "mlcg-clang: error: ld command failed with exit code 1" in done.stderr
    assert not (folder / "p").exists()


def test_cplusplus(folder: Path) -> None:
    (folder / "m.cc").write_text(
        "#include <string>\nint main(int c, char **v) "
        "{ return std::string(v[0]).size() + c > 3 ? 7 : 1; }\n"
    )
    done = run([MLCG_CLANGXX, POLICY, "-O2", "m.cc", "-o", "p"], folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert run(["./p"], folder).returncode == 7
    done = run([SCRIPT, "c++", POLICY, "-O2", "m.cc", "-o", "q"], folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert (folder / "p").read_bytes() == (folder / "q").read_bytes()
    done = run([SCRIPT, "cc", POLICY, "-c", "-Oz", "main.c", "-o", "x", "--"], folder)
    assert (done.returncode, done.stderr) == (0, "")
    clang("-c", "-Oz", "main.c", "-o", "y", folder=folder)
    assert (folder / "x").read_bytes() == (folder / "y").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--mlcg-polizy=llvm"], "unknown option --mlcg-polizy"),
        (["--mlcg-policy"], "--mlcg-policy needs a value"),
        (["--mlcg-guard=speed"], "'speed' cannot be guarded; text_size can"),
        (["--mlcg-timeout=-1"], "'-1' is not a number of seconds"),
        (["--mlcg-timeout=nan"], "'nan' is not a number of seconds"),
    ],
)
def test_our_own_options(arguments: list[str], message: str, folder: Path) -> None:
    done = mlcg("-O2", "-c", "main.c", *arguments, folder=folder)
    assert done.returncode == 1
    assert done.stderr.startswith(f"mlcg-clang: error: {message}")
    assert not (folder / "main.o").exists()
