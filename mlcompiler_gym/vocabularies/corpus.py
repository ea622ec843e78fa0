# SPDX-License-Identifier: Apache-2.0
"""Triplets of many programs, counted once and kept."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from mlcompiler_gym.files import write_file
from mlcompiler_gym.programs import Program, load_programs
from mlcompiler_gym.programs.named_set import package_of
from mlcompiler_gym.vocabularies.errors import VocabularyError
from mlcompiler_gym.vocabularies.kinds import Kind, Level
from mlcompiler_gym.vocabularies.triplets import (
    Triplet,
    compile_triplet_tool,
    ir_triplets,
    machine_triplets,
)

#: Names the folder of kept counts. Another number makes them all again; it is due
#: whenever the counting changes.
_FORMAT = 1


@dataclass
class Corpus:
    """Triplets of a set of programs, at all levels of a kind.

    Attributes:
        counts: How often each triplet occurs.
        programs: Names, sorted.
        left_out: Programs and levels at which a tool of LLVM failed, with the reason.
    """

    counts: Counter[Triplet] = field(default_factory=Counter)
    programs: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def choose(
    names: Sequence[str],
    kind: Kind,
    level: Level,
    per_package: int | None,
    max_bytes: int | None = None,
) -> list[Program]:
    """Programs of the named sets, the same number at most of each package.

    The package's programs that are small enough are sorted by name, and evenly spaced
    ones are taken.
    """
    source = load_programs(list(names), target=kind.architecture, level=level.front_end)
    if source.size is None:
        raise VocabularyError(
            f"there is no end of the programs of {', '.join(names)}: name finite sets"
        )
    packages: dict[str, list[Program]] = {}
    for program in sorted(source, key=lambda program: program.name):
        if max_bytes is not None and len(program.bitcode) > max_bytes:
            continue
        # A kernel is a package of its own, and there are few of each.
        packages.setdefault(package_of(program.name), []).append(program)
    return [
        program
        for members in packages.values()
        for program in _spread(members, per_package)
    ]


def _spread(members: list[Program], limit: int | None) -> list[Program]:
    if limit is None or len(members) <= limit:
        return members
    return [members[index * len(members) // limit] for index in range(limit)]


def gather(
    names: Sequence[str],
    kind: Kind,
    *,
    work: Path,
    per_package: int | None,
    max_bytes: int | None = None,
    jobs: int,
    show: bool = True,
) -> Corpus:
    """Count the triplets of programs; triplets that ``work`` has are not made again.

    Args:
        names: Sets, splits or programs, as :func:`load_programs` takes them.
        kind: What for.
        work: Folder for what is done so far.
        per_package: Programs of each package at most.
        max_bytes: Larger bitcode is left out.
        jobs: Tools at once.
        show: Whether to draw a progress bar.

    Raises:
        VocabularyError: Nothing could be made of any program.
    """
    from mlcompiler_gym.programs.progress import progress_bar

    tool = compile_triplet_tool(work) if kind.is_machine else work
    tasks = [
        (program, level)
        for level in kind.levels
        for program in choose(names, kind, level, per_package, max_bytes)
    ]
    corpus = Corpus(programs=sorted({program.name for program, _ in tasks}))

    def count(task: tuple[Program, Level]) -> Counter[Triplet] | str:
        return counts_of(*task, kind, tool, work)

    bar = progress_bar(len(tasks), "triplets", unit="module", enabled=show)
    pool = ThreadPoolExecutor(jobs)
    try:
        for (program, level), result in zip(tasks, pool.map(count, tasks), strict=True):
            bar.update()
            if isinstance(result, str):
                corpus.left_out.append(f"{program.name} at {level}: {result}")
            else:
                corpus.counts.update(result)
    finally:
        pool.shutdown(cancel_futures=True)
        bar.close()
    if not corpus.counts:
        raise VocabularyError(
            "no triplets: LLVM's tools failed for all programs, first for "
            + corpus.left_out[0]
        )
    return corpus


def counts_of(
    program: Program, level: Level, kind: Kind, tool: Path, work: Path
) -> Counter[Triplet] | str:
    """Counts, kept or new; what the tool said if it failed."""
    name = "-".join(str(level).replace(",", "").replace("+", "").split())
    file = work / f"triplets-{_FORMAT}" / kind.name / name / program.sha256.hex()
    if file.is_file():
        kept = json.loads(file.read_bytes())
        return Counter({(h, r, t): count for h, r, t, count in kept})
    try:
        if kind.is_machine:
            counts = machine_triplets(program.bitcode, kind, level, tool)
        else:
            counts = ir_triplets(program.bitcode, level)
    except VocabularyError as error:
        return str(error).splitlines()[0]
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [[*triplet, count] for triplet, count in sorted(counts.items())]
    write_file(file, json.dumps(rows).encode())
    return counts
