# SPDX-License-Identifier: Apache-2.0
"""Wrappers that learning from a compiler's features calls for."""

from __future__ import annotations

from typing import Any, TypeVar

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space
from gymnasium.wrappers import TransformObservation

ObsT = TypeVar("ObsT")


def signed_log(observation: ObsT) -> ObsT:
    """``sign(x) * log(1 + |x|)``, element by element, of an array or a dict of them.

    It keeps the sign and the order of numbers. It brings numbers that differ by
    factors (a callee of 3 instructions, one of 3000) into a network's range.
    """
    if isinstance(observation, dict):
        return {  # type: ignore[return-value]
            name: signed_log(value) for name, value in observation.items()
        }
    return np.copysign(np.log1p(np.abs(observation)), observation)  # type: ignore


def _signed_log_space(space: spaces.Space[Any]) -> spaces.Space[Any]:
    if isinstance(space, spaces.Dict):
        return spaces.Dict(
            {name: _signed_log_space(box) for name, box in space.items()}
        )
    if not isinstance(space, spaces.Box) or space.dtype != np.float32:
        raise TypeError(f"observations must be a Box of float32, not {space}")
    return spaces.Box(signed_log(space.low), signed_log(space.high))


class SignedLogObservation(TransformObservation[Any, Any, Any]):
    """Observations as :func:`signed_log`, since LLVM's features count things.

    It keeps no statistics: a policy needs nothing but its weights, and answers
    alike wherever it runs. Takes the flat observation and the dict.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env, signed_log, _signed_log_space(env.observation_space))


class SignedLogVectorObservation(VectorWrapper):
    """:class:`SignedLogObservation` of a vector environment.

    Not one of Gymnasium's vector observation wrappers, because those refuse an
    environment that is reset in the step that ends its episode.
    """

    # VectorWrapper takes no type arguments in Gymnasium 1.2.2.

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        super().__init__(env)
        self.single_observation_space = _signed_log_space(env.single_observation_space)
        self.observation_space = batch_space(
            self.single_observation_space, self.num_envs
        )

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """Begin an episode in every environment."""
        observations, infos = self.env.reset(**kwargs)
        return signed_log(observations), infos

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step every environment."""
        observations, *rest, infos = self.env.step(actions)
        for index in np.flatnonzero(infos.get("_final_obs", ())):
            infos["final_obs"][index] = signed_log(infos["final_obs"][index])
        return signed_log(observations), *rest, infos
