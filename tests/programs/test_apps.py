# SPDX-License-Identifier: Apache-2.0
"""Libraries linked with drivers of ours: the table, the linking, what they do."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support import toolchain
from support.pypi_index import VARIANT, Repository, clang

from mlcompiler_gym import load_programs
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.programs import pypi
from mlcompiler_gym.programs.catalogue import VARIANTS, entries_of
from mlcompiler_gym.programs.pypi.compiler import Compiler
from mlcompiler_gym.programs.pypi.corpus import Package
from mlcompiler_gym.programs.pypi.index import Index
from mlcompiler_gym.programs.pypi.sources import Unit, open_sources
from mlcompiler_gym.programs.sizes import read_sizes

Make = Callable[..., CompilerEnv]

APPS = pypi.apps()
NAMES = [app.title for app in APPS]
#: For sanitizers; functions that no program needs may need others that there are not.
CLANG = (
    *("clang-22", "-O1", "-g1", "-w", "-ffunction-sections"),
    "-fno-sanitize-recover=all",
)
DRIVERS = Path(pypi.__file__).parents[1] / "apps" / "src"


def test_there_are_enough_of_them() -> None:
    assert len(NAMES) >= 20


def test_the_catalogue_has_exactly_the_drivers() -> None:
    assert [entry.name for entry in entries_of("apps")] == sorted(NAMES)
    assert sorted(path.stem for path in DRIVERS.glob("*.c")) == sorted(
        name.removeprefix("apps/") for name in NAMES
    )


@pytest.mark.parametrize("app", APPS, ids=NAMES)
def test_the_catalogue_says_what_the_package_says(app: Package) -> None:
    """A package of `pypi:test` is in `apps:test`: nothing is learned from it."""
    [entry] = [entry for entry in entries_of("apps") if entry.name == app.title]
    of_package = {
        (each.split, each.licence)
        for each in entries_of("pypi")
        if each.name.startswith(f"pypi/{app.name}/")
    }
    assert {(entry.split, entry.licence)} == of_package
    assert app.driver is not None
    assert entry.inputs == read_sizes(app.driver)
    assert sorted(map(int, entry.inputs)) == list(map(int, entry.inputs))
    assert set(entry.hashes) == set(VARIANTS)


def test_no_two_apps_have_the_same_bitcode() -> None:
    digests = [d for entry in entries_of("apps") for d in entry.hashes.values()]
    assert len(set(digests)) == len(digests) == len(VARIANTS) * len(NAMES)


@pytest.fixture
def linked(tmp_path: Path) -> str:
    """The module of a made-up library and a driver, as text."""
    files = {
        "src/shared.h": "extern int table[2]; int helped(int); int entry(int);\n",
        "src/entry.c": '#include "shared.h"\n'
        "static int twice(int x) { return 2 * x; }\n"
        "int entry(int x) { return twice(helped(x)) + table[x & 1]; }\n"
        "int of_no_use(int x) { return x; }\n",
        "src/helped.c": '#include "shared.h"\nint table[2] = {3, 4};\n'
        "static int twice(int x) { return x + x; }\n"
        "int helped(int x) { return twice(x) - 1; }\n",
    }
    driver = tmp_path / "demo.c"
    driver.write_text(
        '#include "kernel.h"\n#include "shared.h"\n// Sizes: 1 2 3\n'
        "int main(int argc, char **argv) {\n"
        "  return entry(kernel_size(argc, argv, 1));\n}\n"
    )
    repository = Repository(tmp_path / "index")
    package = repository.add("demo", files, root="src")
    app = Package(**{**vars(package), "driver": driver})
    sources = open_sources(app, repository.index, tmp_path, progress=False)
    assert [unit.name for unit in sources.units] == ["apps/demo"]
    bitcode = Compiler(clang()).compile(sources, sources.units[0], VARIANT)
    assert str(tmp_path).encode() not in bitcode
    return toolchain.run("llvm-dis-22", "-o", "-", data=bitcode).decode()


def test_what_the_driver_needs_is_internal(linked: str) -> None:
    defined = [line for line in linked.splitlines() if line.startswith("define")]
    assert [line for line in defined if " internal " not in line and "@main" in line]
    for name in ("@entry(", "@helped("):
        assert [line for line in defined if " internal " in line and name in line]
    # Two functions of one name, which was local to their units.
    assert len([line for line in defined if "@twice" in line]) == 2
    assert "@table = internal" in linked


def test_what_it_does_not_need_is_not_there(linked: str) -> None:
    assert "of_no_use" not in linked


def test_the_program_says_nothing_of_its_sources(linked: str) -> None:
    assert 'source_filename = "mlcompiler_gym_driver/demo.c"' in linked


def test_a_program_that_is_not_fetched_says_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLCOMPILER_GYM_CACHE", str(tmp_path))
    with pytest.raises(Exception, match="mlcompiler-gym programs fetch apps/lz4"):
        load_programs("apps/lz4")


# ---------------------------------------------------------------------------
# The real ones


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_bitcode_is_the_same_wherever_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is compared with the catalogue, made elsewhere."""
    monkeypatch.setenv("MLCOMPILER_GYM_CACHE", str(tmp_path))
    some = ["apps/heatshrink", "apps/llhttp"]
    for architecture, level in (("x86_64", "Oz"), ("aarch64", "O2")):
        report = pypi.fetch(
            some, architecture=architecture, level=level, progress=False
        )
        assert (report.failures, report.compiled) == ([], 2)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("pipeline", ["O0", "O2", "Oz", "O3"])
@pytest.mark.parametrize("name", NAMES)
def test_they_compute_the_same_at_every_level(
    make: Make, name: str, pipeline: str
) -> None:
    level = "Oz" if pipeline in ("O0", "Oz") else "O2"
    assert pypi.fetch([name], level=level, progress=False).failures == []
    env = make(programs=name, pipeline=f"default<{pipeline}>", inlining_default=True)
    if not env.reset()[1].get("no_decision"):
        env.finish("llvm")
    validation = env.validate()
    assert validation.ok, validation.report()


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("app", APPS, ids=NAMES)
def test_sanitizers_find_nothing(app: Package, tmp_path: Path) -> None:
    """Memory is checked everywhere, undefined behaviour in the drivers."""
    with Index() as index:
        sources = open_sources(app, index, tmp_path, progress=False)
    objects: list[str] = []

    def build(unit: Unit, sanitizers: str) -> None:
        objects.append(str(tmp_path / f"{len(objects)}.o"))
        command = [*CLANG, f"-fsanitize={sanitizers}", *sources.recipe.flags]
        command += [f"-I{folder}" for folder in sources.includes]
        command += ["-c", unit.source, "-o", objects[-1]]
        subprocess.run(command, cwd=sources.root, check=True)

    for unit in sources.library:
        build(unit, "address")
    build(sources.units[0], "address,undefined")
    program = tmp_path / "program"
    command = [*CLANG, "-fsanitize=address,undefined", "-fuse-ld=lld", *objects]
    # A driver may have a copy of an inline function that the library has, too.
    command += ["-Wl,--gc-sections", "-Wl,--allow-multiple-definition"]
    command += ["-lm", "-o", str(program)]
    subprocess.run(command, check=True)
    assert app.driver is not None
    done = subprocess.run(
        [program, read_sizes(app.driver)[0]], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b""), done.stderr.decode()[:2000]
