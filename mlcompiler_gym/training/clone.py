# SPDX-License-Identifier: Apache-2.0
"""Cloning: a network that decides as a policy does, LLVM's own or a rule."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mlcompiler_gym.envs import CompilerVectorEnv
from mlcompiler_gym.envs.wrappers import signed_log
from mlcompiler_gym.errors import TrainingError
from mlcompiler_gym.policies import PortablePolicy
from mlcompiler_gym.policies.export import from_sklearn
from mlcompiler_gym.programs import Program
from mlcompiler_gym.training.assignment import Assignment, Trained
from mlcompiler_gym.training.compilers import make_compilers, settings_of
from mlcompiler_gym.training.rounds import (
    Learner,
    Lesson,
    RoundSettings,
    hold_out,
    train_in_rounds,
)


@dataclass(frozen=True)
class CloneSettings(RoundSettings):
    """How a policy is cloned; a round is a number of passes over its decisions.

    Attributes:
        base: The policy, by name.
        epochs: Passes over all decisions in a round.
        hidden: Sizes of the hidden layers.
        learning_rate: Adam's.
        batch: How many decisions a step of Adam is made of.
        envs: How many programs are compiled at the same time.
    """

    base: str = "llvm"
    epochs: int = 10
    hidden: tuple[int, ...] = (64, 64)
    learning_rate: float = 1e-3
    batch: int = 256
    envs: int = 2


def train_clone(assignment: Assignment, settings: CloneSettings) -> Trained:
    """Fit scikit-learn's network to what a policy decides.

    The network sees what the environment of the assignment shows, even if the policy
    decides by more.

    Raises:
        EvaluationError: Playing cannot go on.
        TrainingError: The task is none with one discrete or continuous action, or
            there are no decisions.
    """
    learned, judged = hold_out(assignment.programs, settings)
    learner = _Cloner(assignment, learned, settings)
    return train_in_rounds(learner, assignment, judged, settings)


class _Cloner(Learner):
    """A network, and the decisions that it is fitted to."""

    def __init__(
        self,
        assignment: Assignment,
        programs: Sequence[Program],
        settings: CloneSettings,
    ) -> None:
        from sklearn.neural_network import MLPClassifier, MLPRegressor
        from sklearn.preprocessing import StandardScaler

        self.method = f"a network that was fitted to what {settings.base} decides"
        self._settings = settings
        self._shown = make_compilers(assignment, programs, 1)
        space = self._shown.single_action_space
        if not isinstance(space, spaces.Discrete | spaces.Box) or space.shape not in (
            (),
            (1,),
        ):
            self._shown.close()
            raise TrainingError(
                f"an action of {assignment.env_id} is a {type(space).__name__}; a "
                "clone takes one choice, or one number"
            )
        self._features, self._actions = _decisions(
            assignment, programs, settings, self._shown
        )
        self._scaler = StandardScaler().fit(signed_log(self._features))
        kind = MLPClassifier if isinstance(space, spaces.Discrete) else MLPRegressor
        self._network: Any = kind(
            settings.hidden,
            learning_rate_init=settings.learning_rate,
            batch_size=min(settings.batch, len(self._features)),
            random_state=settings.seed,
        )

    def learn(self) -> Lesson:
        from sklearn.neural_network import MLPClassifier

        rows = self._scaler.transform(signed_log(self._features))
        further = {}
        if isinstance(self._network, MLPClassifier):
            further["classes"] = np.unique(self._actions)
        for _ in range(self._settings.epochs):
            self._network.partial_fit(rows, self._actions, **further)
        return Lesson({"epochs": self._settings.epochs}, {"loss": self._network.loss_})

    def policy(self) -> PortablePolicy:
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import FunctionTransformer

        fitted = make_pipeline(
            FunctionTransformer(signed_log), self._scaler, self._network
        )
        return from_sklearn(fitted, self._shown, seen=self._features)

    def state(self) -> bytes:
        return pickle.dumps(self._network)

    def restore(self, state: bytes) -> None:
        self._network = pickle.loads(state)

    def close(self) -> None:
        self._shown.close()


def _decisions(
    assignment: Assignment,
    programs: Sequence[Program],
    settings: CloneSettings,
    shown: CompilerVectorEnv,
) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """What decisions were made from, as the environment shows it, and the decisions.

    Raises:
        TrainingError: There are none.
    """
    further = settings_of(assignment, settings.base)
    compilers = make_compilers(assignment, programs, settings.envs, further)
    try:
        made = compilers.rollouts(
            settings.base,
            features=True,
            progress=lambda done, total: assignment.progress(
                "collect decisions", done, total
            ),
        )
    finally:
        compilers.close()
    rows = [each.features for each in made if each.features is not None]
    if not sum(map(len, rows)):
        raise TrainingError("there is nothing to clone: no program raises a decision")
    every = np.concatenate(rows)
    wanted = {name for name, _ in shown.setup.features.task_names}
    columns, end = [], 0
    for name, elements in compilers.setup.features.task_names:
        begin, end = end, end + elements
        if name in wanted:
            columns.append(every[:, begin:end])
    # What is observed of the program is behind the features.
    columns.append(every[:, end:])
    actions = np.concatenate([each.actions for each in made])
    return np.concatenate(columns, axis=1), actions.reshape(len(every))
