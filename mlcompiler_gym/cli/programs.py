# SPDX-License-Identifier: Apache-2.0
"""``mlcompiler-gym programs``: what there is to compile."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from mlcompiler_gym.cli.tables import Column, Table, ids, names, print_json, text
from mlcompiler_gym.cli.working import AsJson
from mlcompiler_gym.errors import ProgramError
from mlcompiler_gym.files import write_file
from mlcompiler_gym.programs import NAMED_SETS, known_sets, load_programs
from mlcompiler_gym.programs.catalogue import SPLITS, entries_of, read_catalogue
from mlcompiler_gym.programs.named_set import CatalogueSet, NamedSet, package_of
from mlcompiler_gym.programs.own_sets import OwnSet, find_set, name_set, sets_folder
from mlcompiler_gym.programs.variant import Variant

programs = typer.Typer(no_args_is_help=True, help="Programs to compile.")

_Target = Annotated[str, typer.Option(help="Architecture: x86_64 or aarch64.")]
_Level = Annotated[str, typer.Option(help="What it will be optimised for: Oz or O2.")]
_Licence = Annotated[
    list[str] | None,
    typer.Option(help="Only programs with this licence; may be repeated."),
]
_Jobs = Annotated[
    int | None, typer.Option(min=1, help="Compilers at once [all processors].")
]


class _SplitBy(enum.StrEnum):
    FOLDER = "folder"
    TARGET = "target"


@programs.command("list")
def list_programs(
    what: Annotated[
        str | None, typer.Argument(help="A set or a split: kernels, pypi:train.")
    ] = None,
    target: _Target = "x86_64",
    level: _Level = "Oz",
    licence: _Licence = None,
    as_json: AsJson = False,
) -> None:
    """List all sets, or the programs of one."""
    if what is None:
        table = _table_of_sets()
    else:
        name, _, split = what.partition(":")
        table = _table_of_programs(
            name, split or None, Variant.of(target, level), licence
        )
    if as_json:
        print_json(table.records())
    else:
        table.print()


def _table_of_programs(
    name: str, split: str | None, variant: Variant, licences: list[str] | None
) -> Table:
    sets = known_sets()
    if name not in sets:
        raise ProgramError(f"no set {name!r}; there are: {', '.join(sets)}")
    named_set = sets[name]
    if isinstance(named_set, OwnSet):
        table = Table([*ids("program", "split"), *names("source", "object")])
        for each in named_set.entries(split):
            table.add(
                named_set.name_of(each), each.split, each.source, each.output or None
            )
        return table
    if not isinstance(named_set, CatalogueSet):
        raise ProgramError(
            f"there is no end of {name}: name any seed, as in {named_set.example}"
        )
    table = Table([*ids("program", "split"), *names("licence")])
    for entry in named_set.entries(variant, split, licences):
        table.add(entry.name, entry.split, entry.licence)
    return table


def _table_of_sets() -> Table:
    columns = [
        *ids("set"),
        *(Column(split, "number") for split in SPLITS),
        *names("licence"),
        text("what it is"),
    ]
    table = Table(columns)
    for named_set in known_sets().values():
        sizes = [_size(named_set, split) for split in SPLITS]
        table.add(named_set.name, *sizes, named_set.licence, named_set.description)
    return table


def _size(named_set: NamedSet, split: str) -> str:
    if isinstance(named_set, CatalogueSet):
        return str(len(entries_of(named_set.name, split)))
    if isinstance(named_set, OwnSet):
        return str(len(named_set.entries(split)))
    return "no end"


@programs.command()
def info(
    name: Annotated[str, typer.Argument(help="A program: pypi/lz4/lz4hc.")],
    target: Annotated[
        str | None, typer.Option(help="Architecture: x86_64 or aarch64.")
    ] = None,
    level: _Level = "Oz",
) -> None:
    """Say what is known of one program."""
    own = find_set(name.partition("/")[0])
    for each in own.entries() if own else ():
        if own is not None and own.name_of(each) == name:
            _say("split", each.split)
            _say("source", each.source)
            _say("object", each.output or "not known")
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
        list[str],
        typer.Argument(
            help="pypi, pypi:train, pypi/PACKAGE, apps, apps:train or apps/NAME."
        ),
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
    """Titles of the packages that a user means, in order, each once."""
    from mlcompiler_gym.programs import pypi

    fetched = {"pypi": pypi.packages, "apps": pypi.apps}
    wanted: dict[str, None] = {}
    for each in what:
        name, _, split = each.partition(":")
        if name in fetched:
            if split and split not in SPLITS:
                raise ProgramError(f"{name} has the splits {', '.join(SPLITS)}")
            chosen = fetched[name](split or None, licences=licences)
        else:
            title = package_of(name).removeprefix("pypi/")
            known = {
                package.title: package
                for packages in fetched.values()
                for package in packages(licences=licences)
            }
            if not name.startswith(("pypi/", "apps/")) or title not in known:
                raise ProgramError(
                    f"nothing to fetch for {each!r}. Name pypi, apps, a split as in "
                    "pypi:train, or one of these: " + ", ".join(known)
                )
            chosen = [known[title]]
        wanted.update(dict.fromkeys(package.title for package in chosen))
    return list(wanted)


@programs.command("profile")
def profile_program(
    name: Annotated[str, typer.Argument(help="A program that runs: kernels/regex.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Bitcode file to write.")
    ],
    arguments: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            help="Arguments of a run, split at blanks; may be repeated [the first of "
            "the program's own].",
        ),
    ] = None,
    level: _Level = "Oz",
) -> None:
    """Run a program, and write its bitcode with how often each block was executed."""
    from mlcompiler_gym.measuring import profile

    inputs = [each.split() for each in arguments] if arguments else None
    program = load_programs(name, level=level).named(name)
    made = profile(program, inputs)
    write_file(output, made.bitcode)
    typer.echo(f"use it with programs={str(output)!r}")


@programs.command()
def extract(
    source: Annotated[
        list[Path],
        typer.Argument(
            help="compile_commands.json of a build; or objects, executables and "
            "archives that hold bitcode."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder to write [of your data]."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="Name of the set: programs=NAME and NAME:train then work."),
    ] = None,
    level: _Level = "Oz",
    split_by: Annotated[
        _SplitBy, typer.Option(help="What stays together in splits.")
    ] = _SplitBy.FOLDER,
    jobs: _Jobs = None,
    resume: Annotated[
        bool, typer.Option(help="Keep what an earlier run made and is still true.")
    ] = True,
) -> None:
    """Make a set of programs of your own code."""
    from mlcompiler_gym.programs.embedded import extract_embedded
    from mlcompiler_gym.programs.extract import extract as extract_build

    if output is None:
        if name is None:
            raise typer.BadParameter("say --name NAME, or --output FOLDER, or both")
        output = sets_folder().with_name("extracted") / name
    output = Path(output)
    Variant.of(None, level)
    databases = [path for path in source if path.suffix == ".json"]
    if len(source) == 1 and databases:
        report = extract_build(
            source[0],
            output,
            level=level,
            jobs=jobs,
            resume=resume,
            by_target=split_by == _SplitBy.TARGET,
        )
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
    if name is not None:
        name_set(name, output, NAMED_SETS)
    typer.echo(f"use them with programs={name or str(output)!r}")
