# SPDX-License-Identifier: Apache-2.0
"""Write the hashes of all bitcode into the catalogue. For maintainers.

``python -m mlcompiler_gym.programs.pypi.pin [PACKAGE ...]`` compiles everything
without checking it and keeps only hashes; units that do not compile get none.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mlcompiler_gym.programs.catalogue import (
    VARIANTS,
    Entry,
    read_catalogue,
    write_catalogue,
)
from mlcompiler_gym.programs.progress import progress_bar
from mlcompiler_gym.programs.pypi.cache import Cache, cache_root
from mlcompiler_gym.programs.pypi.compiler import Compiler
from mlcompiler_gym.programs.pypi.corpus import Package, apps, find_package, packages
from mlcompiler_gym.programs.pypi.errors import CompileError
from mlcompiler_gym.programs.pypi.index import Index
from mlcompiler_gym.programs.pypi.sources import Unit, open_sources
from mlcompiler_gym.programs.pypi.toolchain import install_toolchain
from mlcompiler_gym.programs.sizes import read_sizes


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "package", nargs="*", help="default: all that lack hashes of a variant"
    )
    parser.add_argument("--variant", action="append", choices=VARIANTS)
    parser.add_argument("-j", "--jobs", type=int, default=1)
    options = parser.parse_args(arguments)
    variants = options.variant or VARIANTS
    chosen = [find_package(name) for name in options.package] or [
        package
        for package in (*packages(), *apps())
        if not _is_pinned(package, variants)
    ]
    index = Index()
    toolchain = install_toolchain(Cache(cache_root()), index, progress=True)
    for package in chosen:
        hashes = _build(package, variants, index, Compiler(toolchain), options.jobs)
        _record(package, variants, hashes)


def _is_pinned(package: Package, variants: Sequence[str]) -> bool:
    pinned: set[str] = set()
    for name, entry in read_catalogue().items():
        if _belongs(name, package):
            pinned |= set(entry.hashes)
    return pinned >= set(variants)


def _belongs(name: str, package: Package) -> bool:
    """Whether a program is made of a package."""
    if package.driver is not None:
        return name == package.title
    return name.startswith(package.prefix)


def _build(
    package: Package,
    variants: Sequence[str],
    index: Index,
    compiler: Compiler,
    jobs: int,
) -> dict[str, dict[str, str]]:
    """Hash by unit and variant; failures are printed."""
    with tempfile.TemporaryDirectory() as work, ThreadPoolExecutor(jobs) as pool:
        sources = open_sources(package, index, Path(work), progress=True)
        hashes: dict[str, dict[str, str]] = {unit.name: {} for unit in sources.units}

        def compile_one(work: tuple[Unit, str]) -> str | None:
            unit, variant = work
            try:
                bitcode = compiler.compile(sources, unit, variant)
            except CompileError as error:
                return f"{unit.name} ({variant}): {error}"
            hashes[unit.name][variant] = hashlib.sha256(bitcode).hexdigest()
            return None

        all_work = [(unit, variant) for unit in sources.units for variant in variants]
        with progress_bar(
            len(all_work), package.title, unit="file", enabled=True
        ) as bar:
            for failure in pool.map(compile_one, all_work):
                bar.update()
                if failure:
                    bar.write(failure)
    return hashes


def _record(
    package: Package, variants: Sequence[str], hashes: dict[str, dict[str, str]]
) -> None:
    # Others may have changed other lines meanwhile.
    read_catalogue.cache_clear()
    entries = dict(read_catalogue())
    old = {name: entries.pop(name) for name in list(entries) if _belongs(name, package)}
    inputs = read_sizes(package.driver) if package.driver is not None else ()
    for name, new in hashes.items():
        kept = old[name].hashes if name in old else {}
        merged = {v: kept[v] for v in kept if v not in variants} | new
        if merged:
            entries[name] = Entry(
                name, package.split, package.licence, inputs, hashes=merged
            )
    write_catalogue(entries.values())
    print(f"{package.title}: {sum(map(bool, hashes.values()))} programs", flush=True)


if __name__ == "__main__":
    main()
