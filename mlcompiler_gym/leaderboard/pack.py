# SPDX-License-Identifier: Apache-2.0
"""From an evaluation's results to a submission."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlcompiler_gym.envs.config import CompileConfig
from mlcompiler_gym.envs.trajectory import Trajectory
from mlcompiler_gym.errors import PolicyError, TrajectoryError
from mlcompiler_gym.evaluation import LocalPlayers, Record
from mlcompiler_gym.leaderboard import submission as submissions
from mlcompiler_gym.leaderboard.card import CARD, template
from mlcompiler_gym.leaderboard.contents import POLICY, read_files
from mlcompiler_gym.leaderboard.decider import Decider
from mlcompiler_gym.leaderboard.entries import TRAJECTORIES, Entry, read_entries
from mlcompiler_gym.leaderboard.errors import (
    LeaderboardError,
    Problem,
    SubmissionError,
    refusal,
)
from mlcompiler_gym.leaderboard.submission import read_card
from mlcompiler_gym.leaderboard.tracks import Board, ClassName, Track
from mlcompiler_gym.leaderboard.verify import MakePlayers, check_compiler, recompute
from mlcompiler_gym.measuring import OBJECTIVES

#: Fields in which a trajectory's configuration must agree with the track's. The other
#: fields only say what the agent saw, or show in the value, which is computed again.
_SAME = ("task", "pipeline", "level", "target", "cpu", "function")


def new(folder: Path, board: Board, track: Track, class_name: ClassName) -> None:
    """Begin a submission: a folder with a card to be filled in.

    Raises:
        LeaderboardError: There is one, or the track has no such class.
    """
    submissions.name_of(folder)
    text = template(board, track, class_name)
    try:
        folder.mkdir(parents=True)
        (folder / CARD).write_text(text)
    except FileExistsError:
        raise LeaderboardError(f"{folder} is there already") from None
    except OSError as error:
        raise LeaderboardError(f"cannot write {folder}: {error.strerror}") from error


@dataclass(frozen=True)
class _Found:
    """The best episode of a program."""

    trajectory: Trajectory
    value: float | None
    compiles: int


def pack(
    folder: Path,
    board: Board,
    journal: str | os.PathLike[str],
    *,
    compiles: int | None = None,
    players: MakePlayers = LocalPlayers,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Put a policy, or the trajectories of an evaluation, into a submission.

    The best of several episodes of a program is taken, and the compiles of all of them
    are counted. Each trajectory is compiled once more, by the track's own settings.

    Args:
        folder: Folder of the submission, with its card.
        board: What is submitted to.
        journal: What ``eval`` wrote, or trajectories, one a line; in the class
            ``policy``, the policy's file.
        compiles: How many each episode took; None: as many as the journal says, and one
            if it does not.
        players: Who compiles.
        progress: Called with the programs that are done and all.

    Returns:
        How many trajectories or policies there are.

    Raises:
        LeaderboardError: The compiler here is another one.
        SubmissionError: Something is wrong with the card or the trajectories.
    """
    card = read_card(read_files(folder))
    track = board.track(card.track)
    if card.class_name == "policy":
        submissions.write(folder, card, [], _policy(Path(journal), track))
        return 1
    found = _read(Path(journal), track, check_compiler(board, track), compiles)
    hashes = track.hashes()
    _check_programs(found, hashes, track, str(journal))
    attempts = {name: each.trajectory.actions for name, each in found.items()}
    digest = hashlib.sha256(json.dumps(attempts).encode()).hexdigest()
    with tempfile.TemporaryDirectory(prefix="mlcompiler-gym-") as scratch:
        records = recompute(
            track,
            attempts,
            digest,
            Path(scratch, "packing.jsonl"),
            players=players,
            progress=progress,
        )
    problems = [
        problem
        for name, record in records.items()
        for problem in _problems(record, found[name], track, str(journal))
    ]
    if problems:
        raise SubmissionError(problems)
    entries = [
        Entry(
            name,
            record["program_sha256"],
            attempts[name],
            found[name].compiles,
            record["value"],
            record["baseline"],
            record["object_sha256"],
        )
        for name, record in records.items()
    ]
    submissions.write(folder, card, entries)
    return len(entries)


def _problems(
    record: Record, found: _Found, track: Track, file: str
) -> Iterator[Problem]:
    """Why a trajectory cannot be submitted, after it was compiled once more."""
    name = record["program"]
    for kind, message in record["refusals"].items():
        yield Problem(file, f"{name}: {kind}: {message}", "submit another trajectory")
    # What is measured is another number each time.
    static = track.objective not in OBJECTIVES and record["value"] is not None
    if static and found.value is not None and record["value"] != found.value:
        yield Problem(
            file,
            f"{name}: {track.objective} is {found.value:g} there, and "
            f"{record['value']:g} with the settings of the track",
            _evaluate(track),
        )


def seal(folder: Path, board: Board) -> None:
    """Take over changes that were made to a card behind packing.

    Raises:
        SubmissionError: Nothing has been packed yet.
    """
    files = read_files(folder)
    card = read_card(files)
    if POLICY in files:
        submissions.write(folder, card, [], files[POLICY])
        return
    if TRAJECTORIES not in files:
        raise refusal(
            TRAJECTORIES,
            "nothing has been packed yet",
            "name the file that `mlcompiler-gym eval` wrote",
        )
    entries = read_entries(files[TRAJECTORIES])
    submissions.write(folder, card, entries)


def _read(
    journal: Path, track: Track, wanted: CompileConfig, compiles: int | None
) -> dict[str, _Found]:
    """The best episode of each program, with the compiles of all of them."""
    found: dict[str, _Found] = {}
    spent: Counter[str] = Counter()
    for number, record in _records(journal):

        def problem(what: str, way_out: str, line: int = number) -> SubmissionError:
            return refusal(str(journal), what, way_out, line)

        # A line of `eval`, or a trajectory by itself.
        content = record.get("trajectory", record)
        named = content if isinstance(content, dict) else record
        spent[str(named.get("program"))] += compiles or _compiles_of(record)
        if content is None or record.get("error") is not None:
            continue
        try:
            trajectory = Trajectory.from_json(json.dumps(content))
        except TrajectoryError as error:
            raise problem(str(error), "name a file of `mlcompiler-gym eval`") from error
        _check_settings(trajectory, wanted, _evaluate(track), problem)
        values = record.get("objective")
        value = values.get(track.objective) if isinstance(values, dict) else None
        before = found.get(trajectory.program)
        if before is None or _better(value, before.value):
            found[trajectory.program] = _Found(trajectory, value, 0)
    return {
        name: dataclasses.replace(each, compiles=spent[name])
        for name, each in found.items()
    }


def _compiles_of(record: Any) -> int:
    """The compiles of an episode: of a search, what it says that it has spent."""
    search = record.get("search")
    said = search.get("compiles") if isinstance(search, dict) else None
    return said if isinstance(said, int) and said > 0 else 1


def _better(value: float | None, before: float | None) -> bool:
    return before is None or (value is not None and value < before)


def _policy(path: Path, track: Track) -> bytes:
    """A policy's file, once it is sure that it can be played."""
    try:
        content = path.read_bytes()
        Decider(track, content).close()
    except OSError as error:
        raise LeaderboardError(f"cannot read {path}: {error.strerror}") from error
    except PolicyError as error:
        raise refusal(
            str(path), str(error), "save one with PortablePolicy.save"
        ) from error
    return content


def _evaluate(track: Track) -> str:
    return f"evaluate as the track asks: {track.command('POLICY', 'FILE')}"


def _check_settings(
    trajectory: Trajectory,
    wanted: CompileConfig,
    way_out: str,
    problem: Callable[[str, str], SubmissionError],
) -> None:
    for name in _SAME:
        found, right = getattr(trajectory.config, name), getattr(wanted, name)
        if found != right:
            raise problem(
                f"{trajectory.program} was compiled with {name} {found!r}, and the "
                f"track has {right!r}",
                way_out,
            )


def _records(journal: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        lines = journal.read_bytes().splitlines()
    except OSError as error:
        raise LeaderboardError(f"cannot read {journal}: {error.strerror}") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            if not isinstance(record, dict):
                raise ValueError("it is not an object")
        except (ValueError, RecursionError) as error:
            raise refusal(
                str(journal),
                f"it is not JSON Lines: {error}",
                "name a file of `mlcompiler-gym eval`",
                number,
            ) from error
        yield number, record


def _check_programs(
    found: dict[str, _Found], hashes: dict[str, str], track: Track, file: str
) -> None:
    problems = [
        Problem(file, f"there is no episode of {name}", _evaluate(track))
        for name in hashes
        if name not in found
    ]
    for name, each in found.items():
        if name not in hashes:
            problems.append(
                Problem(file, f"{name} is no program of {track.programs}", "remove it")
            )
        elif each.trajectory.program_sha256 != hashes[name]:
            problems.append(
                Problem(
                    file,
                    f"{name} is another program than the track's, which has SHA-256 "
                    f"{hashes[name]}",
                    _evaluate(track),
                )
            )
    if problems:
        raise SubmissionError(problems)
