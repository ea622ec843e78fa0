# SPDX-License-Identifier: Apache-2.0
"""LLVM's own decisions, by policy, give clang's own object file."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.builds import clang, mlcg
from support.toolchain import KERNEL_NAMES, KERNELS

from mlcompiler_gym.building.build import Build
from mlcompiler_gym.building.jobs import is_unit, plan
from mlcompiler_gym.building.policies import load_policies
from mlcompiler_gym.clang import find_clang

#: As builds give them: levels, vectorisers, sections, models, debugging, targets.
FLAGS = [
    "-Oz",
    "-Os -fPIC -fvisibility=hidden -fstack-protector-strong -fno-common",
    "-O1 -g1 -fno-plt -fno-omit-frame-pointer -fcf-protection=full",
    "-O2 -g -ffunction-sections -fdata-sections",
    "-O2 -fno-pic -mcmodel=medium -fno-asynchronous-unwind-tables -fno-inline",
    "-O2 -fno-vectorize -fno-slp-vectorize -fno-unroll-loops -fno-strict-aliasing",
    "-O3 -march=x86-64-v3 -mtune=znver3 -mtls-dialect=gnu2 -fno-addrsig",
    "-O3 -fmerge-all-constants -Xclang -fmerge-functions -fwrapv -fno-builtin -g",
]
#: The flags that say how the pipeline is put together, each by itself at each level.
TUNING = [
    f"-{level} {flag}"
    for level in ("O1", "O2", "O3", "Os", "Oz")
    for flag in (
        "-fvectorize",
        "-fno-vectorize",
        "-fslp-vectorize",
        "-fno-slp-vectorize",
        "-funroll-loops",
        "-fno-unroll-loops",
        "-Xclang -fmerge-functions",
    )
]
#: Which of them the code generator needs to know and no session can be told.
BY_CLANG = [
    "-O2 -ffast-math -g -gsplit-dwarf",
    "-Os -gz=zlib -g -fstack-usage -falign-loops=32",
]
POLICIES = [["llvm"], ["llvm", "regalloc_eviction=llvm"], ["regalloc_priority=llvm"]]


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Debug information says in which folder the compiler was run."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(params=POLICIES, ids=lambda each: "+".join(each))
def build(request: pytest.FixtureRequest) -> Iterator[Build]:
    warned: list[str] = []
    build = Build(load_policies(request.param), warn=warned.append)
    yield build
    build.close()
    assert warned == []


def assert_same(build: Build, kernel: str, flags: str, folder: Path) -> None:
    source = KERNELS / "src" / f"{kernel}.c"
    # All have the same name, which a split object says.
    output, ours, theirs = (folder / f"{each}.o" for each in ("o", "ours", "theirs"))
    arguments = [*flags.split(), "-c", str(source), "-o", str(output)]
    planned = plan([find_clang(), *arguments])
    assert planned is not None
    [job] = planned.jobs
    assert is_unit(job)
    status, made = build.compile(job)
    assert (status, made.kept, made.reason) == (0, "policy", "")
    output.rename(ours)
    assert clang(*arguments, folder=folder).returncode == 0
    output.rename(theirs)
    # Not `==`: a failure would print two object files.
    same = ours.read_bytes() == theirs.read_bytes()
    assert same, f"the object of {kernel} differs with {flags}"


@pytest.mark.parametrize("flags", FLAGS)
def test_clangs_own_object(build: Build, flags: str, tmp_path: Path) -> None:
    kernel = KERNEL_NAMES[FLAGS.index(flags) * 5]
    assert_same(build, kernel, flags, tmp_path)


@pytest.mark.parametrize("flags", TUNING)
def test_clangs_own_pipeline(flags: str, tmp_path: Path) -> None:
    build = Build(load_policies(["llvm"]))
    # It has loops to vectorise and unroll, straight-line code and equal functions.
    assert_same(build, "matrix", flags, tmp_path)
    build.close()


@pytest.mark.parametrize("flags", BY_CLANG)
def test_clangs_own_object_where_clang_generates_the_code(
    flags: str, tmp_path: Path
) -> None:
    build = Build(load_policies(["llvm"]))
    assert_same(build, "lisp", flags, tmp_path)
    build.close()


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("flags", FLAGS)
def test_clangs_own_object_of_every_kernel(
    build: Build, flags: str, tmp_path: Path
) -> None:
    for kernel in KERNEL_NAMES:
        assert_same(build, kernel, flags, tmp_path)


@pytest.mark.parametrize("policy", ["llvm", "regalloc_eviction=llvm"])
def test_another_target(policy: str, tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text(
        "extern _Thread_local int there;\n"
        "static int leaf(int x) { return x * 31 + there; }\n"
        "int entry(int x) { return leaf(x) - leaf(x + 1) * leaf(3 - x); }\n"
    )
    arguments = ["--target=aarch64-linux-gnu", "-O2", "-fPIC", "-c", "a.c", "-o"]
    done = mlcg(f"--mlcg-policy={policy}", *arguments, "ours.o", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    clang(*arguments, "theirs.o", folder=tmp_path)
    assert (tmp_path / "ours.o").read_bytes() == (tmp_path / "theirs.o").read_bytes()
