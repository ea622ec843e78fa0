# SPDX-License-Identifier: Apache-2.0
"""From programs to a policy file, resumable at each step."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlcompiler_gym.errors import TrainingError
from mlcompiler_gym.evaluation import Evaluation, LocalPlayers, Players
from mlcompiler_gym.evaluation.player import make_env
from mlcompiler_gym.policies import PortablePolicy
from mlcompiler_gym.programs import Program
from mlcompiler_gym.suggest import did_you_mean
from mlcompiler_gym.training.counterfactual import CounterfactualSettings, Forest
from mlcompiler_gym.training.labelling import Labelling, collect
from mlcompiler_gym.training.margin import Played, choose, play_out_of_fold
from mlcompiler_gym.v1 import policy_pb2 as pb

#: Called with what is being done, how much of it is done, and of how much.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Trained:
    """What came of a training.

    Attributes:
        policy: With its card.
        margins: What each margin came to on packages that it was not fitted to.
        chosen: The one that the policy has.
        labels: How many decisions it was learned from.
    """

    policy: PortablePolicy
    margins: Sequence[Played]
    chosen: Played
    labels: int


def train_counterfactual(
    labelling: Labelling,
    programs: Sequence[Program],
    folder: Path,
    settings: CounterfactualSettings,
    *,
    seed: int = 0,
    players: Callable[[Any], Players] = LocalPlayers,
    card: pb.Card | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Trained:
    """Label decisions, fit a forest, choose its margin, and make a policy.

    All that takes long is kept in the folder. A second run with the same arguments
    goes on where the first one stopped, and gives the same policy, byte for byte.

    Args:
        labelling: Which decisions are labelled, and how.
        programs: What is learned from.
        folder: Folder of labels, policies and journals.
        settings: Settings of the forest and of the choice of a margin.
        seed: What decisions are drawn by.
        players: Who labels and plays: made of a labelling or an evaluation.
        card: What the policy is said to be; results are added.
        progress: Called as work is done.

    Raises:
        EvaluationError: Playing cannot go on; what is done is kept.
        TrainingError: There is too little to learn from.
    """
    labels = collect(
        labelling,
        programs,
        folder / "labels",
        seed=seed,
        players=players(labelling),
        progress=lambda done, total: progress("label programs", done, total),
    )
    evaluation = Evaluation(labelling.env_id, labelling.policy, labelling.settings)
    env, _ = make_env(evaluation)
    try:
        played = folder / "played"
        played.mkdir(exist_ok=True)
        rows = play_out_of_fold(
            labels,
            env,
            evaluation,
            {program.name: program for program in programs},
            settings,
            played,
            players=players,
            progress=lambda done, total: progress("play out of fold", done, total),
        )
        chosen = choose(rows, settings.worse)
        forest = Forest(labels, env, settings, labelling.policy)
        policy = forest.policy(chosen.margin)
    finally:
        env.close()
    card = pb.Card() if card is None else card
    card.seeds.append(seed)
    card.seen.extend(policy.card.seen)
    card.method = card.method or (
        f"counterfactual regression: {len(labels)} decisions labelled by fork, "
        f"deviations from {labelling.policy}, {settings.trees} extremely randomised "
        f"trees, margin {chosen.margin:g}"
    )
    for name, value in (
        ("out of fold, geometric mean against LLVM", chosen.ratio),
        ("out of fold, total against LLVM", chosen.total),
        ("out of fold, share of programs worse", chosen.worse),
        ("out of fold, worst program", chosen.worst),
    ):
        card.results.add(name=name, value=value)
    return Trained(policy.with_card(card), rows, chosen, len(labels))


def load_settings(
    path: Path | None, given: Mapping[str, Any]
) -> CounterfactualSettings:
    """Settings from a TOML file, and from further arguments.

    Raises:
        TrainingError: The file cannot be read, or there is no such setting.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text())
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise TrainingError(f"cannot read the settings {path}: {error}") from error
    values |= given
    known = [each.name for each in dataclasses.fields(CounterfactualSettings)]
    for name in values:
        if name not in known:
            raise TrainingError(
                f"there is no setting {name!r}; "
                f"{did_you_mean(name, known)}there are {', '.join(known)}"
            )
    if "margins" in values:
        values["margins"] = tuple(values["margins"])
    return CounterfactualSettings(**values)
