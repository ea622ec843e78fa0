# SPDX-License-Identifier: Apache-2.0
"""A decision in words: the facts, the code around it, and the names of the actions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.envs.actions import Action, ChoiceActions
from mlcompiler_gym.envs.errors import InvalidActionError
from mlcompiler_gym.suggest import did_you_mean

#: Lines of code that are shown before and behind the one that matters.
_AROUND = 4
#: Lines of a piece of code at most.
_MOST_LINES = 14
#: What ends an instruction's own text.
_NUMBERED = re.compile(r" #\d|, !")


@dataclass(frozen=True)
class Code:
    """A piece of the program.

    Attributes:
        title: What it is.
        lines: As LLVM prints them; ``"..."`` where lines are left out.
        marked: Places of the lines that the decision is about.
    """

    title: str
    lines: tuple[str, ...]
    marked: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Scene:
    """What LLVM is stopped at.

    Attributes:
        facts: Names and values, in order.
        code: The code that the decision is about.
        actions: What each legal action is called, by action. Empty if an action is a
            number, or several choices at once.
    """

    facts: tuple[tuple[str, str], ...]
    code: tuple[Code, ...]
    actions: Mapping[int, str]


def scene_of(env: CompilerEnv) -> Scene:
    """Describe the decision that an environment is stopped at.

    Raises:
        ResetNeededError: There is no episode under way.
        ServiceError: The session has ended.
    """
    decision: dict[str, Any] = json.loads(
        cast(str, env.observe("decision")["decision"])
    )
    return Scene(
        tuple(_facts(decision)),
        tuple(_code(env, decision)),
        _name_actions(env, decision),
    )


def _facts(decision: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The fields that fit a line."""
    for name, value in sorted(decision.items()):
        if isinstance(value, bool):
            yield name.replace("_", " "), "yes" if value else "no"
        elif isinstance(value, (int, str)):
            yield name.replace("_", " "), str(value)
        elif isinstance(value, float):
            yield name.replace("_", " "), f"{value:.6g}"
    if isinstance(allowed := decision.get("may_be"), dict):
        for name, values in sorted(allowed.items()):
            shown = (("LLVM's" if v is None else str(v)) for v in values)
            yield f"{name} may be", ", ".join(shown)


def _code(env: CompilerEnv, decision: Mapping[str, Any]) -> Iterator[Code]:
    if "call" in decision:
        ir = cast(str, env.observe("ir")["ir"])
        caller, callee = decision["caller"], decision["callee"]
        yield _around(
            f"the call in @{caller}", function_text(ir, caller), [decision["call"]]
        )
        yield _beginning(f"the callee, @{callee}", function_text(ir, callee))
    elif "virtual_register" in decision:
        register = decision["virtual_register"]
        mir = cast(str, env.observe("mir")["mir"]).splitlines()
        pattern = re.compile(re.escape(register) + r"\b")
        named = [line for line in mir if pattern.search(line)]
        yield _around(f"where {register} is used", mir, named, around=0)
    elif "nodes" in decision:
        yield _nodes(decision)
    elif "body" in decision:
        yield _beginning(f"the loop {decision['loop']}", decision["body"])


def function_text(ir: str, name: str) -> list[str]:
    """The lines of a function's definition; empty if there is none of that name."""
    head = re.compile(rf'^define [^\n]*@"?{re.escape(name)}"?\(', re.MULTILINE)
    found = head.search(ir)
    if found is None:
        return []
    end = ir.find("\n}", found.start())
    return [*ir[found.start() : end].split("\n"), "}"]


def _around(
    title: str, lines: Sequence[str], wanted: Sequence[str], around: int = _AROUND
) -> Code:
    """The wanted lines and their neighbours."""
    # Numbers of attributes and metadata differ between a module and one instruction.
    sought = {_NUMBERED.split(line.strip())[0] for line in wanted}
    places = [
        place
        for place, line in enumerate(lines)
        if _NUMBERED.split(line.strip())[0] in sought
    ]
    shown: list[str] = []
    marked: set[int] = set()
    last = -1
    for place in places:
        if len(shown) >= _MOST_LINES:
            shown.append("...")
            break
        for each in range(max(last + 1, place - around), place + 1):
            if each > last + 1 and each == place - around:
                shown.append("...")
            shown.append(lines[each])
            last = each
        marked.add(len(shown) - 1)
    shown += lines[last + 1 : last + 1 + around] if places else []
    return Code(title, tuple(shown), frozenset(marked))


def _beginning(title: str, lines: Sequence[str]) -> Code:
    shown = list(lines[:_MOST_LINES])
    if len(lines) > len(shown):
        shown.append(f"... and {len(lines) - len(shown)} more lines")
    return Code(title, tuple(shown))


def _nodes(decision: Mapping[str, Any]) -> Code:
    """The statements of a loop, and which loop each of them is in."""
    lines: list[str] = []
    marked: set[int] = set()
    groups = decision["groups"]
    for node, (group, body) in enumerate(zip(groups, decision["nodes"], strict=True)):
        where = "not decided" if group is None else f"loop {group}"
        if node in decision.get("next", ()):
            marked.add(len(lines))
            where = "next"
        lines.append(f"node {node} ({where}): {'; '.join(body)}")
    for edge in decision.get("edges", ()):
        lines.append(f"dependence: {json.dumps(edge)}")
    return Code(f"the loop {decision['loop']}", tuple(lines), frozenset(marked))


def _name_actions(env: CompilerEnv, decision: Mapping[str, Any]) -> dict[int, str]:
    """Legal actions by their meanings; registers by their names."""
    meanings = list(env.setup.actions.meanings)
    if not meanings:
        return {}
    for place, column in enumerate(decision.get("columns", ())):
        evicted = ", ".join(
            f"{each['virtual_register']} (weight {each['spill_weight']:.4g})"
            for each in column["evicts"]
        )
        meanings[place] = f"{column['register']}: evict {evicted or 'nothing'}"
    legal = np.flatnonzero(env.action_masks())
    return {int(action): meanings[action] for action in legal}


def parse_action(env: CompilerEnv, scene: Scene, text: str) -> Any:
    """The action that a text means.

    Args:
        env: Stopped at the decision.
        scene: The scene of the decision.
        text: The action's number or name, or a part of the name that no other action
            has. For several choices at once, ``"name=value name=value"``; the others
            are left to LLVM. For an action that is a number, the number.

    Raises:
        InvalidActionError: It means no action, or more than one.
    """
    said = text.strip()
    if isinstance(env.setup.actions, ChoiceActions):
        return _parse_choices(env.setup.actions, said)
    if not scene.actions:
        try:
            return np.array([float(said)], np.float32)
        except ValueError:
            raise InvalidActionError(f"{said!r} is not a number") from None
    return _parse_name(scene.actions, said)


def _parse_name(actions: Mapping[int, str], said: str) -> int:
    if said.isdecimal() and int(said) in actions:
        return int(said)
    if (combined := _parse_parts(actions, said)) is not None:
        return combined
    wanted = said.casefold()
    names = {action: name.casefold() for action, name in actions.items()}
    for matches in (str.__eq__, str.startswith, str.__contains__):
        found = [a for a, name in names.items() if wanted and matches(name, wanted)]
        if len(found) == 1:
            return found[0]
        if found:
            close = ", ".join(repr(actions[action]) for action in found[:5])
            raise InvalidActionError(f"{said!r} may mean {close}; say more of it")
    listed = ", ".join(f"{a} ({name})" for a, name in list(actions.items())[:10])
    more = len(actions) - 10
    raise InvalidActionError(
        f"{said!r} is no legal action; {did_you_mean(said, actions.values())}"
        f"There are: {listed}" + (f" and {more} more" if more > 0 else "")
    )


def _parse_parts(actions: Mapping[int, str], said: str) -> int | None:
    """The action that has all parts said, and leaves the others to LLVM.

    ``"width 8, unroll 4"`` is ``"width 8, interleave LLVM's, unroll 4"``.
    """
    parts = {part.strip().replace("=", " ") for part in said.split(",")}
    for action, name in actions.items():
        left = set(name.split(", ")) - parts
        if len(left) + len(parts) == name.count(", ") + 1 and all(
            part.endswith(" LLVM's") for part in left
        ):
            return action
    return None


def _parse_choices(actions: ChoiceActions, said: str) -> Any:
    choices = {choice.name: choice for choice in actions.choices}
    values = dict.fromkeys(choices, 0)
    for word in said.split():
        name, equals, value = word.partition("=")
        if not equals or name not in choices:
            raise InvalidActionError(
                f"{word!r} is no choice; {did_you_mean(name, choices)}Write "
                f"name=value, as in {next(iter(choices))}=VALUE"
            )
        meanings = list(choices[name].meanings)
        if value not in meanings:
            raise InvalidActionError(
                f"{name} is one of {', '.join(meanings)}; not {value!r}"
            )
        values[name] = meanings.index(value)
    return actions.compose(list(values.values()))


def name_action(env: CompilerEnv, scene: Scene, action: Any) -> str:
    """What an action, as the space has it, is called at a decision."""
    checked: Action = env.setup.actions.check(action)
    if isinstance(checked, int) and checked in scene.actions:
        return scene.actions[checked]
    if isinstance(checked, float):
        return f"{checked:.10g}"
    return env.setup.actions.meaning(checked)
