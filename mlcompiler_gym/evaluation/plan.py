# SPDX-License-Identifier: Apache-2.0
"""What an evaluation plays."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from mlcompiler_gym.errors import EvaluationError
from mlcompiler_gym.programs import Program, ProgramSource

#: An episode that was played, as JSON has it; ``docs/evaluation.md`` says what is in
#: it.
Record: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Result:
    """An episode that was played.

    Attributes:
        record: What is said of it.
        steps: Observations, actions and rewards as an ``.npz`` file, if they are
            kept.
    """

    record: Record
    steps: bytes | None = None


class EpisodePlayer(Protocol):
    """What plays episodes, one after the other, in one process."""

    def play(self, program: Program, seed: int) -> Result:
        """Play one episode to its end."""

    def close(self) -> None:
        """End the compile that is under way."""


class Job(Protocol):
    """What is done with programs: an evaluation, or something else of its shape."""

    def make_player(self) -> EpisodePlayer:
        """What does it; called in each process that does."""


@dataclass(frozen=True)
class Evaluation:
    """A policy in an environment.

    Attributes:
        env_id: The environment, as for ``gym.make``.
        policy: Name of the policy, as ``mlcompiler-gym eval --policy`` takes it.
        settings: Further arguments of ``gym.make``; JSON has to have it all.
        save_steps: Keep observations, actions and rewards.
    """

    env_id: str
    policy: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    save_steps: bool = False

    def __post_init__(self) -> None:
        if "programs" in self.settings:
            raise EvaluationError("programs are not a setting of an evaluation")
        try:
            json.dumps(self.settings, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise EvaluationError(f"settings that JSON does not have: {error}") from (
                error
            )

    @property
    def by_function(self) -> bool:
        """Whether each function of a program is judged.

        An episode then still compiles all of a program: what is decided in one function
        changes nothing in another.
        """
        return self.settings.get("function") == "each"

    @property
    def played(self) -> Evaluation:
        """What is played, with the settings of its environment."""
        if not self.by_function:
            return self
        whole = {k: v for k, v in self.settings.items() if k != "function"}
        return dataclasses.replace(self, settings=whole)

    def identity(self) -> Record:
        """What all its records begin with."""
        return {
            "env": self.env_id,
            "settings": dict(self.settings),
            "policy": self.policy,
            "saved": self.save_steps,
        }

    def make_player(self) -> EpisodePlayer:
        """What plays its episodes; called in each process that does.

        Raises:
            EvaluationError: There is no such environment or policy.
        """
        # The module of Player imports this one, so it cannot be imported above.
        from mlcompiler_gym.evaluation.player import Player

        return Player(self)


@dataclass(frozen=True)
class EpisodePlan:
    """One episode to play.

    Attributes:
        program: What is compiled.
        seed: Seed of ``reset``, and of the policy if it takes one.
    """

    program: Program
    seed: int


def judged(record: Record) -> list[Record]:
    """What is compared with LLVM: an episode, or each function that decisions are in.

    Returns:
        Records that have what a function has in ``functions``, beside all else.
    """
    if "functions" not in record:
        return [record]
    return [record | function for function in record["functions"]]


def key_of(
    evaluation: Evaluation, llvm: str, program: str, sha256: str, seed: int
) -> str:
    """What makes an episode this one and no other, as text."""
    identity = {**evaluation.identity(), "llvm": llvm}
    return json.dumps([identity, program, sha256, seed], sort_keys=True)


def key_of_record(record: Record) -> str:
    """The key of an episode that was played.

    Raises:
        KeyError: It is no such record.
    """
    evaluation = Evaluation(
        record["env"], record["policy"], record["settings"], record["saved"]
    )
    return key_of(
        evaluation,
        record["llvm"],
        record["program"],
        record["program_sha256"],
        record["seed"],
    )


def plan_episodes(
    programs: ProgramSource, *, episodes: int, seed: int, limit: int | None
) -> Iterator[EpisodePlan]:
    """The episodes, program by program.

    Args:
        programs: All of them, in order.
        episodes: Episodes of each program; their seeds follow one another.
        seed: Seed of the first episode.
        limit: Only the first so many programs.
    """
    # Plans hold the programs themselves, so that other processes need no files.
    for program in itertools.islice(programs, limit):
        whole = Program(program.name, program.bitcode, program.inputs)
        for index in range(episodes):
            yield EpisodePlan(whole, seed + index)
