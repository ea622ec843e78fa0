# SPDX-License-Identifier: Apache-2.0
"""Modules as the probes see them: what is in them, and what is predicted from it."""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mlcompiler_gym.files import write_file
from mlcompiler_gym.programs import Program
from mlcompiler_gym.programs.named_set import package_of
from mlcompiler_gym.programs.progress import progress_bar
from mlcompiler_gym.vocabularies.corpus import choose, counts_of
from mlcompiler_gym.vocabularies.errors import VocabularyError
from mlcompiler_gym.vocabularies.kinds import Kind, Level
from mlcompiler_gym.vocabularies.tools import run_tool
from mlcompiler_gym.vocabularies.triplets import Triplet, compile_triplet_tool, optimise

#: LLVM's weights of types and of operands, if the opcode's is 1.
_IR_WEIGHTS = {"Type": 0.5, "Arg": 0.2}

#: Every kind has it.
_MEASURED = Level("Oz", "Oz")

#: Mangled names of C++ functions that are defined, in llvm-dis's words.
_CXX = re.compile(r"^define [^@]*@_Z", re.MULTILINE)


@dataclass(frozen=True)
class Module:
    """One program at one level.

    Attributes:
        program: Its name.
        package: The module's package.
        level: At which it was compiled.
        weights: Weight of each entity in the module's vector, over all instructions.
        instructions: Their number.
        text_size: Bytes of ``.text`` that ``llc -O2`` makes of it; measured at Oz
            only, and 0 at all other levels.
        is_cxx: Whether it defines functions with C++'s names.
    """

    program: str
    package: str
    level: str
    weights: dict[str, float]
    instructions: int
    text_size: int
    is_cxx: bool


def entity_weights(
    counts: Counter[Triplet], kind: Kind
) -> tuple[dict[str, float], int]:
    """Weights of entities in a module's vector, and its number of instructions.

    IR2Vec's vector of a module (all functions together) is the sum of
    ``weight * vector``. For machine IR, the first instruction of each function is
    missing, since triplets do not tell which it is.
    """
    weights: Counter[str] = Counter()
    instructions = 0
    for (head, relation, tail), count in counts.items():
        if kind.is_machine:
            weights[tail] += count
            instructions += count * (relation == "Next")
        elif relation == "Type":
            weights[head] += count
            weights[tail] += _IR_WEIGHTS["Type"] * count  # type: ignore[assignment]
            instructions += count
        elif relation != "Next" and "CMP_" not in head:
            weights[tail] += _IR_WEIGHTS["Arg"] * count  # type: ignore[assignment]
    return dict(weights), instructions


def gather_modules(
    names: Sequence[str],
    kind: Kind,
    *,
    work: Path,
    per_package: int | None,
    max_bytes: int | None = None,
    jobs: int,
    show: bool = True,
) -> list[Module]:
    """Compile and measure programs; what ``work`` has is not made again.

    Arguments as of :func:`corpus.gather`. Modules that a tool fails for, and those
    without code, are left out.
    """
    tool = compile_triplet_tool(work) if kind.is_machine else work
    tasks = [
        (program, level)
        for level in kind.levels
        for program in choose(names, kind, level, per_package, max_bytes)
    ]

    def measure(program: Program) -> tuple[int, bool]:
        try:
            return _measured(program, kind, work)
        except VocabularyError:
            return 0, False

    def make(task: tuple[Program, Level]) -> Module | None:
        program, level = task
        counts = counts_of(program, level, kind, tool, work)
        if isinstance(counts, str):
            return None
        weights, instructions = entity_weights(counts, kind)
        text_size, is_cxx = measured.get(program.name, (0, False))
        if not instructions or not text_size:
            return None
        size = text_size if level.pipeline == _MEASURED.pipeline else 0
        package = package_of(program.name)
        return Module(
            program.name, package, level.pipeline, weights, instructions, size, is_cxx
        )

    smallest = [p for p, level in tasks if level.pipeline == _MEASURED.pipeline]
    bar = progress_bar(len(tasks), "modules", unit="module", enabled=show)
    pool = ThreadPoolExecutor(jobs)
    modules = []
    try:
        sizes = pool.map(measure, smallest)
        measured = dict(zip((p.name for p in smallest), sizes, strict=True))
        for module in pool.map(make, tasks):
            bar.update()
            if module is not None:
                modules.append(module)
    finally:
        pool.shutdown(cancel_futures=True)
        bar.close()
    return modules


def _measured(program: Program, kind: Kind, work: Path) -> tuple[int, bool]:
    """Bytes of ``.text`` at Oz, and whether it is C++."""
    folder = f"{kind.architecture}-{_MEASURED.front_end}-{_MEASURED.pipeline}"
    file = work / "sizes" / folder / program.sha256.hex()
    if not file.is_file():
        optimised = optimise(program.bitcode, _MEASURED)
        code = run_tool(["llc-22", "-O2", "-filetype=obj", "-o", "-"], optimised)
        with tempfile.NamedTemporaryFile() as object_file:
            object_file.write(code)
            object_file.flush()
            listing = run_tool(["llvm-size-22", "-A", object_file.name]).decode()
        size = sum(
            int(line.split()[1])
            for line in listing.splitlines()
            if line.startswith(".text")
        )
        text = run_tool(["llvm-dis-22", "-o", "-"], program.bitcode)
        is_cxx = _CXX.search(text.decode(errors="replace")) is not None
        file.parent.mkdir(parents=True, exist_ok=True)
        write_file(file, json.dumps([size, is_cxx]).encode())
    size, is_cxx = json.loads(file.read_bytes())
    return size, is_cxx
