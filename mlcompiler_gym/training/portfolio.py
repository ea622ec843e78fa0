# SPDX-License-Identifier: Apache-2.0
"""Portfolios: a few sequences of passes, of which each program gets its best.

Searches find sequences on programs, and each is tried on every program. The sequences
that together do best are then extended by each pass, again and again. In the end the
few are kept that together do best, each chosen to add most to those before it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.best_action import BEST
from mlcompiler_gym.errors import TrainingError
from mlcompiler_gym.evaluation import EpisodePlan
from mlcompiler_gym.evaluation.work import work_through
from mlcompiler_gym.policies import PortablePolicy
from mlcompiler_gym.policies.pipelines import OZ, OZ_PASSES, PASSES
from mlcompiler_gym.programs.named_set import package_of
from mlcompiler_gym.training.assignment import Assignment, Trained, with_card
from mlcompiler_gym.training.curve import RATIO, Curve, digest_of
from mlcompiler_gym.training.playing import Played
from mlcompiler_gym.training.sequences import (
    Extending,
    Passes,
    Searching,
    SequenceJob,
    Trying,
    check_environment,
    played_orders,
)
from mlcompiler_gym.v1 import policy_pb2 as pb

#: Sizes that it is said for what they come to.
_SHOWN = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True)
class PortfolioSettings:
    """How a portfolio is made.

    Attributes:
        orders: Journals of evaluations, such as of searches for longer than these. What
            was played there on the programs is tried on all.
        size: Sequences in it, beside ``-Oz``; fewer if more do not help.
        rounds: How often each program is searched on. The searches of a further round,
            or of the first if there are orders, begin with what was best for their
            program so far, wherever it was found.
        compiles: Sequences that are tried in a search.
        steps: How often sequences are extended.
        width: Sequences that are extended at once.
        alone: One sequence, by itself: without ``-Oz`` to fall back on.
        worse: Share of programs that such a one may make worse than ``-Oz`` does.
        folds: Parts that the packages are split into, for what is said of packages
            that the sequences were not chosen on.
        seed: Seed of the searches and of the split into folds.
    """

    orders: tuple[str, ...] = ()
    size: int = 16
    rounds: int = 1
    compiles: int = 60
    steps: int = 6
    width: int = 4
    alone: bool = False
    worse: float = 0.05
    folds: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("size", 1), ("compiles", 1), ("rounds", 0), ("steps", 0)):
            if getattr(self, name) < least:
                raise TrainingError(
                    f"{name} is a number from {least} on, not {getattr(self, name)}"
                )
        if self.folds < 2:
            raise TrainingError(f"there must be two folds or more, not {self.folds}")


def train_portfolio(assignment: Assignment, settings: PortfolioSettings) -> Trained:
    """Search on programs, try everything on all, and choose.

    All that takes long is kept in the folder. A second run with the same arguments
    goes on where the first one stopped, and gives the same policy, byte for byte.

    Args:
        assignment: What is learned, and from which programs.
        settings: How.

    Raises:
        EvaluationError: Work cannot go on; what is done is kept. Or a journal of orders
            cannot be read.
        TrainingError: The environment is not for pass ordering, has several
            objectives or actions of its own; there are fewer packages than folds,
            or no program gains anything. Or a journal has none of the programs, or
            has passes that a search does not choose among.
    """
    check_environment(assignment.env_id, assignment.settings)
    packages = [package_of(program.name) for program in assignment.programs]
    if (found := len(set(packages))) < settings.folds:
        raise TrainingError(
            f"there are {settings.folds} folds, and programs of {found} packages; "
            "search on more packages, or take fewer folds"
        )
    digest = digest_of(assignment, settings)
    curve = Curve(assignment.folder / f"curve-{digest}.jsonl")

    def look(name: str, table: _Table) -> None:
        if not table.baselines.any():
            return
        played = _played(settings.size, table, _unseen(table, packages, settings)[-1])
        places = _choice(table.logs, packages, settings)
        reached = _best_of(table.logs[places], settings)
        curve.add(
            name,
            {"sequences": len(table.sequences)},
            played.measures,
            {RATIO: float(np.exp(reached.mean()))},
        )

    table, llvm = _find(assignment, settings, look)
    places = _choice(table.logs, packages, settings)
    if not places:
        raise TrainingError(
            "no sequence makes programs better than -Oz does; search longer, or on "
            "other programs"
        )
    unseen = _unseen(table, packages, settings)
    sizes = sorted({*(n for n in _SHOWN if n < len(places)), len(places)})
    rows = [_played(size, table, unseen[size]) for size in sizes]
    chosen = min(rows, key=lambda row: row.ratio)
    places = places[: sizes[rows.index(chosen)]]
    message = pb.Policy(task="pass_ordering", llvm_version=llvm, builtin=BEST)
    lines = [",".join(table.sequences[place]) for place in places]
    if not settings.alone:
        lines.insert(0, OZ)
    message.options.add(name="actions", value="\n".join(lines))
    pool = (
        f"{len(table.sequences)} sequences of passes, found and tried on "
        f"{len(packages)} programs"
    )
    method = (
        f"the best of {pool}"
        if settings.alone
        else f"portfolio: of {pool}, the {len(places)} that together do best"
    )
    policy = with_card(
        PortablePolicy(message), assignment, method, settings.seed, chosen
    )
    return Trained(policy, rows, chosen, curve.path)


def _find(
    assignment: Assignment,
    settings: PortfolioSettings,
    look: Callable[[str, _Table], None],
) -> tuple[_Table, str]:
    """All sequences, tried on all programs; and LLVM's version.

    Args:
        assignment: With the programs.
        settings: How they are found.
        look: Called with each step and what is known after it.
    """
    work = _Work(assignment, settings.seed)
    programs = assignment.programs
    packages = [package_of(program.name) for program in programs]
    what = assignment.env_id, dict(assignment.settings)
    table = _Table.empty(len(programs))
    given: list[Passes] = [(OZ,), OZ_PASSES]
    tried = work.do(Trying(*what, tuple(given)), "try -Oz")
    table = table.extended(given, [None, None], tried)
    if orders := played_orders(settings.orders, programs):
        tried = work.do(Trying(*what, tuple(orders)), "try orders")
        table = table.extended(list(orders), list(orders.values()), tried)
        look("orders", table)
    for number in range(1, settings.rounds + 1):
        # In the first round, nothing else may be known to begin with.
        starts = {
            program.name: table.best_of(place)
            for place, program in enumerate(programs)
            if number > 1 or orders
        }
        found = work.do(
            Searching(*what, settings.compiles, starts), f"search, round {number}"
        )
        fresh = {
            tuple(each["sequence"]): place
            for place, each in reversed(list(enumerate(found)))
            # What gains nothing needs no passes.
            if each is not None and each["sequence"]
        }
        if new := [each for each in sorted(fresh) if each not in table.sequences]:
            tried = work.do(Trying(*what, tuple(new)), f"try sequences, round {number}")
            table = table.extended(new, [fresh[each] for each in new], tried)
        look(f"search {number}", table)
    done: set[Passes] = set()
    for number in range(1, settings.steps + 1):
        best = [table.sequences[place] for place in choose(table.logs, packages, 64)]
        waiting = [each for each in [*best, (OZ,)] if each not in done]
        if not (bases := waiting[: settings.width]):
            break
        extending = Extending(*what, tuple(bases))
        tried = work.do(extending, f"extend sequences, step {number}")
        origins = [table.origins[table.sequences.index(base)] for base in bases]
        table = table.extended(
            extending.extended(), [each for each in origins for _ in PASSES], tried
        )
        done.update(bases)
        look(f"extension {number}", table)
    return table, work.llvm


def choose(logs: NDArray[np.float64], packages: Sequence[str], size: int) -> list[int]:
    """The sequences that together do best, each the best beside those before it.

    Args:
        logs: Logarithms of ratios to ``-Oz``, shape (sequences, programs).
        packages: The package of each program.
        size: How many at most.

    Returns:
        Their places, in order; fewer where no other helps.
    """
    weights = _weights(packages)
    reached = np.zeros(logs.shape[1])
    places: list[int] = []
    while len(places) < size:
        means = np.minimum(logs, reached) @ weights
        place = int(np.argmin(means))
        if means[place] >= reached @ weights - 1e-12:
            break
        places.append(place)
        reached = np.minimum(reached, logs[place])
    return places


def choose_one(
    logs: NDArray[np.float64], packages: Sequence[str], worse: float
) -> list[int]:
    """The sequence that does best by itself.

    Args:
        logs: As for :func:`choose`.
        packages: As for :func:`choose`.
        worse: Share of programs that it may make worse than ``-Oz`` does.

    Returns:
        Its place; nothing if none is better than ``-Oz``.
    """
    allowed = (logs > 0).mean(axis=1) <= worse
    means = np.where(allowed, logs @ _weights(packages), np.inf)
    place = int(np.argmin(means))
    return [place] if means[place] < 0 else []


def _choice(
    logs: NDArray[np.float64], packages: Sequence[str], settings: PortfolioSettings
) -> list[int]:
    if settings.alone:
        return choose_one(logs, packages, settings.worse)
    return choose(logs, packages, settings.size)


def geomean(logs: NDArray[np.float64], packages: Sequence[str]) -> float:
    """Where each program gets the best of some sequences, or ``-Oz``.

    The geometric mean over packages of the geometric mean of each.
    """
    reached = np.minimum(0.0, logs.min(axis=0, initial=0.0))
    return float(np.exp(reached @ _weights(packages)))


def _weights(packages: Sequence[str]) -> NDArray[np.float64]:
    """What each program counts: each package as much as another, 1 in all."""
    names, places, counts = np.unique(
        np.array(packages), return_inverse=True, return_counts=True
    )
    weights: NDArray[np.float64] = 1 / (counts[places] * len(names))
    return weights


@dataclass(frozen=True)
class _Table:
    """What sequences come to on programs.

    Attributes:
        sequences: Which.
        origins: On which program each was found; None: it was given.
        logs: Logarithms of ratios to ``-Oz``, shape (sequences, programs); 0 where
            there is none, infinity where the compiler did not survive.
        baselines: What ``-Oz`` comes to, shape (programs,); 0 if that is not known.
    """

    sequences: list[Passes]
    origins: list[int | None]
    logs: NDArray[np.float64]
    baselines: NDArray[np.float64]

    @classmethod
    def empty(cls, programs: int) -> _Table:
        return cls([], [], np.empty((0, programs)), np.zeros(programs))

    def extended(
        self,
        sequences: Sequence[Passes],
        origins: Sequence[int | None],
        tried: Sequence[Any],
    ) -> _Table:
        """With more sequences, and what came of trying them on each program."""
        logs = np.zeros((len(sequences), len(tried)))
        baselines = self.baselines.copy()
        for place, each in enumerate(tried):
            if each is None or not each["baseline"]:
                continue
            baselines[place] = each["baseline"]
            for row, value in enumerate(each["values"]):
                # What leaves nothing of a program is no gain, either.
                logs[row, place] = np.log(value / each["baseline"]) if value else np.inf
        return _Table(
            [*self.sequences, *sequences],
            [*self.origins, *origins],
            np.concatenate([self.logs, logs]),
            baselines,
        )

    def best_of(self, place: int) -> Passes:
        """What is best for a program, the first and shortest of them."""
        return min(
            zip(
                self.logs[:, place],
                map(len, self.sequences),
                self.sequences,
                strict=True,
            ),
            key=lambda each: each[:2],
        )[2]


def _unseen(
    table: _Table, packages: Sequence[str], settings: PortfolioSettings
) -> NDArray[np.float64]:
    """What each program gets out of fold, by portfolios of each size.

    Sequences that were found on a package that is left out are left out with it.

    Returns:
        Logarithms of ratios to ``-Oz``, shape (size + 1, programs).
    """
    names = np.unique(np.array(packages))
    drawn = np.random.default_rng(settings.seed).permutation(names)
    reached = np.zeros((settings.size + 1, len(packages)))
    for fold in np.array_split(drawn, settings.folds):
        out = np.isin(packages, fold)
        usable = [
            row
            for row, origin in enumerate(table.origins)
            if origin is None or not out[origin]
        ]
        logs = table.logs[usable]
        seen = [each for each, left in zip(packages, out, strict=True) if not left]
        places = _choice(logs[:, ~out], seen, settings)
        for size in range(1, settings.size + 1):
            reached[size, out] = _best_of(logs[places[:size]][:, out], settings)
    return reached


def _best_of(
    logs: NDArray[np.float64], settings: PortfolioSettings
) -> NDArray[np.float64]:
    """The best of some sequences for each program, or ``-Oz`` if it is among them."""
    least = np.inf if settings.alone and len(logs) else 0.0
    best: NDArray[np.float64] = logs.min(axis=0, initial=least)
    return best


def _played(size: int, table: _Table, logs: NDArray[np.float64]) -> Played:
    """What so many sequences come to, from the logarithms of ratios."""
    total = float(np.exp(logs) @ table.baselines / table.baselines.sum())
    return Played(
        f"{size} sequences",
        float(np.exp(logs.mean())),
        total,
        float((logs > 0).mean()),
        float(np.exp(logs.max())),
        len(logs),
    )


class _Work:
    """Jobs over the same programs, each result kept."""

    def __init__(self, assignment: Assignment, seed: int) -> None:
        self._assignment = assignment
        self._plans = [EpisodePlan(program, seed) for program in assignment.programs]
        #: LLVM's version, once something was done.
        self.llvm = ""

    def do(self, job: SequenceJob, what: str) -> list[Any]:
        """What came of each program; None: it was not survived."""
        player = job.make_player()
        self.llvm = player.llvm
        player.close()
        files = work_through(
            self._assignment.players(job),
            self._plans,
            [
                self._assignment.folder
                / f"{job.key(plan.program, plan.seed, self.llvm)}.json"
                for plan in self._plans
            ],
            lambda done, total: self._assignment.progress(what, done, total),
        )
        return [
            json.loads(path.read_text()) if path.exists() else None for path in files
        ]
