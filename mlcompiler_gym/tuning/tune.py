# SPDX-License-Identifier: Apache-2.0
"""Tuning from end to end: propose, compile, learn."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from mlcompiler_gym.envs.parameters import ParametersEnv
from mlcompiler_gym.envs.trajectory import Trajectory
from mlcompiler_gym.errors import TuningError
from mlcompiler_gym.tuning.tuner import Tried, Tuner

#: The part of the compiles in which the best is made simpler.
_SIMPLIFYING = 0.25

#: The number of compiles so far, and the best point so far.
Progress = Callable[[int, Tried | None], None]


@dataclass(frozen=True)
class Tuning:
    """What tuning has found.

    Attributes:
        objectives: Names, in the order of all values.
        baseline: What LLVM's own parameters give.
        best: The point of the front with the smallest product of its ratios to the
            baseline.
        front: What nothing that was tried is better than in every objective.
        tried: Everything that was tried, in order.
        commandline: The `opt` and `llc` that give the object file.
        llvm_arguments: What they must be told to have these parameters.
        object_code: The object file of ``best``.
        trajectory: What compiles it once more.
    """

    objectives: tuple[str, ...]
    baseline: tuple[float, ...]
    best: Tried
    front: list[Tried]
    tried: list[Tried]
    commandline: str
    llvm_arguments: list[str]
    object_code: bytes
    trajectory: Trajectory


def tune(
    program: Any,
    *,
    objectives: Sequence[str] = ("text_size",),
    compiles: int = 100,
    seconds: float = math.inf,
    sampler: str = "tpe",
    seed: int = 0,
    workers: int = 1,
    study: str | os.PathLike[str] | None = None,
    progress: Progress = lambda done, best: None,
    **settings: Any,
) -> Tuning:
    """Search LLVM's parameters for what makes one program best.

    The first compile is with LLVM's own parameters, so that the result is never worse.
    With the same arguments, the result is the same, unless time runs out or runs are
    measured. Parameters that made no difference are taken out of the best at the end,
    which takes part of the compiles.

    Args:
        program: As an environment's ``programs``; one.
        objectives: What is minimised. With several, the result has all points that no
            other is better than in each.
        compiles: How many to make, including the study's earlier ones.
        seconds: Wall-clock time after which no compile is begun.
        sampler: See :class:`~mlcompiler_gym.tuning.Tuner`.
        seed: Seed of the proposals.
        workers: How many compiles at the same time. Objectives that are measured by
            running the program are measured one after the other, beside the others'
            compiles; leave it at 1 for them.
        study: File to keep the trials in, and to go on from.
        progress: Is called after each compile.
        **settings: Settings of :class:`~mlcompiler_gym.envs.parameters.ParametersEnv`:
            ``pipeline="default<O3>"``, ``parameters=["inliner"]``.

    Raises:
        MissingLibraryError: Optuna is not installed.
        ServiceError: The program cannot be compiled.
        TuningError: ``program`` is several, or ``study`` is of something else.
        ValueError: An argument is not what it may be.
    """
    for name, value in (("compiles", compiles), ("workers", workers)):
        if value < 1:
            raise ValueError(f"{name} is a number from 1 on, not {value}")
    weights = dict.fromkeys(objectives, 1.0)
    with _Compiler(program, weights, workers, settings) as compiler:
        tuner = Tuner(
            compiler.env.parameters,
            list(weights),
            sampler=sampler,
            seed=seed,
            study=study,
            what=compiler.what,
        )
        until = monotonic() + seconds
        search = _Search(compiler, tuner, compiles, until, workers, progress)
        return search.run()


class _Compiler:
    """An environment stopped before the pipeline, from which all compiles are forks."""

    def __init__(
        self,
        program: Any,
        weights: dict[str, float],
        workers: int,
        settings: dict[str, Any],
    ) -> None:
        self.env = ParametersEnv(programs=program, objective=weights, **settings)
        self._workers = workers
        size = self.env.setup.programs.size
        if size != 1:
            count = "any number of" if size is None else size
            raise TuningError(f"{program!r} is {count} programs; name one")
        self.env.reset(seed=0)

    def __enter__(self) -> _Compiler:
        return self

    def __exit__(self, *_: object) -> None:
        self.env.close()

    @property
    def what(self) -> dict[str, Any]:
        """What is compiled, for the study."""
        config = self.env.setup.config
        return {
            "program": self.env.program.sha256.hex(),
            "pipeline": config.pipeline,
            "target": config.target,
            "cpu": config.cpu,
        }

    def compile(
        self, proposals: Sequence[Mapping[str, str]]
    ) -> list[tuple[float, ...]]:
        """What each gives; NaN if the compiler does not survive it."""
        actions = [self.env.action(chosen) for chosen in proposals]
        found = self.env.action_values(actions=actions, parallel=self._workers)
        keys = [self.env.setup.actions.check(action) for action in actions]
        return [tuple(found[key].values()) for key in keys]

    def build(
        self, chosen: Mapping[str, str]
    ) -> tuple[str, list[str], bytes, Trajectory]:
        """The command line, its options, the object file, and what was done."""
        with self.env.fork() as twin:
            twin.step(twin.action(chosen))
            made = twin.emit("object")
            return twin.commandline(), twin.llvm_arguments, made, twin.trajectory


class _Search:
    def __init__(
        self,
        compiler: _Compiler,
        tuner: Tuner,
        compiles: int,
        until: float,
        workers: int,
        progress: Progress,
    ) -> None:
        self._compiler, self._tuner = compiler, tuner
        self._compiles, self._until = compiles, until
        self._workers, self._progress = workers, progress
        baseline = compiler.env.baseline
        self._baseline = tuple(baseline[name] for name in tuner.objectives)
        self._tried = tuner.tried

    def run(self) -> Tuning:
        # What is measured differs from run to run, and a difference says little.
        exact = not self._compiler.env.setup.config.measured
        last = round(self._compiles * _SIMPLIFYING) if exact else 0
        self._search(self._compiles - last)
        if exact:
            self._simplify()
            self._search(self._compiles)
        best = self._best()
        if best is None:
            raise TuningError("the compiler survived none of the compiles")
        commandline, arguments, made, trajectory = self._compiler.build(best.chosen)
        return Tuning(
            objectives=self._tuner.objectives,
            baseline=self._baseline,
            best=best,
            front=self._tuner.front,
            tried=self._tried,
            commandline=commandline,
            llvm_arguments=arguments,
            object_code=made,
            trajectory=trajectory,
        )

    def _search(self, compiles: int) -> None:
        while count := self._left(compiles):
            self._take([self._tuner.ask() for _ in range(count)])

    def _left(self, compiles: int) -> int:
        """How many to compile next, at the same time."""
        # At least one is compiled, or there would be no result.
        if self._tried and monotonic() >= self._until:
            return 0
        return max(0, min(self._workers, compiles - len(self._tried)))

    def _take(self, proposals: list[Tried]) -> list[Tried]:
        values = self._compiler.compile([each.chosen for each in proposals])
        told = [
            self._tuner.tell(each, value)
            for each, value in zip(proposals, values, strict=True)
        ]
        self._tried += told
        self._progress(len(self._tried), self._best())
        return told

    def _simplify(self) -> None:
        """Leave to LLVM what makes no difference: halves first, then smaller parts."""
        best = self._best()
        if best is None:
            return
        names = list(best.chosen)
        for halvings in range(1, max(2, len(names).bit_length())):
            size = max(1, len(names) >> halvings)
            for first in range(0, len(names), size):
                part = set(names[first : first + size]) & set(best.chosen)
                if not part or not self._left(self._compiles):
                    continue
                rest = {n: v for n, v in best.chosen.items() if n not in part}
                [told] = self._take([self._tuner.add(rest)])
                if self._ratio(told) <= self._ratio(best):
                    best = told

    def _best(self) -> Tried | None:
        """The smallest product of ratios; of several, that which sets least."""
        alive = [each for each in self._tried if each.values is not None]
        return min(alive, key=lambda t: (self._ratio(t), len(t.chosen)), default=None)

    def _ratio(self, tried: Tried) -> float:
        if tried.values is None:
            return math.inf
        pairs = zip(tried.values, self._baseline, strict=True)
        return math.prod(value / (base or 1.0) for value, base in pairs)
