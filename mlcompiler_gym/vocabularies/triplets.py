# SPDX-License-Identifier: Apache-2.0
"""Triplets of one module: which entities stand in which relation, and how often.

Relations are those of ``llvm-ir2vec``: ``Type`` (an opcode and its type), ``Next``
(an opcode and the one after it) and ``Arg0``, ``Arg1``, ... (an opcode and what its
operands are).
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from pathlib import Path

from mlcompiler_gym.vocabularies.kinds import Kind, Level
from mlcompiler_gym.vocabularies.tools import run_tool

#: Head, relation, tail.
Triplet = tuple[str, str, str]

#: Later operands (of calls, PHIs, switches) are all alike.
_LAST_ARGUMENT = 7

_INSTRUCTION = re.compile(r"^  (?:%\S+ = )?(?:(?:tail|musttail|notail) )?([a-z]+)\b")
_COMPARISON = re.compile(
    r"^  %\S+ = ([if]cmp) "
    r"(?:(?:samesign|nnan|ninf|nsz|arcp|contract|afn|reassoc|fast) )*"
    r"([a-z]+) (ptr )?.*, (\S+?)(?:, !.*)?$"
)


def compile_triplet_tool(folder: Path) -> Path:
    """Build the reader of machine IR beside this file, if it is not there yet.

    Raises:
        VocabularyError: clang++-22 or LLVM's headers are missing.
    """
    source = Path(__file__).with_name("mir_triplets.cpp")
    tool = folder / "mir-triplets"
    if tool.exists() and tool.stat().st_mtime >= source.stat().st_mtime:
        return tool
    flags = run_tool(["llvm-config-22", "--cxxflags", "--ldflags", "--libs"]).decode()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as workplace:
        made = Path(workplace, tool.name)
        run_tool(["clang++-22", "-O1", str(source), *flags.split(), "-o", str(made)])
        made.replace(tool)
    return tool


def ir_triplets(bitcode: bytes, level: Level) -> Counter[Triplet]:
    """Triplets of a module's IR after ``opt``."""
    optimised = optimise(bitcode, level)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "module.bc")
        file.write_bytes(optimised)
        listing = run_tool(["llvm-ir2vec-22", "triplets", str(file)]).decode()
    entities = run_tool(["llvm-ir2vec-22", "entities"]).decode().splitlines()[1:]
    names = [line.split("\t")[0] for line in entities]
    counts: Counter[Triplet] = Counter()
    # The first line is the highest relation.
    for line, count in Counter(listing.splitlines()[1:]).items():
        head, tail, relation = (int(field) for field in line.split("\t"))
        counts[names[head], _relation(relation), names[tail]] += count
    text = run_tool(["llvm-dis-22", "-o", "-"], optimised).decode(errors="replace")
    counts.update(predicate_triplets(text, names))
    return counts


def predicate_triplets(text: str, entities: list[str]) -> Counter[Triplet]:
    """What LLVM's tool leaves out: triplets of comparisons' predicates.

    IR2Vec has a vector for each predicate and adds it like an operand's. Here
    ``ICMP_slt`` is the third operand of ``ICmp``; it follows what comes before the
    comparison and precedes what comes after it, and has its second operand.

    Args:
        text: A module, as llvm-dis prints it.
        entities: Names of all entities.
    """
    opcodes = {name.lower(): name for name in reversed(entities)}
    counts: Counter[Triplet] = Counter()
    previous, predicate = "", ""
    for line in text.splitlines():
        if line.startswith("define"):
            previous = predicate = ""
        found = _INSTRUCTION.match(line)
        opcode = opcodes.get(found.group(1), "") if found else ""
        if not opcode:
            continue
        if predicate:
            counts[predicate, "Next", opcode] += 1
        predicate = ""
        if comparison := _COMPARISON.match(line):
            name, condition, pointer, operand = comparison.groups()
            predicate = f"{name.upper()}_{condition}"
            counts[opcode, "Arg2", predicate] += 1
            if pointer:
                kind = "Pointer"
            else:
                kind = "Variable" if operand.startswith("%") else "Constant"
            counts[predicate, "Arg1", kind] += 1
            if previous:
                counts[previous, "Next", predicate] += 1
        previous = opcode
    return counts


def machine_triplets(
    bitcode: bytes, kind: Kind, level: Level, tool: Path
) -> Counter[Triplet]:
    """Triplets of a module's machine IR, at all stages together."""
    optimised = optimise(bitcode, level)
    effort = "-O0" if level.pipeline == "O0" else "-O2"
    counts: Counter[Triplet] = Counter()
    for stage in level.stages:
        command = ["llc-22", effort, f"-stop-after={stage}", "-o", "-"]
        if level.features:
            command.append(f"-mattr={level.features}")
        machine_ir = run_tool(command, optimised)
        for line in run_tool([str(tool)], machine_ir).decode().splitlines():
            head, relation, tail, count = line.split("\t")
            if relation != "Next":
                relation = _argument(int(relation.removeprefix("Arg")))
            counts[head, relation, tail] += int(count)
    return counts


def optimise(bitcode: bytes, level: Level) -> bytes:
    """Run ``opt`` on a module."""
    return run_tool(["opt-22", f"-passes=default<{level.pipeline}>"], bitcode)


def _relation(number: int) -> str:
    return ("Type", "Next")[number] if number < 2 else _argument(number - 2)


def _argument(index: int) -> str:
    return f"Arg{min(index, _LAST_ARGUMENT)}"
