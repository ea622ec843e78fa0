# SPDX-License-Identifier: Apache-2.0
"""Stepping through recorded decisions beside LLVM's own."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlcompiler_gym.envs.actions import Action
from mlcompiler_gym.envs.errors import InvalidActionError
from mlcompiler_gym.errors import EvaluationError, ServiceError
from mlcompiler_gym.evaluation import Evaluation
from mlcompiler_gym.evaluation.player import make_env
from mlcompiler_gym.leaderboard.module_text import (
    ModuleText,
    around,
    change,
    cut,
    split,
)
from mlcompiler_gym.leaderboard.typed import STRICT
from mlcompiler_gym.policies import Policy, heuristic, inactive
from mlcompiler_gym.programs import Program
from mlcompiler_gym.v1 import compiler_service_pb2 as pb


@dataclass(frozen=True)
class Step:
    """One decision.

    Attributes:
        ours: What was answered.
        llvm: What LLVM, or leaving everything as it is, would have answered; None
            where there is no such answer.
        differs: Whether that is another answer.
        about: What is decided on, by the name of each thing.
        context: The IR around it.
        change: Lines of IR that are gone ("-") or new ("+") at the next decision, below
            the name of their function; none where code is generated, which leaves the
            IR as it is.
    """

    __pydantic_config__ = STRICT

    ours: str
    llvm: str | None
    differs: bool
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
        differing: Places at which it was decided otherwise than LLVM would have.
    """

    value: float | None
    differing: tuple[int, ...]


@dataclass
class _Turn:
    """A decision at which the compiler is stopped.

    Attributes:
        action: The answer; once it is given, the one that was legal. None: there is
            none, and the compile can go no further.
        default: LLVM's own, if there is one.
    """

    action: Action | None
    default: Action | None

    @property
    def differs(self) -> bool:
        return self.default is not None and not np.array_equal(
            np.asarray(self.action, np.float64).ravel(),
            np.asarray(self.default, np.float64).ravel(),
        )


class Walker:
    """Walks through compiles of one track.

    Args:
        evaluation: Environment and settings.
    """

    def __init__(self, evaluation: Evaluation) -> None:
        def played_by(policy: str) -> Evaluation:
            return Evaluation(evaluation.env_id, policy, evaluation.settings)

        # Without wrappers, which end an episode after so many steps.
        try:
            _, self._compiler = make_env(played_by("llvm"))
        except EvaluationError:
            # There is no answer of LLVM's to show.
            _, self._compiler = make_env(played_by("random"))
        kind = self._compiler.setup.spec.kind
        self._open_ended = kind == pb.TaskSpec.OPEN_ENDED
        self._in_codegen = kind == pb.TaskSpec.IN_CODEGEN
        self._info: dict[str, Any] = {}
        #: The latest module that was looked at, and its text.
        self._bitcode: Any = None
        self._text: ModuleText = {}

    def walk(
        self,
        program: Program,
        actions: Sequence[Action],
        objective: str,
        places: Collection[int] | None = None,
    ) -> Walk:
        """Compile once.

        Args:
            program: What is compiled.
            actions: As recorded.
            objective: Whose value counts.
            places: Where to act as recorded; elsewhere LLVM's own answer is taken.
                ``None``: everywhere.

        Raises:
            ValueError: There is no other answer than the recorded one at a place.
        """
        differing = tuple(
            place
            for place, turn in enumerate(self._turns(program, actions, places))
            if turn.differs
        )
        values = self._info.get("objective")
        if values is None and "error" not in self._info:
            values = self._compiler.baseline
        value = None if values is None else float(values[objective])
        return Walk(value, differing)

    def look(
        self,
        program: Program,
        actions: Sequence[Action],
        count: int,
        places: Collection[int] | None = None,
    ) -> tuple[Step, ...]:
        """The first decisions of a compile, which goes no further.

        Args:
            program: What is compiled.
            actions: As recorded.
            count: How many decisions to look at, as far as there are so many. What
                each of them changes takes far longer to find than to decide.
            places: As in :meth:`walk`.

        Raises:
            ServiceError: The compiler did not survive it.
            ValueError: There is no other answer than the recorded one at a place.
        """
        steps: list[Step] = []
        turns = self._turns(program, actions, places)
        turn = next(turns, None)
        module = self._module() if turn else {}
        while turn is not None and len(steps) < count:
            about = self._about()
            context = around(module, about)
            following = next(turns, None)
            if "error" in self._info:
                raise ServiceError(self._info["error_code"], self._info["error"])
            before, module = module, self._module()
            steps.append(
                Step(
                    self._meaning(turn.action),
                    None if turn.default is None else self._meaning(turn.default),
                    turn.differs,
                    {key: cut(value) for key, value in about.items()},
                    context,
                    change(before, module),
                )
            )
            turn = following
        return tuple(steps)

    def _turns(
        self,
        program: Program,
        actions: Sequence[Action],
        places: Collection[int] | None,
    ) -> Iterator[_Turn]:
        """Each decision before it is answered; the latest info is kept."""
        observation, self._info = self._compiler.reset(options={"program": program})
        own = self._own()
        over = "no_decision" in self._info
        for place in self._places(actions):
            if over:
                break
            default = None if own is None else own(observation, self._info)
            recorded = place < len(actions) and (places is None or place in places)
            turn = _Turn(actions[place] if recorded else default, default)
            yield turn
            if turn.action is None:
                raise ValueError("there is no answer but the recorded one")
            try:
                result = self._compiler.step(turn.action)
            except InvalidActionError:
                if default is None:
                    raise
                # What was decided before has changed what there is to decide here.
                turn.action = default
                result = self._compiler.step(default)
            observation, _, terminated, truncated, self._info = result
            over = terminated or truncated

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
                return make(self._compiler)
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
            key.replace("_", " "): _said(value)
            for key, value in decision.items()
            if isinstance(value, (str, int, float))
        }

    def _module(self) -> ModuleText:
        """The module; nothing of it where decisions leave it as it is."""
        if self._in_codegen:
            return {}
        bitcode = self._compiler.observe("bitcode")["bitcode"]
        # Writing the text takes twenty times as long, and many answers change nothing.
        if bitcode != self._bitcode:
            self._bitcode = bitcode
            self._text = split(str(self._compiler.observe("ir")["ir"]))
        return self._text

    def close(self) -> None:
        """End the compile that is under way."""
        self._compiler.close()


def _said(value: str | float) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
