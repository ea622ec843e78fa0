# SPDX-License-Identifier: Apache-2.0
"""``mlcompiler-gym vocabulary``: seed embeddings for IR2Vec and MIR2Vec."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean, stdev
from typing import Annotated

import typer

from mlcompiler_gym import vocabularies
from mlcompiler_gym.vocabularies.kinds import kind_named

vocabulary = typer.Typer(
    no_args_is_help=True, help="Seed embeddings for IR2Vec and MIR2Vec."
)


#: Options of every command that looks at programs.
PerPackage = Annotated[
    int | None, typer.Option(min=1, help="Programs of each package at most [all].")
]
MaxBytes = Annotated[int | None, typer.Option(min=1, help="Leave out larger bitcode.")]
Work = Annotated[
    Path | None,
    typer.Option(help="Folder for what is done so far [in the user's cache]."),
]
Jobs = Annotated[int, typer.Option(min=1, help="LLVM tools at once.")]


@vocabulary.command("list")
def list_vocabularies() -> None:
    """List the vocabularies that are shipped, with the paths of their files."""
    known = vocabularies.names()
    width = max(map(len, known), default=0)
    for name in known:
        typer.echo(f"{name:{width}}  {vocabularies.path(name)}")


@vocabulary.command()
def info(
    name: Annotated[str, typer.Argument(help="A vocabulary: ir2vec-75d.")],
) -> None:
    """Print how a vocabulary was made."""
    typer.echo(json.dumps(vocabularies.card(name), indent=2))


@vocabulary.command()
def train(
    kind: Annotated[
        str,
        typer.Option(help="ir2vec, mir2vec-x86-64 or mir2vec-aarch64."),
    ],
    dim: Annotated[int, typer.Option(min=1, help="Dimension of the vectors.")],
    programs: Annotated[
        list[str] | None,
        typer.Option(help="A set, a split or a program; may be repeated [pypi:train]."),
    ] = None,
    per_package: PerPackage = None,
    max_bytes: MaxBytes = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the triplets.")] = 20,
    samples: Annotated[int, typer.Option(min=1, help="Triplets per epoch.")] = 50_000,
    seed: Annotated[int, typer.Option(min=0, help="Of everything drawn.")] = 0,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the file and its card.")
    ] = Path(),
    work: Work = None,
    jobs: Jobs = 2,
) -> None:
    """Train a vocabulary with TransE, on triplets of real programs.

    Interrupted, it goes on where it was. Programs of pypi must have been fetched, for
    the architecture and both levels, Oz and O2.
    """
    from mlcompiler_gym.programs.pypi.cache import cache_root
    from mlcompiler_gym.vocabularies.train import train as train_vocabulary
    from mlcompiler_gym.vocabularies.transe import Settings

    path = train_vocabulary(
        kind,
        programs or ["pypi:train"],
        Settings(dimension=dim, epochs=epochs, samples=samples, seed=seed),
        output=output,
        work=work or cache_root() / "vocabularies",
        per_package=per_package,
        max_bytes=max_bytes,
        jobs=jobs,
    )
    typer.echo(f"written: {path}, and its card {path.parent / 'cards' / path.name}")


@vocabulary.command()
def neighbours(
    name: Annotated[str, typer.Argument(help="A vocabulary: ir2vec-75d.")],
    entities: Annotated[list[str], typer.Argument(help="Entities: Add FMul Load.")],
    count: Annotated[int, typer.Option(min=1, help="Neighbours of each.")] = 5,
    seen: Annotated[
        bool, typer.Option(help="Only entities that training data had.")
    ] = True,
) -> None:
    """Print the entities with the most similar vectors, and the cosines."""
    from mlcompiler_gym.vocabularies.reading import nearest, read_vectors

    vectors = read_vectors(vocabularies.path(name))
    among = set(vocabularies.card(name)["seen"].split())
    for entity in entities:
        found = nearest(vectors, entity, count, among if seen else None)
        listing = ", ".join(f"{other} {cosine:.2f}" for other, cosine in found)
        typer.echo(f"{entity}: {listing}")


@vocabulary.command()
def probe(
    name: Annotated[
        str, typer.Argument(help="A vocabulary, or the path of a file: ir2vec-75d.")
    ],
    learn: Annotated[
        list[str] | None,
        typer.Option(help="Programs to learn from; may be repeated [pypi:train]."),
    ] = None,
    test: Annotated[
        list[str] | None,
        typer.Option(help="Programs to be told; may be repeated [pypi:validation]."),
    ] = None,
    per_package: PerPackage = None,
    max_bytes: MaxBytes = None,
    seeds: Annotated[int, typer.Option(min=2, help="Random vocabularies.")] = 10,
    work: Work = None,
    jobs: Jobs = 2,
) -> None:
    """Compare what programs' vectors tell with what random vectors do."""
    from mlcompiler_gym.programs.progress import progress_bar
    from mlcompiler_gym.programs.pypi.cache import cache_root
    from mlcompiler_gym.vocabularies.modules import gather_modules
    from mlcompiler_gym.vocabularies.probe import (
        class_of_neighbour,
        random_like,
        run_probes,
        table,
    )
    from mlcompiler_gym.vocabularies.reading import read_vectors

    path = Path(name) if name.endswith(".json") else vocabularies.path(name)
    kind = kind_named(path.stem.rpartition("-")[0])
    folder = work or cache_root() / "vocabularies"
    modules = [
        gather_modules(
            names,
            kind,
            work=folder,
            per_package=per_package,
            max_bytes=max_bytes,
            jobs=jobs,
        )
        for names in (learn or ["pypi:train"], test or ["pypi:validation"])
    ]
    vectors = read_vectors(path)
    bar = progress_bar(seeds + 2, "probes", unit="vocabulary", enabled=True)
    with bar:
        rows = run_probes(vectors, *modules, seeds=seeds, progress=bar.update)
    typer.echo(f"{len(modules[0])} modules to learn from, {len(modules[1])} to be told")
    typer.echo(table(rows))
    if not kind.is_machine and path == vocabularies.path(path.stem):
        seen = vocabularies.card(path.stem)["seen"].split()
        random = [
            class_of_neighbour(random_like(vectors, seed), seen)
            for seed in range(seeds)
        ]
        typer.echo(
            "nearest opcode or predicate is of the same class: "
            f"{class_of_neighbour(vectors, seen):.3f} trained, "
            f"{fmean(random):.3f} ± {stdev(random):.3f} random"
        )
