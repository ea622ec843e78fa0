# SPDX-License-Identifier: Apache-2.0
"""What every action was worth, decision by decision of a whole episode."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.client import Session, Work, in_order, opening
from mlcompiler_gym.envs.actions import Action
from mlcompiler_gym.envs.choice import choose
from mlcompiler_gym.envs.config import CompileConfig
from mlcompiler_gym.envs.explore import Appraiser, explore_request
from mlcompiler_gym.envs.rollout import PolicyData, play_request
from mlcompiler_gym.envs.setup import Setup
from mlcompiler_gym.errors import (
    MissingLibraryError,
    MLCompilerGymError,
    PolicyError,
    ServiceError,
)
from mlcompiler_gym.programs import Program
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

if TYPE_CHECKING:
    import pandas as pd

_FLOAT = np.dtype("<f4")
#: Decisions that one request explores at most: the deadline is for all of them.
_AT_ONCE = 64


@dataclass(frozen=True)
class Question:
    """What is asked of each program; see ``CompilerEnv.counterfactuals``."""

    policy: PolicyData
    decisions: int | Sequence[int] | None
    actions: Sequence[int] | None
    sample_seed: int
    seed: int | None
    parallel: int | None

    def __post_init__(self) -> None:
        if isinstance(self.decisions, int) and self.decisions < 1:
            raise ValueError(
                f"decisions is a number from 1 on, a list or None, not {self.decisions}"
            )

    def choose(self, count: int) -> list[int]:
        """Which of an episode's decisions, in ascending order."""
        if self.decisions is None:
            return list(range(count))
        if isinstance(self.decisions, int):
            rng = np.random.default_rng(self.sample_seed)
            few = min(self.decisions, count)
            return sorted(rng.choice(count, few, replace=False).tolist())
        return sorted({int(each) for each in self.decisions if 0 <= each < count})


@dataclass(frozen=True)
class Counterfactuals:
    """A table with a row for each action at each decision, in ascending order.

    Attributes:
        program: Name of the program.
        decision: Shape (n,), int64: the number of the decision in the episode.
        action: Shape (n,), int64.
        own: Shape (n,), bool: whether the policy takes it by itself.
        values: By objective, float64 of shape (n,): what it comes to if the action is
            taken there and the policy decides everything else; NaN if the compiler
            did not survive that.
        observed: Shape (m, elements), float32: the task's features at each of the m
            decisions.
        place: Shape (n,), int64: the index in ``observed`` of each row.
        names: Names of the features, in the order of ``observed``, and the number of
            elements of each.
        decisions: How many decisions the policy's own episode had.
        errors: By row, why its values are NaN.
        error: Why there is no table of this program, if there is none.
    """

    program: str
    decision: NDArray[np.int64]
    action: NDArray[np.int64]
    own: NDArray[np.bool_]
    values: dict[str, NDArray[np.float64]]
    observed: NDArray[np.float32]
    place: NDArray[np.int64]
    names: tuple[tuple[str, int], ...] = ()
    decisions: int = 0
    errors: dict[int, MLCompilerGymError] = field(default_factory=dict)
    error: MLCompilerGymError | None = None

    def __len__(self) -> int:
        return len(self.decision)

    @property
    def features(self) -> NDArray[np.float32]:
        """The features of each row, as float32 of shape (n, elements)."""
        return self.observed[self.place]

    def to_pandas(self) -> pd.DataFrame:
        """A frame with a row for each row, and a column for each feature.

        Columns are ``program``, ``decision``, ``action``, ``own``, an objective each,
        and a feature each; of one with several elements, ``name[0]`` and so on.

        Raises:
            MissingLibraryError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ModuleNotFoundError as error:
            raise MissingLibraryError("pandas", "tables") from error
        features = pd.DataFrame(self.features, columns=list(self._columns()))
        rows = pd.DataFrame(
            {
                "decision": self.decision,
                "action": self.action,
                "own": self.own,
                **self.values,
            }
        )
        rows.insert(0, "program", self.program)
        return pd.concat([rows, features], axis=1)

    def to_parquet(self, path: str | Path) -> None:
        """Write :meth:`to_pandas` as a Parquet file.

        Raises:
            MissingLibraryError: pandas or pyarrow is not installed.
        """
        frame = self.to_pandas()
        try:
            import pyarrow  # noqa: F401
        except ModuleNotFoundError as error:
            raise MissingLibraryError("pyarrow", "tables") from error
        frame.to_parquet(path, engine="pyarrow", index=False)

    def _columns(self) -> Iterator[str]:
        for name, elements in self.names:
            if elements == 1:
                yield name
            else:
                yield from (f"{name}[{index}]" for index in range(elements))


class _Rows:
    """The table in the making."""

    def __init__(self, setup: Setup, appraiser: Appraiser, own: pb.Alternative) -> None:
        self._actions = setup.actions
        self._appraiser = appraiser
        self._own_values, self._own_error = appraiser.values(own)
        self.rows: list[tuple[int, int, bool, int]] = []
        self.values: dict[str, list[float]] = {n: [] for n in appraiser.objectives}
        self.observed: list[bytes] = []
        self.errors: dict[int, MLCompilerGymError] = {}

    def add(self, explored: pb.Explored, actions: Sequence[Action] | None) -> None:
        """Take a decision.

        Raises:
            PolicyError: The policy could not decide after one of the actions.
        """
        place = len(self.observed)
        self.observed.append(explored.features)
        own = self._action(explored.action)
        found = {
            self._action(each.action): self._appraiser.values(each)
            for each in explored.alternatives
        }
        if actions is None or own in actions:
            # The episode itself took this action, so it has the episode's values.
            found[own] = self._own_values, self._own_error
        for action in sorted(found):
            values, error = found[action]
            if error is not None:
                self.errors[len(self.rows)] = error
            self.rows.append((explored.decision, action, action == own, place))
            for name, column in self.values.items():
                column.append(values[name])

    def _action(self, data: bytes) -> int:
        return int(self._actions.decode(data)[0])

    def table(self, setup: Setup, program: Program, decisions: int) -> Counterfactuals:
        """All that was taken."""
        columns = list(zip(*self.rows, strict=True)) or [()] * 4
        observed = np.frombuffer(b"".join(self.observed), _FLOAT)
        return Counterfactuals(
            program=program.name,
            decision=np.array(columns[0], np.int64),
            action=np.array(columns[1], np.int64),
            own=np.array(columns[2], np.bool_),
            values={n: np.array(v, np.float64) for n, v in self.values.items()},
            observed=observed.reshape(len(self.observed), setup.features.task_size),
            place=np.array(columns[3], np.int64),
            names=setup.features.task_names,
            decisions=decisions,
            errors=self.errors,
        )


def check_listed(setup: Setup) -> None:
    """Raise TypeError where there are too many actions to try them all."""
    if len(setup.actions.counts) != 1:
        raise TypeError(f"the actions are a {setup.actions.space}; there is no list")


def find_counterfactuals(
    setup: Setup, program: str | Program, asked: Question, function: str | None = None
) -> Work[Counterfactuals]:
    """The table of one program; see ``CompilerEnv.counterfactuals``."""
    check_listed(setup)
    actions = None
    if asked.actions is not None:
        actions = [setup.actions.check(action) for action in asked.actions]
    options = {"program": program, **({"function": function} if function else {})}
    # The program is given, so the generator draws nothing.
    chosen, config = yield from choose(setup, np.random.default_rng(0), options)
    appraiser = yield from Appraiser.make(setup, config, chosen)
    count, own = yield from _play(setup, config, chosen, asked)
    rows = _Rows(setup, appraiser, own)
    left = asked.choose(count)
    if left:
        session = yield from opening(setup.service, config.open_request(), chosen)
        try:
            yield from _explore(setup, session, asked, actions, left, rows)
        finally:
            session.close()
    return rows.table(setup, chosen, count)


def _play(
    setup: Setup, config: CompileConfig, program: Program, asked: Question
) -> Work[tuple[int, pb.Alternative]]:
    """How many decisions the policy's own episode has, and what it comes to."""
    session = yield from opening(setup.service, config.open_request(), program)
    request = play_request(setup.config.task, asked.policy, asked.seed)
    try:
        state = session.opened.state
        while not state.HasField("outcome"):
            message = pb.Request(play=request).SerializeToString()
            reply = (yield session, (message,)).play
            if reply.stopped:
                raise PolicyError(
                    f"{program.name}, after {reply.state.decisions} decisions: "
                    f"{reply.stopped}"
                )
            state, request.seed = reply.state, reply.seed
            if asked.seed is None:
                request.ClearField("seed")
        outcome = pb.Alternative(measurements=state.outcome.measurements)
        if config.measured:
            outcome.object = yield from session.emitting("object")
        return state.decisions, outcome
    except ServiceError as error:
        error.message = f"{program.name}: {error.message}"
        raise
    finally:
        session.close()


def _explore(
    setup: Setup,
    session: Session,
    asked: Question,
    actions: Sequence[Action] | None,
    left: list[int],
    rows: _Rows,
) -> Work[None]:
    """Fill in the rows of some decisions."""
    at, seed = 0, asked.seed
    while left:
        request = explore_request(
            setup,
            asked.policy,
            seed,
            actions,
            asked.parallel,
            decisions=[each - at for each in left[:_AT_ONCE]],
            features=True,
            others_only=True,
        )
        message = pb.Request(explore=request).SerializeToString()
        reply = (yield session, (message,)).explore
        if reply.stopped:
            raise PolicyError(
                f"after {reply.state.decisions} decisions: {reply.stopped}"
            )
        for explored in reply.decisions:
            rows.add(explored, actions)
        # A reply has a largest size, so another request goes on from here.
        left = left[len(reply.decisions) :]
        at, seed = reply.state.decisions, None if seed is None else reply.seed


def each_counterfactuals(
    setup: Setup, programs: Sequence[Program], asked: Question, at_once: int
) -> Iterator[Counterfactuals]:
    """The tables of several programs, in their order.

    Args:
        setup: What the environments share.
        programs: Which.
        asked: What is asked of each.
        at_once: How many are worked on at the same time.

    Yields:
        A table for each, which is empty and has ``error`` where that went wrong.
    """
    if setup.config.measured:
        at_once = 1  # other work would disturb the measurement
    works = (find_counterfactuals(setup, program, asked) for program in programs)
    for program, found in zip(programs, in_order(works, at_once), strict=True):
        if isinstance(found, Counterfactuals):
            yield found
        else:
            yield _failed(program.name, found)


def _failed(program: str, error: MLCompilerGymError) -> Counterfactuals:
    return Counterfactuals(
        program,
        decision=np.zeros(0, np.int64),
        action=np.zeros(0, np.int64),
        own=np.zeros(0, np.bool_),
        values={},
        observed=np.zeros((0, 0), np.float32),
        place=np.zeros(0, np.int64),
        error=error,
    )
