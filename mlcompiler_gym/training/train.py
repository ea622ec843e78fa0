# SPDX-License-Identifier: Apache-2.0
"""From labels by fork to a policy file, resumable at each step."""

from __future__ import annotations

from mlcompiler_gym.evaluation.player import make_env
from mlcompiler_gym.training.assignment import Assignment, Trained, with_card
from mlcompiler_gym.training.counterfactual import CounterfactualSettings, Forest
from mlcompiler_gym.training.labelling import Labelling, collect
from mlcompiler_gym.training.margin import play_out_of_fold
from mlcompiler_gym.training.playing import choose


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
    labelling = Labelling(
        assignment.env_id,
        assignment.settings,
        policy=settings.base,
        decisions=settings.decisions,
    )
    labels = collect(
        labelling,
        assignment.programs,
        assignment.folder / "labels",
        seed=settings.seed,
        players=assignment.players(labelling),
        progress=lambda done, total: assignment.progress("label programs", done, total),
    )
    env, _ = make_env(assignment.evaluation(settings.base))
    try:
        rows = play_out_of_fold(labels, env, assignment, settings)
        chosen = choose(rows, settings.worse)
        margin = settings.margins[rows.index(chosen)]
        policy = Forest(labels, env, settings).policy(margin)
    finally:
        env.close()
    method = (
        f"counterfactual regression: {len(labels)} decisions labelled by fork, "
        f"deviations from {settings.base}, {settings.trees} extremely randomised "
        f"trees, margin {margin:g}"
    )
    if settings.agreement:
        method += f", agreement {settings.agreement:g}"
    policy = with_card(policy, assignment, method, settings.seed, chosen)
    return Trained(policy, rows, chosen)
