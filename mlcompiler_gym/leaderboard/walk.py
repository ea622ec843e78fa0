# SPDX-License-Identifier: Apache-2.0
"""Stepping through recorded decisions beside LLVM's own."""

from __future__ import annotations

import difflib
import itertools
import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlcompiler_gym.envs.actions import Action
from mlcompiler_gym.envs.errors import InvalidActionError
from mlcompiler_gym.errors import EvaluationError
from mlcompiler_gym.evaluation import Evaluation
from mlcompiler_gym.evaluation.player import make_env
from mlcompiler_gym.policies import Policy, heuristic, inactive
from mlcompiler_gym.programs import Program
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

#: Lines of IR in front of what is decided on and behind it.
_AROUND = 6
#: Lines of a change that are shown.
_CHANGED = 40
#: Characters of a line.
_WIDTH = 160


@dataclass(frozen=True)
class Step:
    """One decision.

    Attributes:
        ours: What was answered.
        llvm: What LLVM, or leaving everything as it is, would have answered; None
            where there is no such answer.
        about: What is decided on, by the name of each thing.
        context: The IR around it.
        change: Lines of IR that are gone ("-") or new ("+") at the next decision.
    """

    ours: str
    llvm: str | None
    about: dict[str, str]
    context: tuple[str, ...] = ()
    change: tuple[str, ...] = ()

    def __str__(self) -> str:
        about = ", ".join(f"{key} {value}" for key, value in self.about.items())
        return f"{self.ours} ({about})" if about else self.ours


@dataclass(frozen=True)
class Walk:
    """A compile.

    Attributes:
        value: The objective's value; None if the compiler did not survive it.
        taken: How many decisions there were.
        differing: Places at which it was decided otherwise than LLVM would have.
        steps: The first decisions, as many as were looked at.
    """

    value: float | None
    taken: int
    differing: tuple[int, ...]
    steps: tuple[Step, ...]


class Walker:
    """Walks through compiles of one track.

    Args:
        evaluation: Environment and settings.
        objective: Whose value counts.
    """

    def __init__(self, evaluation: Evaluation, objective: str) -> None:
        def played_by(policy: str) -> Evaluation:
            return Evaluation(evaluation.env_id, policy, evaluation.settings)

        try:
            self._env, self._compiler = make_env(played_by("llvm"))
        except EvaluationError:
            # There is no answer of LLVM's to show.
            self._env, self._compiler = make_env(played_by("random"))
        kind = self._compiler.setup.spec.kind
        self._open_ended = kind == pb.TaskSpec.OPEN_ENDED
        self._objective = objective

    def walk(
        self,
        program: Program,
        actions: Sequence[Action],
        places: Collection[int] | None = None,
        *,
        look: int = 0,
    ) -> Walk:
        """Compile once.

        Args:
            program: What is compiled.
            actions: As recorded.
            places: Where to act as recorded; elsewhere LLVM's own answer is taken.
                ``None``: everywhere.
            look: How many decisions to keep, with what each of them changes. That
                takes far longer than to take them.

        Raises:
            ValueError: There is no other answer than the recorded one at a place.
        """
        env = self._compiler
        observation, info = env.reset(options={"program": program})
        own = self._own()
        differing, steps, taken = [], [], 0
        ir = self._ir() if look else []
        over = "no_decision" in info
        for place in self._places(actions):
            if over:
                break
            default = None if own is None else own(observation, info)
            recorded = place < len(actions) and (places is None or place in places)
            action = actions[place] if recorded else default
            if action is None:
                raise ValueError("there is no answer but the recorded one")
            if default is not None and not np.array_equal(
                np.asarray(action, np.float64).ravel(),
                np.asarray(default, np.float64).ravel(),
            ):
                differing.append(place)
            looks = place < look
            about = self._about() if looks else {}
            context = _context(ir, about) if looks else ()
            try:
                result = env.step(action)
            except InvalidActionError:
                if default is None:
                    raise
                # What was decided before has changed what there is to decide here.
                action = default
                result = env.step(action)
            observation, _, terminated, truncated, info = result
            over = terminated or truncated
            taken += 1
            if looks:
                before, ir = ir, ([] if "error" in info else self._ir())
                steps.append(
                    Step(
                        self._meaning(action),
                        None if default is None else self._meaning(default),
                        about,
                        context,
                        _change(before, ir),
                    )
                )
        values = info.get("objective")
        if values is None and "error" not in info:
            values = env.baseline
        value = None if values is None else float(values[self._objective])
        return Walk(value, taken, tuple(differing), tuple(steps))

    def _places(self, actions: Sequence[Action]) -> Iterator[int]:
        """Where there may be a decision: without end if the compile has one."""
        if self._open_ended:
            return iter(range(len(actions)))
        return iter(range(1 << 30))

    def _own(self) -> Policy | None:
        """LLVM's own answers, or answers that leave everything as it is, if any."""
        if self._open_ended:
            return None
        for make in (heuristic, inactive):
            try:
                return make(self._env)
            except ValueError:
                continue
        return None

    def _meaning(self, action: Any) -> str:
        actions = self._compiler.setup.actions
        return actions.meaning(actions.check(action))

    def _about(self) -> dict[str, str]:
        """What is decided on, except tables."""
        if self._open_ended:
            return {}
        decision = json.loads(str(self._compiler.observe("decision")["decision"]))
        return {
            key.replace("_", " "): _cut(str(value))
            for key, value in decision.items()
            if isinstance(value, (str, int, float))
        }

    def _ir(self) -> list[str]:
        return str(self._compiler.observe("ir")["ir"]).splitlines()

    def close(self) -> None:
        """End the compile that is under way."""
        self._env.close()


def _context(ir: Sequence[str], about: dict[str, str]) -> tuple[str, ...]:
    """The lines around the one that a decision quotes."""
    quoted = [
        each for each in about.values() if re.match(r"(%\S+ = |store |call )", each)
    ]
    for number, line in enumerate(ir):
        if quoted and line.strip().startswith(quoted[0].rstrip("…")):
            first = max(0, number - _AROUND)
            return tuple(_cut(each) for each in ir[first : number + _AROUND + 1])
    return ()


def _change(before: Sequence[str], after: Sequence[str]) -> tuple[str, ...]:
    if not before or not after:
        return ()
    # Nearly all of a module stays as it is, and comparing it takes long.
    head = _same(zip(before, after, strict=False))
    rest = min(len(before), len(after)) - head
    tail = min(_same(zip(reversed(before), reversed(after), strict=False)), rest)
    old, new = (each[head : len(each) - tail] for each in (before, after))
    # Only the lines themselves: numbers of values move with each change.
    found = [
        _cut(line)
        for line in difflib.unified_diff(old, new, n=0, lineterm="")
        if line[:1] in "+-" and line[:3] not in ("+++", "---")
    ]
    more = len(found) - _CHANGED
    return tuple(found[:_CHANGED] + ([f"… and {more} lines more"] if more > 0 else []))


def _same(pairs: Iterable[tuple[str, str]]) -> int:
    """How many lines are the same, up to the first that differ."""
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def _cut(text: str) -> str:
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"
