# SPDX-License-Identifier: Apache-2.0
"""From labels by fork to a policy file, resumable at each step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.errors import TrainingError
from mlcompiler_gym.evaluation.player import make_env
from mlcompiler_gym.policies.export.inputs import Inputs
from mlcompiler_gym.programs.named_set import package_of
from mlcompiler_gym.training.assignment import Assignment, Trained, with_card
from mlcompiler_gym.training.counterfactual import (
    CounterfactualSettings,
    Forest,
    places_of,
)
from mlcompiler_gym.training.curve import Curve, digest_of
from mlcompiler_gym.training.labelling import Labelling, collect
from mlcompiler_gym.training.labels import Labels
from mlcompiler_gym.training.out_of_fold import (
    FoldSettings,
    check_folds,
    play_out_of_fold,
)
from mlcompiler_gym.training.playing import choose
from mlcompiler_gym.training.rules import Rules, RulesSettings
from mlcompiler_gym.training.trials import Trials


def train_counterfactual(
    assignment: Assignment, settings: CounterfactualSettings
) -> Trained:
    """Label decisions, fit a forest, choose its margin, and make a policy.

    All that takes long is kept in the folder. A second run with the same arguments
    goes on where the first one stopped, and gives the same policy, byte for byte.

    Args:
        assignment: What is learned, and from which programs.
        settings: Settings of the labels, of the forest, and of the choice of a margin.

    Raises:
        EvaluationError: Playing cannot go on; what is done is kept.
        TrainingError: There is too little to learn from.
    """
    method = (
        f"deviations from {settings.base}, {settings.trees} extremely randomised trees"
    )
    if settings.agreement:
        method += f", agreement {settings.agreement:g}"
    return _train_on_labels(
        assignment,
        settings,
        lambda labels, env: Forest(labels, env, settings),
        {margin: f"margin {margin:g}" for margin in settings.margins},
        f"counterfactual regression: {method}",
    )


def train_rules(assignment: Assignment, settings: RulesSettings) -> Trained:
    """Label decisions, find rules, try them in episodes, and make a policy.

    Resumable and repeatable as :func:`train_counterfactual`.

    Args:
        assignment: What is learned, and from which programs.
        settings: Settings of the labels, of the rules, and of the choice.

    Raises:
        EvaluationError: Playing cannot go on; what is done is kept.
        TrainingError: There is too little to learn from.
    """
    trials: list[Trials] = []

    def fit(labels: Labels, env: Any) -> Rules:
        if not trials:
            trials.append(Trials(assignment, assignment.programs, settings))
        names = set(labels.programs.tolist())
        return Rules(labels, env, settings, partial(trials[0].pays, names))

    try:
        return _train_on_labels(
            assignment,
            settings,
            fit,
            {count: f"rules {count}" for count in settings.counts},
            f"rules for where to deviate from {settings.base}",
        )
    finally:
        for each in trials:
            each.close()


def _check(env: CompilerEnv, assignment: Assignment, settings: FoldSettings) -> None:
    """Refuse, before anything is labelled, what cannot be learned from labels.

    Raises:
        TrainingError: There are not two actions, no deviations from such a base, or
            fewer packages than folds.
    """
    if env.setup.actions.counts != (2,):
        raise TrainingError(
            f"{env.task} does not decide between two actions, which this algorithm is "
            "for; take another --algo"
        )
    places_of(env, settings.base, Inputs(env).messages())
    packages = (package_of(program.name) for program in assignment.programs)
    check_folds(packages, settings.folds)


def _train_on_labels(
    assignment: Assignment,
    settings: FoldSettings,
    fit: Callable[[Labels, Any], Forest | Rules],
    candidates: Mapping[Any, str],
    method: str,
) -> Trained:
    """Label, play what is learned from folds, and learn from all.

    Args:
        assignment: What is learned.
        settings: Which decisions are labelled, and the folds.
        fit: Learns from labels of an environment.
        candidates: Policies to choose from, and their names.
        method: How, for the card.
    """
    labelling = Labelling(
        assignment.env_id,
        assignment.settings,
        policy=settings.base,
        decisions=settings.decisions,
        callees=settings.callees,
    )
    digest = digest_of(assignment, settings)
    curve = Curve(assignment.folder / f"curve-{digest}.jsonl")
    env, compiler = make_env(assignment.evaluation(settings.base))
    try:
        _check(compiler, assignment, settings)
        labels = collect(
            labelling,
            assignment.programs,
            assignment.folder / "labels",
            seed=settings.seed,
            players=assignment.players(labelling),
            progress=lambda done, total: assignment.progress(
                "label programs", done, total
            ),
        )
        rows = play_out_of_fold(
            labels,
            assignment,
            settings,
            lambda some: fit(some, env).policy,
            candidates,
        )
        for row in rows:
            curve.add(row.name, {"labels": len(labels)}, row.measures)
        chosen = choose(rows, settings.worse)
        best = list(candidates)[rows.index(chosen)]
        policy = fit(labels, env).policy(best)
    finally:
        env.close()
    what = ", with all calls of a callee" if settings.callees else ""
    method = f"{method}, {chosen.name}; {len(labels)} decisions labelled by fork{what}"
    policy = with_card(policy, assignment, method, settings.seed, chosen)
    return Trained(policy, rows, chosen, curve.path)
