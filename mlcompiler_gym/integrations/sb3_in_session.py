# SPDX-License-Identifier: Apache-2.0
"""Stable-Baselines3 learns from decisions that are made inside the compiler."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import VectorWrapper
from numpy.typing import NDArray
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.vec_env import VecEnv, VecMonitor

from mlcompiler_gym.envs import CompilerVectorEnv
from mlcompiler_gym.envs.rollout import Rollout
from mlcompiler_gym.envs.wrappers import SignedLogVectorObservation, signed_log
from mlcompiler_gym.integrations.sb3 import CompilerVecEnv
from mlcompiler_gym.policies.export import from_sb3

AlgorithmT = TypeVar("AlgorithmT", bound=OnPolicyAlgorithm)


def in_session(algorithm: type[AlgorithmT]) -> type[AlgorithmT]:
    """The same algorithm, whose decisions are made in the sessions.

    ::

        envs = CompilerVecEnv(
            gym.make_vec(
                "mlcompiler/Inlining-v0", num_envs=16, autoreset_mode="SameStep"
            )
        )
        in_session(PPO)("MlpPolicy", envs).learn(100_000)

    Before each update, the actor goes into every session as a policy that is data,
    and comes back with ``n_steps`` decisions of each environment. The rollout buffer
    is the same as by stepping with actions drawn by the same numbers. The actions are
    drawn by :class:`~mlcompiler_gym.policies.SampledPolicy`, for environment ``i`` with
    the algorithm's seed plus ``i``. Callbacks are called for each step, once all
    steps are made. Programs without a decision pay no step.

    Args:
        algorithm: ``PPO`` or ``A2C``, or where actions are masked sb3-contrib's
            ``MaskablePPO``. Its environment is a
            :class:`~mlcompiler_gym.integrations.sb3.CompilerVecEnv`, perhaps in
            ``VecMonitor``, over environments that may be wrapped in
            :class:`~mlcompiler_gym.envs.wrappers.SignedLogVectorObservation`; its
            actor is one that :func:`~mlcompiler_gym.policies.export.from_sb3` takes.

    Raises:
        TypeError: From ``learn``: the environment is another one, has a continuous
            action, or masks actions that the algorithm does not.
        ExportError: From ``learn``: the actor is another one.
    """

    class InSession(algorithm):  # type: ignore[valid-type,misc]
        def collect_rollouts(
            self,
            env: VecEnv,
            callback: BaseCallback,
            rollout_buffer: RolloutBuffer,
            n_rollout_steps: int,
            use_masking: bool | None = None,
        ) -> bool:
            """Fill the buffer; False if a callback wants no more."""
            masks = hasattr(rollout_buffer, "action_masks") or hasattr(
                rollout_buffer, "mask_dims"
            )
            if getattr(self, "_collector", None) is None:
                self._collector = _Collector(self, env, masks)
            return self._collector.collect(callback, rollout_buffer, n_rollout_steps)

        def _excluded_save_params(self) -> list[str]:
            return [*super()._excluded_save_params(), "_collector"]

    InSession.__name__ = InSession.__qualname__ = f"{algorithm.__name__}InSession"
    return InSession


@dataclass
class _Steps:
    """What one environment has done, step by step."""

    actions: NDArray[np.int64]
    log_probabilities: NDArray[np.float32]
    rewards: NDArray[np.float32]
    dones: NDArray[np.bool_]
    masks: NDArray[np.int8] | None
    observations: Any
    #: What follows the last step.
    following: Any
    infos: list[dict[str, Any]]
    #: Whether the first step begins an episode although no episode has ended before it.
    begins: bool = False


@dataclass
class _Collector:
    """Fills rollout buffers for a model."""

    model: OnPolicyAlgorithm
    env: VecEnv
    masks: bool
    seeds: list[int] = field(init=False)
    #: Reward and length so far of the episode under way in each environment.
    so_far: list[tuple[float, int]] = field(init=False)

    def __post_init__(self) -> None:
        inner: Any = self.env
        self._monitored = isinstance(inner, VecMonitor)
        if self._monitored:
            inner = inner.venv
        if not isinstance(inner, CompilerVecEnv):
            raise TypeError(
                "the environment must be a CompilerVecEnv, perhaps in VecMonitor, not "
                f"a {type(inner).__name__}"
            )
        wrapped: Any = inner.env
        self._signed_logs = 0
        while isinstance(wrapped, VectorWrapper):
            if not isinstance(wrapped, SignedLogVectorObservation):
                raise TypeError(
                    f"the wrapper {type(wrapped).__name__} is not known here; "
                    "SignedLogVectorObservation is"
                )
            self._signed_logs += 1
            wrapped = wrapped.env
        self._compilers: CompilerVectorEnv = wrapped
        if not isinstance(self.model.action_space, spaces.Discrete):
            raise TypeError("continuous actions are learned by stepping alone")
        if self._compilers.setup.actions.masked and not self.masks:
            raise TypeError(
                "not every action is always legal here; take sb3-contrib's MaskablePPO"
            )
        first = self.model.seed
        if first is None:
            first = int(np.random.default_rng().integers(1 << 32))
        self.seeds = [first + index for index in range(self.env.num_envs)]
        self.so_far = [(0.0, 0)] * self.env.num_envs

    def collect(
        self, callback: BaseCallback, buffer: RolloutBuffer, count: int
    ) -> bool:
        """See ``OnPolicyAlgorithm.collect_rollouts``."""
        model = self.model
        model.policy.set_training_mode(False)
        buffer.reset()
        callback.on_rollout_start()
        made = self._compilers.collect(
            from_sb3(model, self.env), count, seeds=self.seeds, features=True
        )
        steps = [self._steps(index, each) for index, each in enumerate(made)]
        self.seeds = [each[-1].seed or 0 for each in made]
        values = [self._values(each.observations) for each in steps]
        starts = np.array(model._last_episode_starts, np.bool_)
        starts |= [each.begins for each in steps]
        for t in range(count):
            model.num_timesteps += self.env.num_envs
            infos = [each.infos[t] for each in steps]
            rewards = np.array([each.rewards[t] for each in steps], np.float32)
            dones = np.array([each.dones[t] for each in steps])
            actions = np.array([each.actions[t] for each in steps])
            callback.update_locals(locals())
            if not callback.on_step():
                return False
            model._update_info_buffer(infos, dones)
            further: dict[str, Any] = {}
            if self.masks:
                further["action_masks"] = np.array(
                    [
                        np.ones(int(model.action_space.n))  # type: ignore[attr-defined]
                        if each.masks is None
                        else each.masks[t]
                        for each in steps
                    ]
                )
            buffer.add(
                _stack([_pick(each.observations, t) for each in steps]),
                actions.reshape(-1, 1),
                rewards,
                starts,
                torch.stack([each[t] for each in values]),
                torch.tensor([float(each.log_probabilities[t]) for each in steps]),
                **further,
            )
            starts = dones
        following = _stack([each.following for each in steps])
        buffer.compute_returns_and_advantage(
            last_values=self._values(following), dones=starts
        )
        model._last_obs = following
        model._last_episode_starts = starts
        callback.update_locals(locals())
        callback.on_rollout_end()
        return True

    def _steps(self, index: int, episodes: list[Rollout]) -> _Steps:
        """What one environment's episodes, or parts of them, come to."""
        observer = self._compilers.setup.features
        rows = np.concatenate([each.features for each in episodes])
        known = [each.masks for each in episodes if each.masks is not None]
        steps = _Steps(
            actions=np.concatenate([each.actions for each in episodes]),
            log_probabilities=np.concatenate(
                [each.log_probabilities for each in episodes]
            ),
            rewards=np.concatenate([each.rewards for each in episodes]).astype(
                np.float32
            ),
            dones=np.zeros(len(rows), np.bool_),
            masks=np.concatenate(known) if known else None,
            observations=self._seen(observer.present(rows, {})),
            following=self._seen(episodes[-1].observation),
            infos=[{} for _ in rows],
        )
        end = 0
        for each in episodes:
            end += len(each.actions)
            reward, length = self.so_far[index]
            reward += float(each.rewards.sum())
            length += len(each.actions)
            self.so_far[index] = reward, length
            if not (each.terminated or each.truncated):
                continue
            self.so_far[index] = 0.0, 0
            if end == 0:
                # The compiler did not survive a step after the last buffer.
                steps.begins = True
                continue
            last = self._seen(each.observation)
            steps.dones[end - 1] = True
            info = {
                **each.info,
                "terminal_observation": last,
                "TimeLimit.truncated": each.truncated,
            }
            if self._monitored:
                info["episode"] = {
                    "r": round(reward, 6),
                    "l": length,
                    "t": round(time.time() - self.env.t_start, 6),  # type: ignore[attr-defined]
                }
            steps.infos[end - 1] = info
            if each.truncated:
                # SB3 also adds the value of the last state to a truncated episode.
                value = float(self._values(_stack([last]))[0])
                steps.rewards[end - 1] += self.model.gamma * value
        return steps

    def _seen(self, observation: Any) -> Any:
        """An observation, or a batch of them, as the wrappers show it."""
        for _ in range(self._signed_logs):
            observation = signed_log(observation)
        return observation

    def _values(self, observations: Any) -> torch.Tensor:
        """What the critic says; shape (n,)."""
        policy: Any = self.model.policy
        with torch.no_grad():
            tensors, _ = policy.obs_to_tensor(observations)
            values: torch.Tensor = policy.predict_values(tensors).flatten()
        return values


def _pick(observations: Any, index: int) -> Any:
    if isinstance(observations, dict):
        return {name: values[index] for name, values in observations.items()}
    return observations[index]


def _stack(observations: list[Any]) -> Any:
    if isinstance(observations[0], dict):
        return {
            name: np.stack([each[name] for each in observations])
            for name in observations[0]
        }
    return np.stack(observations)
