# SPDX-License-Identifier: Apache-2.0
"""Verifying a submission: all that it claims is computed again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from mlcompiler_gym.envs.actions import Action
from mlcompiler_gym.envs.config import CompileConfig
from mlcompiler_gym.evaluation import LocalPlayers, Players, Record, evaluate
from mlcompiler_gym.evaluation.player import make_env
from mlcompiler_gym.evaluation.statistics import (
    DIGITS,
    compare,
    ratio_of,
    rounded,
)
from mlcompiler_gym.leaderboard.entries import Entry
from mlcompiler_gym.leaderboard.errors import LeaderboardError
from mlcompiler_gym.leaderboard.recompute import Recomputation
from mlcompiler_gym.leaderboard.submission import Submission, read
from mlcompiler_gym.leaderboard.tracks import Board, Track
from mlcompiler_gym.leaderboard.verdict import (
    Finding,
    Private,
    Row,
    Status,
    Times,
    Verdict,
)
from mlcompiler_gym.measuring import OBJECTIVES
from mlcompiler_gym.programs import Program

#: Makes what compiles: processes of this machine, or of a cluster.
MakePlayers = Callable[[Recomputation], Players]


def check_compiler(board: Board, track: Track) -> CompileConfig:
    """How a track compiles, with the LLVM version of the board.

    Raises:
        LeaderboardError: The compiler service here is of another version.
    """
    env, compiler = make_env(track.evaluation("never"))
    found = compiler.setup.service.describe().llvm_version
    config = compiler.setup.config
    env.close()
    if found != board.llvm:
        raise LeaderboardError(
            f"the compiler here is of LLVM {found}, and this board of {board.llvm}; "
            "nothing that it makes can be compared"
        )
    return config


def recompute(
    track: Track,
    attempts: Mapping[str, Sequence[Action]],
    digest: str,
    journal: str | os.PathLike[str],
    policy_file: bytes | None = None,
    programs: Sequence[Program] | None = None,
    *,
    players: MakePlayers = LocalPlayers,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Record]:
    """Compile all programs of a track again; what is in the journal is not repeated.

    Args:
        track: Environment, objective, programs.
        attempts: The actions for each program.
        digest: What tells these attempts from others.
        journal: Results on disk.
        policy_file: What decides instead of attempts.
        programs: Others than those of the track.
        players: Who compiles.
        progress: Called with the programs that are done and all.

    Returns:
        What :class:`~mlcompiler_gym.leaderboard.recompute.Recomputer` says, by program.
    """
    what = Recomputation.of(track, attempts, digest, policy_file)
    records = evaluate(
        what,
        programs or track.load(),
        journal,
        players=players(what),
        progress=progress,
    )
    return {record["program"]: record for record in records}


def verify(
    path: str | os.PathLike[str],
    board: Board,
    journal: str | os.PathLike[str] | None = None,
    *,
    private: str | os.PathLike[str] | None = None,
    players: MakePlayers = LocalPlayers,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Verdict:
    """Compute all that a submission claims once more.

    Nothing that the submitter wrote is executed, but policies, which are data.

    Args:
        path: The submission: a folder, or an archive of one.
        board: What it was submitted to.
        journal: File that says how far this has come; it is gone on with from there.
            ``None``: ``verifying-NAME.jsonl`` in the current folder.
        private: Folder of bitcode that a policy also plays on; folders in
            it are packages. The journal has what came of each, the verdict only what
            they come to together.
        players: Who compiles.
        progress: Called with the programs that are done and all.

    Raises:
        LeaderboardError: The compiler here is another one.
        SubmissionError: The submission is malformed.
    """
    submission = read(path, board)
    track = board.track(submission.card.track)
    check_compiler(board, track)
    if journal is None:
        journal = Path(f"verifying-{submission.name}.jsonl")
    entries = {entry.program: entry for entry in submission.entries}
    records = recompute(
        track,
        {name: entry.actions for name, entry in entries.items()},
        submission.digest,
        journal,
        submission.policy,
        players=players,
        progress=progress,
    )
    secret: list[Record] = []
    if private is not None:
        secret = _play_private(submission, track, private, journal, players, progress)
    findings = [
        finding
        for name, record in records.items()
        for finding in _findings(record, entries.get(name), track)
    ]
    if any(record["refusals"] for record in secret):
        findings.append(
            Finding("private", "private", "a program of the private set was not right")
        )
    return Verdict(
        submission.name,
        submission.digest,
        submission.card,
        board.llvm,
        _status(findings),
        tuple(findings),
        tuple(_rows(records, entries)),
        None if submission.policy is None else len(submission.policy),
        _times(list(records.values())),
        _summary(secret, track),
    )


def _findings(record: Record, entry: Entry | None, track: Track) -> Iterator[Finding]:
    name = record["program"]
    for kind, message in record["refusals"].items():
        yield Finding(name, kind, message)
    if record["value"] is None:
        return
    if entry is not None:
        yield from _false_claims(record, entry, track)
    if record["smallest"] is not None:
        gain = 1 - ratio_of(record["value"], record["baseline"])
        part = ", then ".join(record["smallest"]) or "of no part in particular"
        yield Finding(
            name,
            "suspicious",
            f"{gain:.1%} better than LLVM, and more than {track.suspicious:.0%} is not "
            f"believed before a person has looked; what most of it comes from: {part}",
        )


def _false_claims(record: Record, entry: Entry, track: Track) -> Iterator[Finding]:
    name = entry.program
    # What is measured is another number each time; it is what the verifier finds.
    if track.objective not in OBJECTIVES:
        for what, claimed in (("value", entry.value), ("baseline", entry.baseline)):
            if record[what] != claimed:
                yield Finding(
                    name,
                    what,
                    f"the submission says that {track.objective} is {claimed:g} "
                    f"({what}), and it is {record[what]:g}; pack the submission again",
                )
    if record["object_sha256"] != entry.object_sha256:
        yield Finding(
            name,
            "object",
            f"the submission says that the object file has SHA-256 "
            f"{entry.object_sha256}, and its actions lead to {record['object_sha256']}"
            "; pack the submission again",
        )


def _status(findings: Sequence[Finding]) -> Status:
    if any(finding.kind != "suspicious" for finding in findings):
        return "refused"
    return "flagged" if findings else "accepted"


def _rows(records: Mapping[str, Record], entries: Mapping[str, Entry]) -> Iterator[Row]:
    for name, record in records.items():
        if record["value"] is not None:
            yield Row(
                name,
                record["value"],
                record["baseline"],
                record["decisions"],
                entries[name].compiles if name in entries else None,
                record["object_sha256"],
                record["validation"],
            )


def _times(records: Sequence[Record]) -> Times | None:
    timed = [record for record in records if record["seconds"] is not None]
    if not timed:
        return None
    ours = sum(record["seconds"] for record in timed)
    ratio = ours / sum(record["baseline_seconds"] for record in timed)
    decisions = sum(record["decisions"] for record in timed)
    if timed[0]["decision_seconds"] is None or not decisions:
        return Times(ratio)
    spent = sum(record["decision_seconds"] for record in timed)
    return Times(ratio, 1e6 * spent / decisions)


def _play_private(
    submission: Submission,
    track: Track,
    folder: str | os.PathLike[str],
    journal: str | os.PathLike[str],
    players: MakePlayers,
    progress: Callable[[int, int], None],
) -> list[Record]:
    if submission.policy is None:
        raise LeaderboardError(
            "trajectories cannot be of private programs, which no submitter has"
        )
    records = recompute(
        track,
        {},
        submission.digest,
        journal,
        submission.policy,
        private_programs(folder),
        players=players,
        progress=progress,
    )
    return list(records.values())


def private_programs(folder: str | os.PathLike[str]) -> list[Program]:
    """All bitcode of a folder, under names that say nothing.

    Raises:
        LeaderboardError: There is none.
    """
    files = sorted(Path(folder).rglob("*.bc"))
    packages = sorted({file.parent for file in files})
    if not files:
        raise LeaderboardError(f"there is no bitcode (*.bc) in {folder}")
    return [
        Program(f"private/{packages.index(file.parent)}/{number}", file.read_bytes())
        for number, file in enumerate(files)
    ]


def _summary(records: Sequence[Record], track: Track) -> Private | None:
    rows = [record for record in records if record["value"] is not None]
    if not rows:
        return None
    values = ((row["program"], row["value"], row["baseline"]) for row in rows)
    found = compare(values, track.tie)
    return Private(len(rows), *rounded(found.mean), round(found.worse, DIGITS))
