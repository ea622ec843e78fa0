# SPDX-License-Identifier: Apache-2.0
"""What can be entered: tracks, and the classes of each."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from mlcompiler_gym.evaluation import Evaluation
from mlcompiler_gym.leaderboard.errors import LeaderboardError
from mlcompiler_gym.leaderboard.typed import STRICT, Reader, Text
from mlcompiler_gym.programs import Program, load_programs
from mlcompiler_gym.programs.catalogue import entries_of
from mlcompiler_gym.programs.variant import Variant

#: ``policy``: a policy file, played by the verifier. ``search-N``: trajectories that
#: took at most N compiles of each program to find. ``search``: as many as one likes,
#: and says. ``open``: trajectories of whatever origin.
ClassName: TypeAlias = Literal[
    "policy", "search-10", "search-100", "search-1000", "search", "open"
]

#: Name of a folder, and part of an address.
Slug = Annotated[str, Field(pattern="^[a-z0-9][a-z0-9-]{0,63}$")]

#: Seconds that one request to the compiler may take.
_DEADLINE = 60


@dataclass(frozen=True)
class Track:
    """A task, an objective and a set of programs.

    Attributes:
        id: Its name.
        title: The same for people.
        env: Id of the environment.
        objective: What is minimised.
        programs: Name of the set, as for ``load_programs``.
        level: What the programs are marked for.
        classes: Classes that can be entered.
        suspicious: Gain on one program above which it is looked into, as a part of
            LLVM's value.
        tie: Ratios that lie no further from 1 than this are as good as LLVM.
        settings: What else ``gym.make`` is given.
        max_actions: Actions that a trajectory may have.
    """

    __pydantic_config__ = STRICT

    id: Slug
    title: Text
    env: Text
    objective: Text
    programs: Text
    level: Literal["Oz", "O2"]
    classes: tuple[ClassName, ...]
    suspicious: float
    tie: float = 0.0
    settings: Mapping[str, Any] = field(default_factory=dict)
    max_actions: int = 1_000_000

    def evaluation_settings(self) -> dict[str, Any]:
        """All that ``gym.make`` is given, but programs."""
        return {
            "deadline": _DEADLINE,
            **self.settings,
            "objective": self.objective,
            "level": self.level,
        }

    def evaluation(self, policy: str) -> Evaluation:
        """The settings of a policy on this track."""
        return Evaluation(self.env, policy, self.evaluation_settings())

    def command(self, policy: str, output: str) -> str:
        """The ``eval`` command whose results can be packed."""
        settings = [
            f"{key}={value}" for key, value in self.evaluation_settings().items()
        ]
        return (
            f"mlcompiler-gym eval {self.env} {' '.join(settings)} --policy {policy} "
            f"--programs {self.programs} --output {output}"
        )

    def hashes(self) -> dict[str, str]:
        """SHA-256 of each program's bitcode by its name, in order."""
        name, _, split = self.programs.partition(":")
        variant = str(Variant.of(None, self.level))
        # The table has the hashes without files; `pypi` may not have been fetched.
        known = entries_of(name, split or None)
        if known:
            return {e.name: e.hashes[variant] for e in known if variant in e.hashes}
        return {program.name: program.sha256.hex() for program in self.load()}

    def load(self) -> list[Program]:
        """The programs, in order."""
        source = load_programs(self.programs, level=self.level)
        if source.size is None:
            raise LeaderboardError(f"track {self.id}: {self.programs} has no end")
        return list(source)


@dataclass(frozen=True)
class _Tracks:
    """The file ``tracks.toml``."""

    __pydantic_config__ = STRICT

    llvm: Text
    package: Text
    tracks: tuple[Track, ...]


@dataclass(frozen=True)
class Board:
    """A folder with tracks, submissions and what came of verifying them.

    Attributes:
        folder: Where it is.
        llvm: LLVM's version, to the letter.
        package: This package's version, to the letter.
        tracks: By id.
    """

    folder: Path
    llvm: str
    package: str
    tracks: Mapping[str, Track]

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Board:
        """Read ``tracks.toml``.

        Raises:
            LeaderboardError: There is no board in that folder.
            SubmissionError: Its tracks cannot be read.
        """
        path = Path(folder) / "tracks.toml"
        try:
            content = path.read_bytes()
        except OSError as error:
            raise LeaderboardError(
                f"there is no leaderboard in {folder}: cannot read {path}: "
                f"{error.strerror}; name its folder with --board"
            ) from error
        read = Reader(_Tracks).from_toml(content, str(path))
        tracks = {track.id: track for track in read.tracks}
        if len(tracks) < len(read.tracks):
            raise LeaderboardError(f"{path}: two tracks have the same id")
        return cls(Path(folder), read.llvm, read.package, tracks)

    def track(self, name: str) -> Track:
        """The track of that id.

        Raises:
            LeaderboardError: There is none.
        """
        if name in self.tracks:
            return self.tracks[name]
        close = difflib.get_close_matches(name, self.tracks, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise LeaderboardError(
            f"there is no track {name!r}; {hint}`mlcompiler-gym leaderboard tracks` "
            "lists them"
        )

    @property
    def submissions(self) -> Path:
        """Folder of what was submitted."""
        return self.folder / "submissions"

    @property
    def verified(self) -> Path:
        """Folder of what came of verifying it."""
        return self.folder / "verified"
