# SPDX-License-Identifier: Apache-2.0
"""Learning round by round, judged on packages that are not learned from.

After each round the policy is written down and played on these packages. The best
one is what comes of the training, which ends once it does not get better. A training
that is interrupted goes on after the last round that was complete.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlcompiler_gym.errors import TrainingError
from mlcompiler_gym.evaluation import evaluate
from mlcompiler_gym.files import write_file
from mlcompiler_gym.policies import PortablePolicy
from mlcompiler_gym.programs import Program
from mlcompiler_gym.programs.named_set import package_of
from mlcompiler_gym.training.assignment import Assignment, Trained, with_card
from mlcompiler_gym.training.curve import Curve, digest_of
from mlcompiler_gym.training.playing import (
    Played,
    choose,
    save_by_content,
    summarise,
)


@dataclass(frozen=True)
class RoundSettings:
    """What all have in common that learn round by round.

    Attributes:
        rounds: How many, at most.
        patience: The training ends after so many rounds without a better policy.
        held_out: Share of the packages that policies are judged on, and not learned
            from.
        judged: Beginnings of the names of programs to judge by, instead of such a
            share, for programs that are alike across packages: ``["loops/gather"]``.
        worse: Share of programs that may come out worse than by LLVM. A round with
            which more do is not chosen, if there is another.
        seed: Seed of all that is drawn, and of which packages are held out.
    """

    rounds: int = 20
    patience: int = 5
    held_out: float = 0.2
    judged: tuple[str, ...] = ()
    worse: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.rounds, self.patience) < 1:
            raise TrainingError("rounds and patience are numbers from 1 on")
        if not 0 < self.held_out < 1:
            raise TrainingError(
                f"held_out is a share between 0 and 1, not {self.held_out}"
            )


@dataclass(frozen=True)
class Lesson:
    """What a round took, and what it came to where it was learned.

    Attributes:
        spent: By unit, as ``{"compiles": 480}``.
        training: By measure, as ``{"ratio": 0.998}``; empty: nothing is known.
    """

    spent: Mapping[str, float]
    training: Mapping[str, float] = field(default_factory=dict)


class Learner(ABC):
    """What learns."""

    #: How, in a few words, for the card.
    method: str

    @abstractmethod
    def learn(self) -> Lesson:
        """One round."""

    @abstractmethod
    def policy(self) -> PortablePolicy:
        """What has been learned so far."""

    @abstractmethod
    def state(self) -> bytes:
        """All that it takes to go on from here."""

    @abstractmethod
    def restore(self, state: bytes) -> None:
        """Go on from a :meth:`state`."""

    @abstractmethod
    def close(self) -> None:
        """End the compiles that are under way."""


def hold_out(
    programs: Sequence[Program], settings: RoundSettings
) -> tuple[list[Program], list[Program]]:
    """The programs to learn from, and the programs to judge by; no package is in both.

    Raises:
        TrainingError: There is only one package, or ``judged`` names none or all.
    """
    if settings.judged:
        judged = {e.name for e in programs if e.name.startswith(settings.judged)}
        if len(judged) in (0, len({each.name for each in programs})):
            raise TrainingError(
                f"judged names {'all' if judged else 'none'} of the "
                f"{len(programs)} programs: {', '.join(settings.judged)}; name some of "
                "them, and learn from the others"
            )
    else:
        judged = _some_packages(programs, settings)
    return (
        [each for each in programs if each.name not in judged],
        [each for each in programs if each.name in judged],
    )


def _some_packages(programs: Sequence[Program], settings: RoundSettings) -> set[str]:
    """Names of the programs of a share of the packages, by hash.

    Raises:
        TrainingError: There is only one package.
    """
    packages = sorted(
        {package_of(program.name) for program in programs},
        key=lambda name: hashlib.sha256(f"{settings.seed} {name}".encode()).digest(),
    )
    if len(packages) < 2:
        raise TrainingError(
            f"all programs are of {', '.join(packages) or 'no package'}; give programs "
            "of two packages or more, to judge by what was not learned from"
        )
    count = min(max(1, round(settings.held_out * len(packages))), len(packages) - 1)
    taken = set(packages[:count])
    return {each.name for each in programs if package_of(each.name) in taken}


def train_in_rounds(
    learner: Learner,
    assignment: Assignment,
    judged: Sequence[Program],
    settings: RoundSettings,
) -> Trained:
    """Learn until it gets no better, or the rounds are over.

    Args:
        learner: At its beginning. It is closed in the end.
        assignment: What is learned. Its folder has all that takes long.
        judged: Programs that policies are judged on.
        settings: The same ones go on with a run, also with more rounds and patience.

    Raises:
        EvaluationError: Playing cannot go on; what is done is kept.
        TrainingError: No program that is judged by can be compiled.
    """
    run = _Run(learner, assignment, judged, settings)
    try:
        run.resume()
        while not run.over:
            run.round()
    finally:
        learner.close()
    chosen = choose(run.rows[::-1], settings.worse)
    policy = run.policy_of(chosen)
    method = f"{learner.method}, {chosen.name} of {len(run.rows)}"
    return Trained(
        with_card(policy, assignment, method, settings.seed, chosen),
        run.rows,
        chosen,
        run.curve.path,
    )


class _Run:
    """A training under way."""

    def __init__(
        self,
        learner: Learner,
        assignment: Assignment,
        judged: Sequence[Program],
        settings: RoundSettings,
    ) -> None:
        self._learner, self._assignment = learner, assignment
        self._judged, self._settings = judged, settings
        # A run that goes on may have more rounds than before.
        digest = digest_of(assignment, settings, "rounds", "patience")
        self._folder = assignment.folder / f"rounds-{digest}"
        self._folder.mkdir(parents=True, exist_ok=True)
        #: All rounds that are complete.
        self.curve = Curve(self._folder / "curve.jsonl")

    @property
    def rows(self) -> list[Played]:
        """What the policy of each round came to."""
        return [Played.of(each.name, each.held_out) for each in self.curve.points]

    @property
    def over(self) -> bool:
        """Whether there is nothing left to do."""
        if len(self.rows) >= self._settings.rounds:
            return True
        ratios = [row.ratio for row in self.rows]
        best = ratios.index(min(ratios)) if ratios else 0
        return len(ratios) - 1 - best >= self._settings.patience

    def resume(self) -> None:
        """Go on after the last round that is complete."""
        done = len(self.curve.points)
        if done and not self.over:
            self._learner.restore(self._checkpoint(done).read_bytes())

    def round(self) -> None:
        """Learn, judge, and write down both."""
        points = self.curve.points
        done = len(points)
        self._assignment.progress("learn", done, self._settings.rounds)
        lesson = self._learner.learn()
        policy = self._learner.policy()
        path = save_by_content(policy, self._folder)
        what = self._assignment.evaluation(str(path))
        records = evaluate(
            what,
            self._judged,
            path.with_suffix(".jsonl"),
            players=self._assignment.players(what),
        )
        played = summarise(f"round {done + 1}", records)
        before = points[-1].spent if points else {}
        spent = {
            unit: before.get(unit, 0) + count for unit, count in lesson.spent.items()
        }
        # The checkpoint is written first, so that each round that is named is complete.
        write_file(self._checkpoint(done + 1), self._learner.state())
        self.curve.add(played.name, spent, played.measures, lesson.training, path.name)
        self._checkpoint(done).unlink(missing_ok=True)
        self._assignment.progress("learn", done + 1, self._settings.rounds)

    def policy_of(self, row: Played) -> PortablePolicy:
        """The policy of a round."""
        point = self.curve.points[self.rows.index(row)]
        return PortablePolicy.load(self._folder / point.policy)

    def _checkpoint(self, done: int) -> Path:
        return self._folder / f"after-{done}.checkpoint"
