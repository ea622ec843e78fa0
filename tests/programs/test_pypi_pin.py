# SPDX-License-Identifier: Apache-2.0
"""The maintainers' command writes what users' bitcode is compared with."""

from dataclasses import replace
from pathlib import Path

import pytest
from support.pypi_index import FILES, Repository, clang

from mlcompiler_gym.programs import catalogue
from mlcompiler_gym.programs.catalogue import (
    VARIANTS,
    Entry,
    read_catalogue,
    write_catalogue,
)
from mlcompiler_gym.programs.pypi import pin
from mlcompiler_gym.programs.pypi.corpus import Package

ONLY_X86 = "#ifndef __x86_64__\n#error not here\n#endif\nint x;\n"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """The only package, with an empty catalogue."""
    repository = Repository(tmp_path / "index")
    files = FILES | {"x86.c": ONLY_X86, "broken.c": "#error on purpose\n"}
    package = repository.add("demo", files)
    monkeypatch.setenv("MLCOMPILER_GYM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(catalogue, "_PATH", tmp_path / "catalogue.csv")
    monkeypatch.setattr(pin, "packages", lambda: [package])
    monkeypatch.setattr(pin, "apps", list)
    monkeypatch.setattr(pin, "find_package", {"demo": package}.__getitem__)
    monkeypatch.setattr(pin, "Index", lambda: repository.index)
    monkeypatch.setattr(pin, "install_toolchain", lambda *_, **__: clang())
    write_catalogue([Entry("kernels/other", "train", "Apache-2.0")])
    return package


@pytest.fixture(autouse=True)
def _restored() -> object:
    yield
    read_catalogue.cache_clear()


def test_hashes_of_what_compiles(
    package: Package, capsys: pytest.CaptureFixture[str]
) -> None:
    pin.main([])
    entries = read_catalogue()
    assert list(entries) == [
        "kernels/other",
        "pypi/demo/src/add",
        "pypi/demo/src/many",
        "pypi/demo/src/twice",
        "pypi/demo/x86",
    ]
    add = entries["pypi/demo/src/add"]
    assert (add.split, add.licence) == (package.split, package.licence)
    assert set(add.hashes) == set(VARIANTS)
    assert len(set(add.hashes.values())) == 4
    assert set(entries["pypi/demo/x86"].hashes) == {"x86_64-Oz", "x86_64-O2"}
    assert "pypi/demo/broken (x86_64-Oz): broken.c:1:2" in capsys.readouterr().out


def test_what_is_pinned_is_not_built_again(
    package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin.main(["--variant", "x86_64-Oz"])
    assert set(read_catalogue()["pypi/demo/src/add"].hashes) == {"x86_64-Oz"}
    pin.main(["--variant", "aarch64-O2"])
    both = {"x86_64-Oz", "aarch64-O2"}
    assert set(read_catalogue()["pypi/demo/src/add"].hashes) == both
    monkeypatch.setattr(pin, "open_sources", None)
    pin.main(["--variant", "x86_64-Oz", "--variant", "aarch64-O2"])


def test_an_app_is_one_program_with_the_sizes_of_its_driver(
    package: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = tmp_path / "demo.c"
    driver.write_text(
        "// Sizes: 3 40 500\nint add(int, int);\n"
        "int main(int argc, char **argv) { return add(argc, 1); }\n"
    )
    recipe = replace(package.recipe, sources=("src/add.c",))
    app = replace(package, recipe=recipe, driver=driver)
    monkeypatch.setattr(pin, "apps", lambda: [app])
    pin.main(["--variant", "x86_64-Oz"])
    entry = read_catalogue()["apps/demo"]
    assert entry.inputs == ("3", "40", "500")
    assert (entry.split, entry.licence) == (package.split, package.licence)
    assert set(entry.hashes) == {"x86_64-Oz"}
    assert "pypi/demo/src/add" in read_catalogue()
    monkeypatch.setattr(pin, "open_sources", None)
    pin.main(["--variant", "x86_64-Oz"])
