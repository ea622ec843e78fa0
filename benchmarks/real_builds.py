# SPDX-License-Identifier: Apache-2.0
"""SQLite, zlib and Lua built by clang -Oz and by mlcg-clang: sizes, time, checks.

The sources are in pinned source distributions of the package index.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from mlcompiler_gym.clang import find_clang
from mlcompiler_gym.programs.pypi.archive import unpack_tar
from mlcompiler_gym.programs.pypi.index import Distribution, Index

MLCG_CLANG = Path(sys.executable).with_name("mlcg-clang")
#: How the programs are compiled: by clang, by LLVM's own decisions, by a rule, by a
#: portfolio of orders of passes.
WAYS: Mapping[str, str | None] = {
    "clang": None,
    "llvm": "llvm",
    "last_use": "last_use",
    "passes": "pass_ordering=reference",
}

_MAKEFILE = """
%.o: %.c
\t$(CC) $(CFLAGS) {defines} -c $< -o $@
"""
_PROGRAM = """
all: {name}
{name}: {objects}
\t$(CC) {objects} -lm -o $@
"""
_CMAKELISTS = """
cmake_minimum_required(VERSION 3.20)
project({project} C)
add_compile_options({defines})
"""
_EXECUTABLE = """
add_executable({name} {sources})
target_link_libraries({name} m)
"""


@dataclass(frozen=True)
class RealProgram:
    """A program that people use.

    Attributes:
        distribution: The source distribution that has its sources.
        folder: Where they are in it.
        executables: Patterns of the source files of each executable.
        command: What shows that the executables work.
        prints: A text that is in what it prints.
        data: What it reads from standard input.
        without: Source files to leave out.
        defines: Macros and further flags.
        write: Files to add.
    """

    distribution: Distribution
    folder: str
    executables: Mapping[str, Sequence[str]]
    command: Sequence[str]
    prints: str
    data: str = ""
    without: Sequence[str] = ()
    defines: Sequence[str] = ()
    write: Mapping[str, str] = field(default_factory=dict)


_SQL = """
CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c REAL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
INSERT INTO t SELECT i, printf('%05d-%s', (i * 7919) % 20011, hex(i * i)), i * 0.25
FROM n;
CREATE INDEX ti ON t(b);
DELETE FROM t WHERE a % 7 = 3;
SELECT count(*), sum(a), sum(c), min(b), max(b) FROM t;
SELECT a, count(*) OVER (ORDER BY b ROWS 3 PRECEDING) FROM t ORDER BY b LIMIT 5;
SELECT json_group_array(a) FROM (SELECT a FROM t WHERE b GLOB '0000*' ORDER BY b);
PRAGMA integrity_check;
"""

_LUA_SCRIPT = """
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
assert(fib(22) == 17711)
local seen = {}
for w in ("the quick brown fox jumps over the lazy dog"):gmatch("%a+") do
  seen[#seen + 1] = w:upper():reverse()
end
table.sort(seen)
assert(table.concat(seen, ",") == "EHT,EHT,GOD,KCIUQ,NWORB,REVO,SPMUJ,XOF,YZAL")
local co = coroutine.wrap(function() for i = 1, 5 do coroutine.yield(i * i) end end)
local sum = 0
for i = 1, 5 do sum = sum + co() end
assert(sum == 55)
local t = setmetatable({}, {__index = function(_, k) return k .. "!" end})
assert(t.hello == "hello!")
assert(select("#", string.unpack("<i4 z", string.pack("<i4 z", 7, "x"))) == 3)
assert(not pcall(error, {}) and load("return 1 + 1")() == 2)
assert(utf8.len("\\u{48}\\u{20ac}") == 2 and 7 // 2 == 3 and 7 % -3 == -2)
collectgarbage()
print(string.format("%.14g %s %d", math.pi, "lua", 1 << 40))
"""

PROGRAMS: Mapping[str, RealProgram] = {
    "sqlite": RealProgram(
        Distribution(
            "sqlean.py",
            "3.50.4.5",
            "sqlean_py-3.50.4.5.tar.gz",
            "9764b565e7ab430ab6e9e43cb2816199c2b39926dffc93c212a52f0019278459",
        ),
        "sqlite",
        {"sqlite": ["sqlite3.c", "shell.c", "extensions.c"]},
        ["./sqlite", ":memory:"],
        "ok",
        data=_SQL,
        defines=["-DSQLITE_THREADSAFE=0", "-DSQLITE_OMIT_LOAD_EXTENSION", "-w"],
        # The distribution registers extensions of its own, which are not built here.
        write={
            "extensions.c": "int sqlite3_sqlean_init(void *a, char **b, const void *c)"
            " { (void)a; (void)b; (void)c; return 0; }\n"
        },
    ),
    "zlib": RealProgram(
        Distribution(
            "pyminizip",
            "0.2.6",
            "pyminizip-0.2.6.tar.gz",
            "0a954dd2a65fd72c8b827b83fb806fb4f301075a6ec43e207d3345ab15843a7a",
        ),
        "zlib-1.2.11",
        {
            "example": ["*.c", "test/example.c"],
            "minigzip": ["*.c", "test/minigzip.c"],
        },
        [
            "sh",
            "-c",
            "./example && ./minigzip < trees.c | ./minigzip -d | cmp - trees.c",
        ],
        "inflateSync(): hel",
        defines=["-DHAVE_UNISTD_H", "-D_LARGEFILE64_SOURCE=1", "-I.", "-w"],
    ),
    "lua": RealProgram(
        Distribution(
            "lupa",
            "2.8",
            "lupa-2.8.tar.gz",
            "d8022641b9ec8ecf2c5ecbe9f47e5a70e0b87c4b5ae921b92cb02a638e0acd08",
        ),
        "third-party/lua54",
        {"lua": ["*.c"]},
        ["./lua", "check.lua"],
        "3.1415926535898 lua 1099511627776",
        without=["ltests.c", "onelua.c"],
        defines=["-DLUA_USE_POSIX", "-w"],
        write={"check.lua": _LUA_SCRIPT},
    ),
}


def prepare(name: str, work: Path, index: Index) -> Path:
    """Download and unpack a program, and write its Makefile and CMakeLists.txt."""
    program = PROGRAMS[name]
    archive = index.download(program.distribution, work)
    unpacked = work / name
    unpack_tar(archive, unpacked)
    [top] = unpacked.iterdir()
    folder = top / program.folder
    for path, content in program.write.items():
        (folder / path).write_text(content)
    defines = " ".join(program.defines)
    makefile = [_MAKEFILE.format(defines=defines)]
    lists = [_CMAKELISTS.format(project=name, defines=defines.replace("-I.", ""))]
    if "-I." in program.defines:
        lists.append("include_directories(.)\n")
    for executable, patterns in program.executables.items():
        found = {
            str(path.relative_to(folder))
            for pattern in patterns
            for path in folder.glob(pattern)
        }
        sources = " ".join(sorted(found - set(program.without)))
        objects = sources.replace(".c", ".o")
        makefile.append(_PROGRAM.format(name=executable, objects=objects))
        lists.append(_EXECUTABLE.format(name=executable, sources=sources))
    (folder / "Makefile").write_text("all:\n" + "".join(makefile))
    (folder / "CMakeLists.txt").write_text("".join(lists))
    return folder


def build(
    source: Path, target: Path, policy: str | None, tool: str, flags: str = "-Oz"
) -> float:
    """Build a program in a copy of its folder; returns seconds.

    Args:
        source: What :func:`prepare` made.
        target: The copy, which is made.
        policy: What decides; None: clang alone.
        tool: ``"make"`` or ``"cmake"``.
        flags: How to optimise.
    """
    shutil.copytree(source, target)
    compiler = find_clang() if policy is None else str(MLCG_CLANG)
    settings = {**os.environ, "MLCOMPILER_GYM_POLICY": policy or ""}
    # Lua comes with a `makefile`, which make prefers.
    make = ["make", "-f", "Makefile", f"-j{os.cpu_count()}"]
    begin = perf_counter()
    if tool == "make":
        commands = [[*make, f"CC={compiler}", f"CFLAGS={flags}"]]
    else:
        chosen = [f"-DCMAKE_C_COMPILER={compiler}", f"-DCMAKE_C_FLAGS={flags}"]
        commands = [["cmake", ".", *chosen], make]
    for command in commands:
        done = subprocess.run(
            command, cwd=target, env=settings, capture_output=True, text=True
        )
        if done.returncode or "compiled by LLVM alone" in done.stderr:
            raise RuntimeError(f"{command}: {done.stderr}")
    return perf_counter() - begin


def check(name: str, folder: Path) -> str:
    """Run a program's check; returns what it printed, which has to be right."""
    program = PROGRAMS[name]
    done = subprocess.run(
        program.command,
        cwd=folder,
        input=program.data,
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode or program.prints not in done.stdout:
        raise RuntimeError(f"{name} does not work: {done.stdout}{done.stderr}")
    return done.stdout


def code_bytes(name: str, folder: Path) -> int:
    """Bytes of code in the executables, as linked."""
    from mlcompiler_gym.building.objects import text_size

    return sum(
        text_size((folder / each).read_bytes()) for each in PROGRAMS[name].executables
    )


@contextmanager
def prepared() -> Iterator[Mapping[str, Path]]:
    """All programs, ready to be built, in a folder that goes away."""
    with tempfile.TemporaryDirectory() as folder, Index() as index:
        work = Path(folder)
        yield {name: prepare(name, work, index) for name in PROGRAMS}


def run() -> None:
    with prepared() as sources:
        print("bytes of code in the executables, and seconds of the build")
        for name, source in sources.items():
            line, printed = [f"{name:8}"], set()
            for way, policy in WAYS.items():
                target = source.with_name(f"{source.name}-{way}")
                seconds = build(source, target, policy, "make")
                printed.add(hashlib.sha256(check(name, target).encode()).hexdigest())
                line.append(f"{way} {code_bytes(name, target)} ({seconds:.1f} s)")
            if len(printed) != 1:
                raise RuntimeError(f"{name} does not print the same in each way")
            print("  ".join(line), flush=True)
