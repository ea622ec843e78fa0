# SPDX-License-Identifier: Apache-2.0
"""An evaluation from its beginning, or from where it stopped, to its end."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

from mlcompiler_gym.errors import EvaluationError
from mlcompiler_gym.evaluation.journal import Journal
from mlcompiler_gym.evaluation.local import LocalPlayers
from mlcompiler_gym.evaluation.plan import (
    EpisodePlan,
    Evaluation,
    Record,
    Result,
    key_of,
    key_of_record,
    plan_episodes,
)
from mlcompiler_gym.evaluation.player import make_env
from mlcompiler_gym.files import write_file
from mlcompiler_gym.programs import ProgramsLike, load_programs


class Players(Protocol):
    """What plays: processes of this machine, or of a cluster."""

    def play(self, plans: Iterable[EpisodePlan]) -> Iterator[Result]:
        """Play all episodes; results come in the order in which they are done."""


def evaluate(
    evaluation: Evaluation,
    programs: ProgramsLike | None,
    output: str | os.PathLike[str],
    *,
    episodes: int = 1,
    seed: int = 0,
    limit: int | None = None,
    steps_folder: str | os.PathLike[str] | None = None,
    players: Players | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Record]:
    """Play episodes and write each down as soon as it is done.

    Args:
        evaluation: Policy and environment.
        programs: What to compile, as for an environment. ``None``: what suits the
            task.
        output: File of results, JSON Lines. Episodes that are in it are not played
            again.
        episodes: Episodes of each program.
        seed: Seed of the first episode; the others have the following seeds.
        limit: Only the first so many programs.
        steps_folder: Where observations, actions and rewards are written, a file for
            each episode, if ``evaluation.save_steps``.
        players: Who plays. ``None``: this process.
        progress: Called with the episodes that are done and all.

    Returns:
        The record of every episode, in the order of programs and seeds.

    Raises:
        EvaluationError: It cannot be begun, or not be finished; what is done is in
            the file.
        ProgramError: There are no such programs.
    """
    if evaluation.save_steps != (steps_folder is not None):
        raise EvaluationError("save_steps and a folder belong together")
    if episodes < 1:
        raise EvaluationError(f"episodes must be at least 1, not {episodes}")
    # This is made here to report mistakes before anything is begun.
    env, compiler = make_env(evaluation)
    llvm = compiler.setup.service.describe().llvm_version
    config = compiler.setup.config
    source = load_programs(
        compiler.setup.spec.default_programs.split() if programs is None else programs,
        target=config.target or None,
        level=config.level,
        clang_flags=evaluation.settings.get("clang_flags", ()),
    )
    env.close()
    if source.size is None and limit is None:
        raise EvaluationError(f"there is no end of {source}; say how many programs")

    order: list[str] = []
    done = 0
    with Journal(output) as journal:

        def missing() -> Iterator[EpisodePlan]:
            for plan in plans:
                key = key_of(
                    evaluation,
                    llvm,
                    plan.program.name,
                    plan.program.sha256.hex(),
                    plan.seed,
                )
                order.append(key)
                if key not in journal.records:
                    yield plan

        plans = list(plan_episodes(source, episodes=episodes, seed=seed, limit=limit))
        left = list(missing())
        done = len(plans) - len(left)
        progress(done, len(plans))
        if left:
            for result in (players or LocalPlayers(evaluation)).play(left):
                _check(result.record, llvm)
                if steps_folder is not None and result.steps is not None:
                    _save(steps_folder, result)
                journal.append(result.record)
                done += 1
                progress(done, len(plans))
        return [journal.records[key] for key in order]


def _check(record: Record, llvm: str) -> None:
    if record["llvm"] != llvm:
        raise EvaluationError(
            f"a compiler of LLVM {record['llvm']} has answered, and here it is {llvm}"
        )


def steps_file(record: Record) -> str:
    """Name of the file of an episode's observations, actions and rewards."""
    digest = hashlib.sha256(key_of_record(record).encode()).hexdigest()[:16]
    program = Path(record["program"]).name
    return f"{program}-{record['seed']}-{digest}.npz"


def _save(folder: str | os.PathLike[str], result: Result) -> None:
    assert result.steps is not None
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EvaluationError(f"cannot make {folder}: {error.strerror}") from error
    write_file(Path(folder) / steps_file(result.record), result.steps)
