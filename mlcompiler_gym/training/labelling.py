# SPDX-License-Identifier: Apache-2.0
"""Labelling decisions of programs, in processes here or on a cluster."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import gymnasium
import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.envs.episode import OF_THE_COMPILE
from mlcompiler_gym.errors import ServiceError, TrainingError
from mlcompiler_gym.evaluation import (
    EpisodePlan,
    Evaluation,
    LocalPlayers,
    Players,
    Result,
)
from mlcompiler_gym.evaluation.player import make_env
from mlcompiler_gym.evaluation.work import work_key, work_through
from mlcompiler_gym.policies.callee_search import call_of
from mlcompiler_gym.programs import Program
from mlcompiler_gym.programs.named_set import package_of
from mlcompiler_gym.training.labels import Labels

if TYPE_CHECKING:
    import pandas as pd

#: What is decided on, as far as it counts: the callee, and the base policy's answer.
_Call: TypeAlias = tuple[str, int]


@dataclass(frozen=True)
class Labelling:
    """Which decisions are labelled, and how.

    Attributes:
        env_id: An environment with discrete actions.
        settings: Further arguments of ``gym.make``; JSON has to have it all.
        policy: The base policy, by name: it decides all except what is tried, and the
            policy that is learned deviates from it.
        decisions: The most that are labelled of a program. They are drawn, rare
            kinds rather than frequent ones: a kind is what the base policy answers,
            and all features that are 0 or 1.
        callees: Whether the other action is taken at all calls of the same callee that
            the base policy answers alike, instead of at one. In inlining alone.
    """

    env_id: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    policy: str = "llvm"
    decisions: int = 24
    callees: bool = False

    def __post_init__(self) -> None:
        if self.decisions < 1:
            raise TrainingError(
                f"decisions is a number from 1 on, not {self.decisions}"
            )

    def make_player(self) -> Labeller:
        """What labels programs; called in each process that does."""
        return Labeller(self)

    def key(self, program: Program, seed: int, llvm: str) -> str:
        """What makes the labels of a program these and no others."""
        identity = [
            self.env_id,
            dict(self.settings),
            self.policy,
            self.decisions,
            program.name,
            program.sha256.hex(),
            seed,
            llvm,
            *(["callees"] if self.callees else []),
        ]
        return work_key(identity)


class Labeller:
    """Labels one program after the other, in one process."""

    def __init__(self, labelling: Labelling) -> None:
        self._labelling = labelling
        evaluation = Evaluation(labelling.env_id, labelling.policy, labelling.settings)
        _, self._env = make_env(evaluation)
        if not isinstance(self._env.action_space, gymnasium.spaces.Discrete):
            raise TrainingError(
                f"the actions of {labelling.env_id} are a {self._env.action_space}; "
                "only discrete ones can be tried"
            )
        if len(self._env.setup.scoring.weights) > 1:
            raise TrainingError("labels are of one objective; name a single one")
        (self.objective,) = self._env.setup.scoring.weights
        task = self._env.setup.config.task
        if labelling.callees and task != "inlining":
            raise TrainingError(
                f"{task} does not decide on calls, so there are no callees to label; "
                "leave out the setting callees"
            )
        #: How many there are.
        self.actions = int(self._env.action_space.n)
        #: LLVM's version.
        self.llvm = self._env.setup.service.describe().llvm_version

    def play(self, program: Program, seed: int) -> Result:
        """Label a program; what the compiler does not survive is a result, too."""
        record = {
            "key": self._labelling.key(program, seed, self.llvm),
            "program": program.name,
        }
        try:
            table = self._label(program, seed)
        except ServiceError as error:
            if error.code not in OF_THE_COMPILE:
                raise
            return Result(record | {"error": str(error)})
        buffer = io.BytesIO()
        table.to_parquet(buffer, engine="pyarrow", index=False)
        return Result(record, buffer.getvalue())

    def close(self) -> None:
        """End the compile that is under way."""
        self._env.close()

    def _label(self, program: Program, seed: int) -> pd.DataFrame:
        policy = self._labelling.policy
        _, info = self._env.reset(seed=seed, options={"program": program})
        chosen: list[int] = []
        calls: list[_Call] = []
        if not info.get("no_decision"):
            made = self._env.rollout(policy, features=True)
            assert made.features is not None  # asked for
            chosen = _choose(
                made.features, made.actions, self._labelling.decisions, program, seed
            )
            calls = self._calls(made.actions) if self._labelling.callees else []
        found = self._env.counterfactuals(program, policy, chosen, parallel=1)
        table = found.to_pandas()
        if self._labelling.callees:
            self._take_together(table, program, calls)
        return table

    def _calls(self, actions: NDArray[np.int64]) -> list[_Call]:
        """What the episode that has just ended decided on."""
        decided = json.loads(self._env.observe("decisions")["decisions"])
        return [
            (call_of(name)[1], answer)
            for (name, _), answer in zip(decided, actions.tolist(), strict=True)
        ]

    def _take_together(
        self, table: pd.DataFrame, program: Program, calls: list[_Call]
    ) -> None:
        """Take the other action at all calls that are alike, instead of at one.

        Args:
            table: What single decisions are worth. The values of other actions are
                replaced, and there is a new column ``calls``.
            program: What it is of.
            calls: All decisions of the base policy's episode.
        """
        often = Counter(calls)
        together: dict[_Call, float] = {}
        rows = [calls[decision] for decision in table["decision"]]
        values = table[self.objective].to_list()
        for row, (call, own) in enumerate(zip(rows, table["own"], strict=True)):
            if own or often[call] == 1:
                continue
            if call not in together:
                together[call] = self._play(program, calls.index(call), *call)
            values[row] = together[call]
        table[self.objective] = np.array(values, np.float64)
        place = table.columns.get_loc("own") + 1
        table.insert(place, "calls", np.array([often[row] for row in rows], np.int64))

    def _play(self, program: Program, first: int, callee: str, answer: int) -> float:
        """What it comes to if all calls of a callee are answered the other way.

        Args:
            program: What is compiled.
            first: The first decision that is answered so.
            callee: The callee.
            answer: What the base policy answers.

        Returns:
            NaN if the compiler does not survive it.
        """
        env, policy = self._env, self._labelling.policy
        _, info = env.reset(options={"program": program})
        if first:
            info = env.rollout(policy, decisions=first).info
        over = False
        while not over:
            if call_of(info["decision"])[1] == callee:
                *_, terminated, truncated, info = env.step(1 - answer)
                over = terminated or truncated
            else:
                made = env.rollout(policy, decisions=1)
                over, info = made.terminated or made.truncated, made.info
        return float(info.get("objective", {}).get(self.objective, np.nan))


def collect(
    labelling: Labelling,
    programs: Iterable[Program],
    folder: Path,
    *,
    seed: int = 0,
    players: Players | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Labels:
    """Label programs, each written to a file as soon as it is done.

    Args:
        labelling: How.
        programs: Which.
        folder: Folder of the files, one for each program. A file that is there is not
            made again.
        seed: What decisions are drawn by.
        players: Who labels. ``None``: this process.
        progress: Called with the programs that are done and all.

    Returns:
        The labels of all programs, in their order.

    Raises:
        TrainingError: There are none.
    """
    import pandas as pd

    player = labelling.make_player()
    llvm, objective, actions = player.llvm, player.objective, player.actions
    player.close()
    plans = [EpisodePlan(program, seed) for program in programs]
    files = work_through(
        players or LocalPlayers(labelling),
        plans,
        [
            folder / f"{labelling.key(plan.program, seed, llvm)}.parquet"
            for plan in plans
        ],
        progress,
    )
    return Labels.from_tables(
        (pd.read_parquet(path) for path in files if path.exists()), objective, actions
    )


def few_of_each(programs: Iterable[Program], most: int) -> list[Program]:
    """At most so many programs of each package, by their hash: packages are the limit.

    Args:
        programs: The programs to choose from.
        most: How many of a package.

    Returns:
        Package by package.
    """
    by_package: dict[str, list[Program]] = {}
    for program in programs:
        by_package.setdefault(package_of(program.name), []).append(program)
    return [
        program
        for _, each in sorted(by_package.items())
        for program in sorted(each, key=lambda program: program.sha256)[:most]
    ]


def _choose(
    features: NDArray[np.float32],
    actions: NDArray[np.int64],
    count: int,
    program: Program,
    seed: int,
) -> list[int]:
    """Which decisions are labelled, in ascending order."""
    if len(actions) <= count:
        return list(range(len(actions)))
    bits = np.all((features == 0) | (features == 1), axis=0)
    kinds = [
        (int(action), *row)
        for action, row in zip(actions, features[:, bits].tolist(), strict=True)
    ]
    often = Counter(kinds)
    weights = np.array([often[kind] ** -0.5 for kind in kinds])
    digest = int.from_bytes(program.sha256[:8], "little")
    rng = np.random.default_rng([seed, digest])
    drawn = rng.choice(len(actions), count, replace=False, p=weights / weights.sum())
    return sorted(drawn.tolist())
