# SPDX-License-Identifier: Apache-2.0
"""Stable-Baselines3's vector environment over ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from gymnasium.wrappers.vector import DictInfoToList
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import (
    VecEnvIndices,
    VecEnvObs,
    VecEnvStepReturn,
)

from mlcompiler_gym.envs import CompilerVectorEnv


class CompilerVecEnv(VecEnv):
    """Trains SB3 on several compiles at once, without a Python process for each.

    ::

        envs = gym.make_vec(
            "mlcompiler/Inlining-v0", num_envs=16, autoreset_mode="SameStep"
        )
        PPO("MlpPolicy", VecMonitor(CompilerVecEnv(envs))).learn(100_000)

    There is no environment object for each compile: what they share they have
    as attributes of the vector environment, and what is done to one of them is
    done to its session.

    Args:
        env: A :class:`~mlcompiler_gym.CompilerVectorEnv`, or wrappers around one,
            that resets in the same step, which is what SB3 expects.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        if not isinstance(env.unwrapped, CompilerVectorEnv):
            raise TypeError(f"env must be a CompilerVectorEnv, not {env.unwrapped}")
        if env.unwrapped.autoreset_mode is not AutoresetMode.SAME_STEP:
            raise ValueError(
                "SB3 expects an environment to be reset in the step that ends its "
                "episode: make it with autoreset_mode='SameStep'"
            )
        self.env = env
        self._compilers = env.unwrapped
        self._with_list_infos: Any = DictInfoToList(env)
        self._actions: NDArray[Any] | None = None
        super().__init__(
            env.num_envs, env.single_observation_space, env.single_action_space
        )

    def reset(self) -> VecEnvObs:
        """Begin an episode in every environment.

        Takes the seeds and options that ``seed()`` and ``set_options()`` left.
        """
        everyone = np.ones(self.num_envs, np.bool_)
        if all(options == self._options[0] for options in self._options):
            observations = self._reset(everyone, self._options[0])
        else:
            for index, options in enumerate(self._options):
                observations = self._reset(np.arange(self.num_envs) == index, options)
        self._reset_seeds()
        self._reset_options()
        return observations

    def _reset(self, mask: NDArray[np.bool_], options: dict[str, Any]) -> VecEnvObs:
        """Reset some; the observations are those of all."""
        observations, infos = self._with_list_infos.reset(
            seed=self._seeds,
            options={**options, "reset_mask": mask},
        )
        for index in np.flatnonzero(mask).tolist():
            self.reset_infos[index] = infos[index]
        return observations  # type: ignore[no-any-return]

    def step_async(self, actions: NDArray[Any]) -> None:
        """Take the actions that :meth:`step_wait` is to answer with."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Answer one decision in every environment, and wait for all."""
        observations, rewards, terminations, truncations, infos = (
            self._with_list_infos.step(self._actions)
        )
        dones = terminations | truncations
        for index, info in enumerate(infos):
            del info["env_id"]  # the place in the list says it
            if dones[index]:
                # Apart from its final entries, the info is of the episode that has just
                # begun.
                final_info = info.pop("final_info")
                final_info["terminal_observation"] = info.pop("final_obs")
                self.reset_infos[index] = info
                infos[index] = final_info
            infos[index]["TimeLimit.truncated"] = bool(
                truncations[index] and not terminations[index]
            )
        return observations, rewards.astype(np.float32), dones, infos

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """An attribute of the vector environment, for each environment.

        ``programs`` and ``sessions`` list one for each environment. Each environment
        gets its own.
        """
        owner = self.env if hasattr(self.env, attr_name) else self._compilers
        value = getattr(owner, attr_name)
        own = attr_name in ("programs", "sessions")
        return [value[i] if own else value for i in self._get_indices(indices)]

    def set_attr(
        self, attr_name: str, value: Any, indices: VecEnvIndices = None
    ) -> None:
        """Not possible: the environments share what they were made with.

        Raises:
            AttributeError: Always.
        """
        raise AttributeError(
            f"cannot set {attr_name!r}: the environments share their settings; make "
            "another vector environment with others"
        )

    def env_method(
        self,
        method_name: str,
        *method_args: Any,
        indices: VecEnvIndices = None,
        **method_kwargs: Any,
    ) -> list[Any]:
        """Call a method of the sessions: ``env_method("emit", "assembly")``.

        ``"action_masks"``, which MaskablePPO calls, is the environments' own.
        """
        if method_name == "action_masks":
            masks = self._compilers.action_masks()
            return [masks[index] for index in self._get_indices(indices)]
        sessions = self.get_attr("sessions", indices)
        return [
            getattr(session, method_name)(*method_args, **method_kwargs)
            for session in sessions
        ]

    def env_is_wrapped(
        self,
        wrapper_class: type[gymnasium.Wrapper[Any, Any, Any, Any]],
        indices: VecEnvIndices = None,
    ) -> list[bool]:
        """Whether one of the vector environment's wrappers is of that class."""
        wrapped = any(isinstance(w, wrapper_class) for w in _wrappers(self.env))
        return [wrapped for _ in self._get_indices(indices)]

    def get_images(self) -> Sequence[NDArray[Any] | None]:
        """A picture of each compile, if made with ``render_mode="rgb_array"``."""
        if self.render_mode != "rgb_array":
            return [None] * self.num_envs
        return list(self.env.render() or ())

    def close(self) -> None:
        """End every compile."""
        self.env.close()


def _wrappers(env: VectorEnv[Any, Any, Any]) -> list[Any]:
    """Every wrapper, and the wrapper of one environment that it vectorises."""
    wrappers: list[Any] = []
    while isinstance(env, VectorWrapper):
        wrappers += [env, getattr(env, "wrapper", None)]
        env = env.env
    return wrappers
