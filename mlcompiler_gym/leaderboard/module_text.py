# SPDX-License-Identifier: Apache-2.0
"""The text of a module, function by function, and what changes in it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import TypeAlias

#: Lines in front of what is decided on and behind it.
_AROUND = 6
#: Lines of a change that are shown.
_CHANGED = 40
#: Characters of a line.
_WIDTH = 160

#: How a decision quotes an instruction.
_INSTRUCTION = re.compile(r"%\S+ = |store |([a-z]*tail )?call |invoke ")
_NAME = re.compile(r'@("[^"]*"|[^\s("]+)\(')
#: Numbers of attributes and of metadata, which move in all functions when one changes.
_NUMBER = re.compile(r"(?<= )[#!][0-9]+\b")
#: How lines outside of functions begin that are attributes, metadata and comments.
_APART = ("attributes ", "!", ";")

#: The text of each function by its name; without a name, that of all else.
ModuleText: TypeAlias = Mapping[str, str]


def split(ir: str) -> ModuleText:
    """The functions of a module, in its order."""
    functions = {"": ""}
    others = []
    for part in ir.split("\n}\n"):
        # What lies between two functions is parted from the second by an empty line.
        head, define, body = part.rpartition("\ndefine ")
        if not define and part.startswith("define "):
            head, define, body = "", "define ", part.removeprefix("define ")
        name = _NAME.search(body) if define else None
        if name is None:
            others.append(part)
            continue
        between, _, comment = head.rpartition("\n\n")
        others.append(between)
        functions[name[1].strip('"')] = f"{comment}{define}{body}\n}}".lstrip("\n")
    functions[""] = "\n".join(others)
    return functions


def around(module: ModuleText, about: Mapping[str, str]) -> tuple[str, ...]:
    """The lines around the one that a decision quotes, if it quotes one.

    Args:
        module: As it stands.
        about: What is decided on, by the name of each thing.
    """
    quoted = next((each for each in about.values() if _INSTRUCTION.match(each)), None)
    if quoted is None:
        return ()
    # The same line may be in other functions.
    function = module.get(about.get("caller", about.get("function", "")), "")
    lines = function.split("\n")
    begin = quoted.partition("\n")[0]
    for number, line in enumerate(lines):
        if line.strip().startswith(begin):
            first = max(0, number - _AROUND)
            return tuple(map(cut, lines[first : number + _AROUND + 1]))
    return ()


def change(before: ModuleText, after: ModuleText) -> tuple[str, ...]:
    """Lines that are gone ("-") or new ("+"), below the name of their function.

    Lines that differ only in the numbers of attributes and metadata are the same.
    """
    if before is after:
        return ()
    found = list(_changes(before, after))
    more = len(found) - _CHANGED
    return tuple(found[:_CHANGED] + ([f"… and {more} lines more"] if more > 0 else []))


def _changes(before: ModuleText, after: ModuleText) -> Iterator[str]:
    for name in {**before, **after}:
        old, new = before.get(name, ""), after.get(name, "")
        if old == new:
            continue
        lines = list(_differences(_lines(old, name), _lines(new, name)))
        if lines and name:
            yield f"@{name}"
        yield from lines


def _lines(text: str, name: str) -> list[str]:
    lines = text.splitlines()
    if name:
        return lines
    return [line for line in lines if line and not line.startswith(_APART)]


def _differences(old: list[str], new: list[str]) -> Iterator[str]:
    plain, other = ([_NUMBER.sub("", line) for line in each] for each in (old, new))
    matcher = difflib.SequenceMatcher(None, plain, other)
    for tag, old_begin, old_end, new_begin, new_end in matcher.get_opcodes():
        if tag != "equal":
            yield from (f"-{cut(line)}" for line in old[old_begin:old_end])
            yield from (f"+{cut(line)}" for line in new[new_begin:new_end])


def cut(text: str) -> str:
    """A line, no longer than it is shown."""
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"
