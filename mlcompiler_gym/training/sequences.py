# SPDX-License-Identifier: Apache-2.0
"""Sequences of passes: found on programs one by one, and tried on others."""

from __future__ import annotations

import abc
import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from mlcompiler_gym.envs.episode import OF_THE_COMPILE
from mlcompiler_gym.envs.pass_ordering import PassOrderingEnv
from mlcompiler_gym.errors import ServiceError, TrainingError
from mlcompiler_gym.evaluation import Evaluation, Result
from mlcompiler_gym.evaluation.journal import read_records
from mlcompiler_gym.evaluation.player import make_env
from mlcompiler_gym.evaluation.work import work_key
from mlcompiler_gym.policies import SearchResult, local_search
from mlcompiler_gym.policies.pipelines import OZ_PASSES, PASSES
from mlcompiler_gym.programs import Program

#: Pass after pass, as for ``opt -passes=``.
Passes = tuple[str, ...]


@dataclass(frozen=True)
class SequenceJob(abc.ABC):
    """What is done with programs in an environment for pass ordering.

    Attributes:
        env_id: The environment.
        settings: Further arguments of ``gym.make``, without ``actions``.
    """

    env_id: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @abc.abstractmethod
    def actions(self) -> Sequence[str]:
        """The actions of its environment."""

    @abc.abstractmethod
    def work(self, env: PassOrderingEnv, program: Program, seed: int) -> dict[str, Any]:
        """Do it with one program; what is kept of it, as JSON has it."""

    def make_player(self) -> SequencePlayer:
        """What does it; called in each process that does."""
        return SequencePlayer(self)

    def key(self, program: Program, seed: int, llvm: str) -> str:
        """What makes a result this one and no other."""
        identity = [
            type(self).__name__,
            asdict(self),
            program.name,
            program.sha256.hex(),
            seed,
            llvm,
        ]
        return work_key(identity)


def check_environment(env_id: str, settings: Mapping[str, Any]) -> None:
    """Refuse what sequences cannot be found for.

    Args:
        env_id: The environment.
        settings: Further arguments of ``gym.make``.

    Raises:
        EvaluationError: There is no such environment, or not with such settings.
        TrainingError: It is not for pass ordering, has several objectives, or has
            actions of its own.
    """
    if "actions" in settings:
        raise TrainingError("the actions are the portfolio's own; leave out actions")
    _, env = make_env(Evaluation(env_id, "random", settings))
    env.close()
    if not isinstance(env, PassOrderingEnv):
        raise TrainingError(
            f"a portfolio is of sequences of passes; {env_id} is no environment for "
            "pass ordering"
        )
    if len(env.setup.scoring.weights) > 1:
        raise TrainingError("a portfolio is for one objective; name a single one")


def played_orders(
    journals: Sequence[str], programs: Sequence[Program]
) -> dict[Passes, int]:
    """What evaluations played on some programs.

    Args:
        journals: Their files.
        programs: Which programs. What was played on others is left out.

    Returns:
        The place of a program by what was played on it, in order.

    Raises:
        EvaluationError: A file cannot be read.
        TrainingError: A file has none of the programs, or what was played has passes
            that are not among those of a search.
    """
    places = {program.name: place for place, program in enumerate(programs)}
    orders: dict[Passes, int] = {}
    for path in journals:
        records = [
            record
            for record in read_records(path)
            if record["program"] in places and _is_ordering(record["trajectory"])
        ]
        if not records:
            raise TrainingError(
                f"{path} has no pass orderings of the programs to learn from; leave it "
                "out of the setting orders"
            )
        for record in records:
            played = record["trajectory"]
            names = _names_of(record["env"], played["config"]["options"]["actions"])
            # An action may be several passes.
            taken = ",".join(names[action] for action in played["actions"])
            order = tuple(taken.split(",")) if taken else ()
            if unknown := sorted(set(order) - set(PASSES)):
                raise TrainingError(
                    f"{path}: on {record['program']}, {unknown[0]} was played, which "
                    "is none of the passes that are searched among"
                )
            if order:
                orders.setdefault(order, places[record["program"]])
    return orders


def _is_ordering(trajectory: Mapping[str, Any] | None) -> bool:
    return (
        trajectory is not None and trajectory["config"]["task"] == PassOrderingEnv.task
    )


@functools.cache
def _names_of(env_id: str, actions: str) -> Sequence[str]:
    """What the actions of an environment are called."""
    _, env = make_env(Evaluation(env_id, "random", {"actions": actions}))
    env.close()
    assert isinstance(env, PassOrderingEnv)
    return env.action_names


class SequencePlayer:
    """Works on one program after the other, in one process."""

    def __init__(self, job: SequenceJob) -> None:
        self._job = job
        settings = {"deadline": 20.0, **job.settings, "actions": list(job.actions())}
        _, env = make_env(Evaluation(job.env_id, "random", settings))
        assert isinstance(env, PassOrderingEnv)  # checked before
        self._env = env
        #: LLVM's version.
        self.llvm = env.setup.service.describe().llvm_version

    def play(self, program: Program, seed: int) -> Result:
        """Work on a program; what the compiler does not survive is a result, too."""
        record = {"key": self._job.key(program, seed, self.llvm)}
        try:
            found = self._job.work(self._env, program, seed)
        except ServiceError as error:
            if error.code not in OF_THE_COMPILE:
                raise
            return Result(record | {"error": str(error)})
        return Result(record, json.dumps(found).encode())

    def close(self) -> None:
        """End the compile that is under way."""
        self._env.close()


@dataclass(frozen=True)
class Searching(SequenceJob):
    """Local search on each program, less the passes that came to nothing.

    Attributes:
        compiles: Sequences that a search tries.
        starts: What the search of a program begins with, by its name; of other
            programs, the passes of ``-Oz``.
    """

    compiles: int = 100
    starts: Mapping[str, Passes] = field(default_factory=dict)

    def actions(self) -> Sequence[str]:
        """Whatever a search chooses among."""
        return PASSES

    def work(self, env: PassOrderingEnv, program: Program, seed: int) -> dict[str, Any]:
        """The passes of the best sequence."""
        names = env.action_names
        start = [names.index(each) for each in self.starts.get(program.name, OZ_PASSES)]
        found = local_search(
            env,
            compiles=self.compiles,
            seed=seed,
            start=start,
            options={"program": program},
        )
        return {"sequence": [names[action] for action in _needed(env, program, found)]}


def _needed(
    env: PassOrderingEnv, program: Program, found: SearchResult
) -> Sequence[int]:
    """The actions without those by which nothing was gained.

    The passes of ``-Oz`` stay: where one does nothing here, it may elsewhere.
    """
    env.reset(options={"program": program})
    kept = list(found.actions)
    for place in reversed(range(len(kept))):
        if env.action_names[kept[place]] in OZ_PASSES:
            continue
        tried = kept[:place] + kept[place + 1 :]
        with env.fork() as twin:
            info = twin.multistep(tried)[4]
        if info.get("objective") == found.values:
            kept = tried
    return kept


@dataclass(frozen=True)
class Trying(SequenceJob):
    """Each of some sequences on each program.

    Attributes:
        sequences: Which.
    """

    sequences: tuple[Passes, ...] = ()

    def actions(self) -> Sequence[str]:
        """A whole sequence is an action, which takes less time than its passes."""
        return [",".join(sequence) for sequence in self.sequences]

    def work(self, env: PassOrderingEnv, program: Program, seed: int) -> dict[str, Any]:
        """What each comes to, and LLVM's own passes; None: it was not survived."""
        env.reset(options={"program": program})
        values = [_value_of(env, action) for action in range(len(self.sequences))]
        return {"values": values, "baseline": _only(env.baseline)}


@dataclass(frozen=True)
class Extending(SequenceJob):
    """Each pass behind each of some sequences, on each program.

    It takes little time: a sequence is run once, and the passes in copies of that.

    Attributes:
        sequences: Which.
    """

    sequences: tuple[Passes, ...] = ()

    def actions(self) -> Sequence[str]:
        """The sequences, and behind them the passes."""
        return [*(",".join(sequence) for sequence in self.sequences), *PASSES]

    def work(self, env: PassOrderingEnv, program: Program, seed: int) -> dict[str, Any]:
        """As of :class:`Trying`, of all extensions in order."""
        env.reset(options={"program": program})
        values: list[float | None] = []
        for action in range(len(self.sequences)):
            with env.fork() as behind:
                lives = "error" not in behind.step(action)[4]
                for place in range(len(PASSES)):
                    value = None
                    if lives:
                        value = _value_of(behind, len(self.sequences) + place)
                    values.append(value)
        return {"values": values, "baseline": _only(env.baseline)}

    def extended(self) -> list[Passes]:
        """All extensions, in order."""
        return [(*sequence, name) for sequence in self.sequences for name in PASSES]


def _value_of(env: PassOrderingEnv, action: int) -> float | None:
    """What the objective is behind an action; None: it was not survived."""
    with env.fork() as twin:
        info = twin.step(action)[4]
    return None if "error" in info else _only(info["objective"])


def _only(values: Mapping[str, float]) -> float:
    (value,) = values.values()
    return value
