# SPDX-License-Identifier: Apache-2.0
"""The decisions that pages show: played once, and kept."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import mlcompiler_gym
from mlcompiler_gym.envs.actions import Action
from mlcompiler_gym.evaluation import EpisodePlan, EpisodePlayer, Players, Result
from mlcompiler_gym.evaluation.work import work_key, work_through
from mlcompiler_gym.leaderboard.decider import Decider
from mlcompiler_gym.leaderboard.errors import LeaderboardError, SubmissionError
from mlcompiler_gym.leaderboard.tracks import Board, Track
from mlcompiler_gym.leaderboard.typed import STRICT, Reader
from mlcompiler_gym.leaderboard.verify import check_compiler
from mlcompiler_gym.leaderboard.walk import Step, Walker
from mlcompiler_gym.programs import Program

#: Decisions of each program.
STEPS = 120

#: What these compiles are measured by, which is not shown: the cheapest there is.
_OBJECTIVE = "ir_instructions"
#: Raise it when the same compile will be shown in another way.
_FORMAT = 2
#: What the files are called.
_NAME = re.compile(r"[0-9a-f]{32}\.gz")


@dataclass(frozen=True)
class Wanted:
    """The decisions of one submission on one program.

    Attributes:
        track: How the program is compiled.
        program: Its name.
        sha256: Hash of its bitcode.
        actions: The first decisions; empty if there is a policy.
        policy: The file of the policy that decides.
    """

    track: Track
    program: str
    sha256: str
    actions: tuple[Action, ...] = ()
    policy: bytes | None = None

    @property
    def compiled(self) -> Track:
        """How the program is compiled, with an objective that no program runs for."""
        return dataclasses.replace(self.track, objective=_OBJECTIVE)

    def key(self, llvm: str) -> str:
        """What makes these decisions the ones that they are."""
        return work_key(
            [
                _FORMAT,
                STEPS,
                mlcompiler_gym.__version__,
                llvm,
                self.track.env,
                self.compiled.evaluation_settings(),
                self.program,
                self.sha256,
                self.actions,
                self.policy and hashlib.sha256(self.policy).hexdigest(),
            ]
        )


@dataclass(frozen=True)
class Looking:
    """Playing decisions, to show them.

    Attributes:
        wanted: All of them; the seed of an episode says which one it is.
        llvm: LLVM's version.
    """

    wanted: Sequence[Wanted]
    llvm: str

    def make_player(self) -> EpisodePlayer:
        """What plays them; called in each process that does."""
        return _Looker(self)


#: Makes what plays: processes of this machine, or of a cluster.
MakePlayers: TypeAlias = Callable[[Looking], Players]


@dataclass(frozen=True)
class _Shown:
    """What a file has."""

    __pydantic_config__ = STRICT

    steps: tuple[Step, ...]


_READER = Reader(_Shown)


class _Looker:
    """Plays in one process, one track after the other."""

    def __init__(self, looking: Looking) -> None:
        self._looking = looking
        self._track: Track | None = None
        self._walker: Walker | None = None

    def play(self, program: Program, seed: int) -> Result:
        """Compile up to the last decision that is shown."""
        wanted = self._looking.wanted[seed]
        track = wanted.compiled
        actions: Sequence[Action] = wanted.actions
        if wanted.policy is not None:
            decider = Decider(track, wanted.policy)
            actions, _ = decider.decide(program, STEPS)
            decider.close()
        steps = self._walker_of(track).look(program, actions, STEPS)
        text = _READER.to_json(_Shown(steps))
        content = gzip.compress(text.encode(), mtime=0)
        return Result({"key": wanted.key(self._looking.llvm)}, content)

    def _walker_of(self, track: Track) -> Walker:
        if self._walker is None or self._track != track:
            self.close()
            self._track, self._walker = track, Walker(track.evaluation("llvm"))
        return self._walker

    def close(self) -> None:
        """End the compile that is under way."""
        if self._walker is not None:
            self._walker.close()


def look(
    board: Board,
    wanted: Sequence[Wanted],
    folder: Path,
    players: MakePlayers,
    progress: Callable[[int, int], None],
) -> Mapping[tuple[str, str], tuple[Step, ...]]:
    """Find the decisions that are wanted; files keep them for the next time.

    Args:
        board: Whose they are.
        wanted: Which ones, each of another track or program.
        folder: Folder of the files. Files that are not needed any more are removed.
        players: Who plays.
        progress: Called with the programs that are done and all.

    Returns:
        By track and program.

    Raises:
        LeaderboardError: The compiler here is another one than the board's, or nothing
            can be written in the folder.
    """
    files = [folder / f"{each.key(board.llvm)}.gz" for each in wanted]
    kept = {path: steps for path in files if (steps := _read(path)) is not None}
    _clear(folder, kept.keys())
    missing = {
        path: each for each, path in zip(wanted, files, strict=True) if path not in kept
    }
    if missing:
        looking = Looking(list(missing.values()), board.llvm)
        check_compiler(board, looking.wanted[0].track)
        work_through(
            players(looking),
            list(_plans(looking.wanted)),
            list(missing),
            progress,
        )
    for path in missing:
        steps = _read(path)
        if steps is None:
            raise LeaderboardError(
                f"{path} was changed meanwhile; run the same command again"
            )
        kept[path] = steps
    return {
        (each.track.id, each.program): kept[path]
        for each, path in zip(wanted, files, strict=True)
    }


def _clear(folder: Path, whole: Set[Path]) -> None:
    """Remove files that are broken, or that are not needed any more."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            if _NAME.fullmatch(path.name) and path not in whole:
                path.unlink()
    except OSError as error:
        raise LeaderboardError(
            f"cannot write in {folder}: {error.strerror}; name another folder with "
            "--keep"
        ) from error


def _plans(wanted: Sequence[Wanted]) -> Iterator[EpisodePlan]:
    programs: dict[str, dict[str, Program]] = {}
    for number, each in enumerate(wanted):
        track = each.track
        if track.id not in programs:
            programs[track.id] = {program.name: program for program in track.load()}
        found = programs[track.id][each.program]
        # Plans hold the programs themselves, so that other processes need no files.
        yield EpisodePlan(Program(found.name, found.bitcode, found.inputs), number)


def _read(path: Path) -> tuple[Step, ...] | None:
    """What a file has; None if there is none, or if it is not whole."""
    try:
        return _READER.from_json(gzip.decompress(path.read_bytes()), path.name).steps
    except (OSError, EOFError, zlib.error, SubmissionError):
        return None
