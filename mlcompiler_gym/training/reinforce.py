# SPDX-License-Identifier: Apache-2.0
"""Reinforcement learning: PPO and DQN of Stable-Baselines3."""

from __future__ import annotations

import importlib.util
import io
import math
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from mlcompiler_gym.envs.wrappers import SignedLogVectorObservation
from mlcompiler_gym.errors import MissingLibraryError, TrainingError
from mlcompiler_gym.policies import PortablePolicy
from mlcompiler_gym.programs import Program
from mlcompiler_gym.training.assignment import Assignment, Trained
from mlcompiler_gym.training.compilers import make_compilers
from mlcompiler_gym.training.curve import RATIO
from mlcompiler_gym.training.playing import against_llvm
from mlcompiler_gym.training.rounds import (
    Learner,
    Lesson,
    RoundSettings,
    hold_out,
    train_in_rounds,
)


@dataclass(frozen=True)
class PPOSettings(RoundSettings):
    """How PPO learns; a round is a rollout and what is learned from it.

    Attributes:
        envs: How many programs are compiled at the same time.
        steps: Decisions of each of them in a round.
        batch: How many decisions a step of the optimiser is made of.
        epochs: Passes over the decisions of a round.
        hidden: Sizes of the hidden layers of actor and critic.
        learning_rate: Adam's.
        gamma: What a reward is worth a step earlier.
        entropy: Weight of the entropy of the actor.
    """

    envs: int = 8
    steps: int = 512
    batch: int = 512
    epochs: int = 6
    hidden: tuple[int, ...] = (64, 64)
    learning_rate: float = 3e-4
    gamma: float = 1.0
    entropy: float = 0.0


@dataclass(frozen=True)
class DQNSettings(RoundSettings):
    """How DQN learns; a round is a number of decisions.

    Attributes:
        envs: How many programs are compiled at the same time.
        steps: Decisions of all of them together in a round.
        batch: How many decisions a step of the optimiser is made of.
        buffer: How many decisions are remembered.
        starts: Decisions before it begins to learn.
        explores: Rounds in which fewer and fewer actions are drawn at random.
        hidden: Sizes of the hidden layers.
        learning_rate: Adam's.
        gamma: What a reward is worth a step earlier.
    """

    envs: int = 4
    steps: int = 4096
    batch: int = 64
    buffer: int = 50_000
    starts: int = 1000
    explores: int = 10
    hidden: tuple[int, ...] = (64, 64)
    learning_rate: float = 1e-4
    gamma: float = 0.99


def train_ppo(assignment: Assignment, settings: PPOSettings) -> Trained:
    """Learn by PPO, MaskablePPO where not every action is always legal.

    The decisions are made in the sessions; see
    :func:`~mlcompiler_gym.integrations.sb3_in_session.in_session`.

    Raises:
        EvaluationError: Playing cannot go on.
        MissingLibraryError: Stable-Baselines3 or sb3-contrib is not installed.
        TrainingError: The task is none of one discrete action, or there is only one
            package.
    """
    return _train(_PPO, assignment, settings)


def train_dqn(assignment: Assignment, settings: DQNSettings) -> Trained:
    """Learn by DQN.

    Raises:
        EvaluationError: Playing cannot go on.
        MissingLibraryError: Stable-Baselines3 is not installed.
        TrainingError: The task is none of one discrete action that is always legal,
            or there is only one package.
    """
    return _train(_DQN, assignment, settings)


def _train(kind: Any, assignment: Assignment, settings: RoundSettings) -> Trained:
    if importlib.util.find_spec("sb3_contrib") is None:
        raise MissingLibraryError("sb3-contrib", "learning")
    learned, judged = hold_out(assignment.programs, settings)
    learner = kind(assignment, learned, settings)
    return train_in_rounds(learner, assignment, judged, settings)


class _SB3(Learner):
    """An algorithm of Stable-Baselines3 and its environments."""

    def __init__(
        self, assignment: Assignment, programs: Sequence[Program], settings: Any
    ) -> None:
        import torch
        from gymnasium import spaces
        from stable_baselines3.common.vec_env import VecMonitor

        from mlcompiler_gym.integrations.sb3 import CompilerVecEnv

        # The compilers need the processors more.
        torch.set_num_threads(1)
        self._settings = settings
        compilers = make_compilers(assignment, programs, settings.envs)
        self._masked = compilers.setup.actions.masked
        self._envs = VecMonitor(CompilerVecEnv(SignedLogVectorObservation(compilers)))
        if not isinstance(self._envs.action_space, spaces.Discrete):
            self._envs.close()
            raise TrainingError(
                f"an action of {assignment.env_id} is a "
                f"{type(self._envs.action_space).__name__}; this takes one choice of "
                "several"
            )
        self._log = None
        if importlib.util.find_spec("tensorboard") is not None:
            self._log = str(assignment.folder / "tensorboard")
        self._model: Any = None

    def _advance(self, steps: int) -> Lesson:
        before = self._model.num_timesteps
        logs: list[float] = []

        def look(seen: dict[str, Any], _: dict[str, Any]) -> bool:
            ended = [info for info in seen["infos"] if "episode" in info]
            logs.extend(map(against_llvm, ended))
            return True

        self._model.learn(
            steps, look, reset_num_timesteps=False, tb_log_name=self.method
        )
        spent = {
            "decisions": self._model.num_timesteps - before,
            "compiles": len(logs),
        }
        return Lesson(spent, {RATIO: math.exp(fmean(logs))} if logs else {})

    def policy(self) -> PortablePolicy:
        from mlcompiler_gym.policies.export import from_sb3

        return from_sb3(self._model, self._envs)

    def _saved(self) -> bytes:
        buffer = io.BytesIO()
        self._model.save(buffer)
        return buffer.getvalue()

    def _load(self, saved: bytes) -> None:
        self._model = type(self._model).load(
            io.BytesIO(saved), env=self._envs, device="cpu"
        )

    def close(self) -> None:
        self._envs.close()


class _PPO(_SB3):
    """PPO, whose decisions are made in the sessions."""

    method = "PPO"

    def __init__(
        self, assignment: Assignment, programs: Sequence[Program], settings: PPOSettings
    ) -> None:
        from sb3_contrib import MaskablePPO
        from stable_baselines3 import PPO

        from mlcompiler_gym.integrations.sb3_in_session import in_session

        super().__init__(assignment, programs, settings)
        kind: Any = MaskablePPO if self._masked else PPO
        self.method = kind.__name__
        self._model = in_session(kind)(
            "MlpPolicy",
            self._envs,
            n_steps=settings.steps,
            batch_size=min(settings.batch, settings.steps * settings.envs),
            n_epochs=settings.epochs,
            learning_rate=settings.learning_rate,
            gamma=settings.gamma,
            gae_lambda=1.0,
            ent_coef=settings.entropy,
            policy_kwargs={"net_arch": list(settings.hidden)},
            tensorboard_log=self._log,
            seed=settings.seed,
            device="cpu",
        )

    def learn(self) -> Lesson:
        return self._advance(self._settings.steps * self._settings.envs)

    def state(self) -> bytes:
        return self._saved()

    def restore(self, state: bytes) -> None:
        self._load(state)


class _DQN(_SB3):
    """DQN and what it remembers."""

    method = "DQN"

    def __init__(
        self, assignment: Assignment, programs: Sequence[Program], settings: DQNSettings
    ) -> None:
        from stable_baselines3 import DQN

        super().__init__(assignment, programs, settings)
        if self._masked:
            self._envs.close()
            raise TrainingError(
                f"not every action of {assignment.env_id} is always legal, which DQN "
                "does not know; take ppo"
            )
        self._model = DQN(
            "MlpPolicy",
            self._envs,
            learning_rate=settings.learning_rate,
            buffer_size=settings.buffer,
            learning_starts=settings.starts,
            batch_size=settings.batch,
            gamma=settings.gamma,
            train_freq=4,
            exploration_fraction=1.0,
            policy_kwargs={"net_arch": list(settings.hidden)},
            tensorboard_log=self._log,
            seed=settings.seed,
            device="cpu",
        )

    def learn(self) -> Lesson:
        settings = self._settings
        # SB3 would take the share that is left of one call of learn().
        done = self._model.num_timesteps / (settings.steps * settings.explores)
        rate = max(0.05, 1 - 0.95 * done)
        self._model.exploration_schedule = lambda _: rate
        return self._advance(settings.steps)

    def state(self) -> bytes:
        return pickle.dumps((self._saved(), self._model.replay_buffer))

    def restore(self, state: bytes) -> None:
        saved, remembered = pickle.loads(state)
        self._load(saved)
        self._model.replay_buffer = remembered
