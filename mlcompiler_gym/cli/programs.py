# SPDX-License-Identifier: Apache-2.0
"""``mlcompiler-gym programs``: what there is to compile."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from mlcompiler_gym.errors import ProgramError
from mlcompiler_gym.programs import NAMED_SETS, load_programs
from mlcompiler_gym.programs.catalogue import SPLITS, entries_of, read_catalogue
from mlcompiler_gym.programs.named_set import CatalogueSet, package_of
from mlcompiler_gym.programs.variant import Variant

programs = typer.Typer(no_args_is_help=True, help="Programs to compile.")

_Target = Annotated[str, typer.Option(help="Architecture: x86_64 or aarch64.")]
_Level = Annotated[str, typer.Option(help="What it is to be optimised for: Oz or O2.")]
_Licence = Annotated[
    list[str] | None,
    typer.Option(help="Only programs with this licence; may be repeated."),
]
_Jobs = Annotated[
    int | None, typer.Option(min=1, help="Compilers at once [all processors].")
]


@programs.command("list")
def list_programs(
    what: Annotated[
        str | None, typer.Argument(help="A set or a split: kernels, pypi:train.")
    ] = None,
    target: _Target = "x86_64",
    level: _Level = "Oz",
    licence: _Licence = None,
) -> None:
    """List all sets, or the programs of one."""
    if what is None:
        Console().print(_table_of_sets())
        return
    name, _, split = what.partition(":")
    named_set = NAMED_SETS.get(name)
    if named_set is None:
        raise ProgramError(f"no set {name!r}; there are: {', '.join(NAMED_SETS)}")
    if not isinstance(named_set, CatalogueSet):
        raise ProgramError(
            f"there is no end of {name}: name any seed, as in {named_set.example}"
        )
    entries = named_set.entries(Variant.of(target, level), split or None, licence)
    width = max((len(entry.name) for entry in entries), default=0)
    for entry in entries:
        typer.echo(f"{entry.name:{width}}  {entry.split:10}  {entry.licence}")


def _table_of_sets() -> Table:
    table = Table(title="Sets of programs")
    for column in ("set", "train", "validation", "test", "licence", "what it is"):
        table.add_column(column, justify="right" if column in SPLITS else "left")
    for named_set in NAMED_SETS.values():
        sizes = [
            str(len(entries_of(named_set.name, split)))
            if isinstance(named_set, CatalogueSet)
            else "no end"
            for split in SPLITS
        ]
        table.add_row(named_set.name, *sizes, named_set.licence, named_set.description)
    return table


@programs.command()
def info(
    name: Annotated[str, typer.Argument(help="A program: pypi/lz4/lz4hc.")],
    target: Annotated[
        str | None, typer.Option(help="Architecture: x86_64 or aarch64.")
    ] = None,
    level: _Level = "Oz",
) -> None:
    """Say what is known of one program."""
    catalogue = read_catalogue()
    entry = catalogue.get(name)
    members = [e for e in catalogue.values() if package_of(e.name) == name != e.name]
    if members:
        _say("split", members[0].split)
        _say("licence", members[0].licence)
        for member in members:
            _say("program", member.name)
        return
    if entry is not None:
        _say("split", entry.split)
        _say("licence", entry.licence)
        runs = ", ".join(entry.inputs)
        _say("runs with", runs or "cannot be run")
        for variant, digest in entry.hashes.items():
            _say(f"sha256 {variant}", digest)
    try:
        program = load_programs(name, target=target, level=level).named(name)
    except ProgramError as error:
        if entry is None:
            raise
        _say("bitcode", str(error))
    else:
        _say("bitcode", f"{len(program.bitcode):,} bytes")
        if entry is None:
            _say("sha256", program.sha256.hex())


def _say(what: str, value: str) -> None:
    """A line of its own, which no terminal's width cuts off."""
    typer.echo(f"{what:21} {value}")


@programs.command()
def fetch(
    what: Annotated[
        list[str], typer.Argument(help="pypi, pypi:train, or pypi/PACKAGE.")
    ],
    target: _Target = "x86_64",
    level: _Level = "Oz",
    licence: _Licence = None,
    jobs: _Jobs = None,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="Hash what is in the cache, and make again what is wrong."
        ),
    ] = False,
) -> None:
    """Download and compile programs of the package index into the cache."""
    from mlcompiler_gym.programs import pypi

    variant = Variant.of(target, level)
    report = pypi.fetch(
        _packages(what, licence),
        architecture=variant.architecture,
        level=variant.level,
        jobs=jobs,
        verify=verify,
    )
    typer.echo(str(report))
    if report.failures:
        raise typer.Exit(1)


def _packages(what: list[str], licences: list[str] | None) -> list[str]:
    """Names of the packages that a user means, in order, each once."""
    from mlcompiler_gym.programs import pypi

    wanted: dict[str, None] = {}
    for each in what:
        name, _, split = each.partition(":")
        if name == "pypi":
            if split and split not in SPLITS:
                raise ProgramError(f"pypi has the splits {', '.join(SPLITS)}")
            chosen = [p.name for p in pypi.packages(split or None, licences=licences)]
        else:
            package = package_of(name).removeprefix("pypi/")
            known = [p.name for p in pypi.packages(licences=licences)]
            if not name.startswith("pypi/") or package not in known:
                raise ProgramError(
                    f"nothing to fetch for {each!r}: name pypi, pypi:train or one "
                    f"of its packages, as in pypi/lz4; there are: {', '.join(known)}"
                )
            chosen = [package]
        wanted.update(dict.fromkeys(chosen))
    return list(wanted)


@programs.command()
def extract(
    source: Annotated[
        list[Path],
        typer.Argument(
            help="compile_commands.json of a build; or objects, executables and "
            "archives that hold bitcode."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write.")],
    level: _Level = "Oz",
    jobs: _Jobs = None,
    resume: Annotated[
        bool, typer.Option(help="Keep what an earlier run made and is still true.")
    ] = True,
) -> None:
    """Make programs of your own code."""
    from mlcompiler_gym.programs.embedded import extract_embedded
    from mlcompiler_gym.programs.extract import extract as extract_build

    Variant.of(None, level)
    databases = [path for path in source if path.suffix == ".json"]
    if len(source) == 1 and databases:
        report = extract_build(source[0], output, level=level, jobs=jobs, resume=resume)
        typer.echo(str(report))
        failed = not report.made and not report.kept
    elif databases:
        raise ProgramError("give one compile_commands.json, and nothing else with it")
    else:
        found = extract_embedded(source, output)
        typer.echo(f"{len(found)} programs found")
        failed = False
    if failed:
        raise typer.Exit(1)
    typer.echo(f"use them with programs={str(output)!r}")
