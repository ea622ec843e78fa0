# SPDX-License-Identifier: Apache-2.0
"""What an algorithm is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlcompiler_gym.evaluation import Evaluation, LocalPlayers, Players
from mlcompiler_gym.policies import PortablePolicy
from mlcompiler_gym.programs import Program
from mlcompiler_gym.training.playing import Played
from mlcompiler_gym.v1 import policy_pb2 as pb

#: Called with what is being done, how much of it is done, and of how much.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Assignment:
    """What is learned, from which programs, and where the work is kept.

    Attributes:
        env_id: An environment.
        programs: Programs to learn from.
        folder: Folder of all that takes long. A second run goes on from there.
        settings: Further arguments of ``gym.make``; JSON has to have it all.
        players: Processes that label and play: made of a labelling or an evaluation.
        card: What the policy is said to be; seeds and results are added.
        progress: Called as work is done.
    """

    env_id: str
    programs: Sequence[Program]
    folder: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    players: Callable[[Any], Players] = LocalPlayers
    card: pb.Card = field(default_factory=pb.Card)
    progress: Progress = lambda what, done, total: None

    def evaluation(self, policy: str) -> Evaluation:
        """A policy, by name or file, in this environment."""
        return Evaluation(self.env_id, policy, self.settings)


@dataclass(frozen=True)
class Trained:
    """What came of a training.

    Attributes:
        policy: With its card.
        played: What each candidate came to on packages that it was not learned from.
        chosen: The candidate that is the policy.
        curve: File of the learning curve, for
            :func:`~mlcompiler_gym.training.read_curve`.
    """

    policy: PortablePolicy
    played: Sequence[Played]
    chosen: Played
    curve: Path


def with_card(
    policy: PortablePolicy,
    assignment: Assignment,
    method: str,
    seed: int,
    chosen: Played,
) -> PortablePolicy:
    """The policy, with a card that says how it was made and what it came to."""
    card = pb.Card()
    card.CopyFrom(assignment.card)
    card.seeds.append(seed)
    card.seen.extend(policy.card.seen)
    card.method = card.method or method
    for name, value in (
        ("geometric mean against LLVM", chosen.ratio),
        ("total against LLVM", chosen.total),
        ("share of programs worse", chosen.worse),
        ("worst program", chosen.worst),
    ):
        card.results.add(name=f"out of fold, {name}", value=value)
    return policy.with_card(card)
