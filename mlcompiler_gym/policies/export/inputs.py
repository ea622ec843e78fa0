# SPDX-License-Identifier: Apache-2.0
"""What a model takes: the features, and what wrappers made of them."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import VectorEnv, VectorWrapper
from gymnasium.wrappers import FlattenObservation, NormalizeObservation
from gymnasium.wrappers.vector import NormalizeObservation as VectorNormalizeObservation
from numpy.typing import NDArray

from mlcompiler_gym.envs import CompilerEnv, CompilerVectorEnv
from mlcompiler_gym.envs.setup import Setup
from mlcompiler_gym.envs.wrappers import (
    SignedLogObservation,
    SignedLogVectorObservation,
)
from mlcompiler_gym.errors import ExportError
from mlcompiler_gym.v1 import policy_pb2 as pb


class Inputs:
    """The elements of an observation in a row, and the transforms of each feature.

    Args:
        env: The environment, or vector environment, that the model was learned in.

    Raises:
        ExportError: One of its wrappers makes of observations what a policy cannot.
    """

    def __init__(self, env: gymnasium.Env[Any, Any] | VectorEnv[Any, Any, Any]) -> None:
        #: From the outermost to the innermost.
        wrappers: list[Any] = []
        while not isinstance(env, CompilerEnv | CompilerVectorEnv):
            if not isinstance(env, gymnasium.Wrapper | VectorWrapper):
                raise ExportError(
                    f"{_name(env)} is not an environment of a compiler, nor a wrapper "
                    "around one"
                )
            wrappers.append(env)
            env = env.env
        self.setup: Setup = env.setup
        space = (
            env.observation_space
            if isinstance(env, CompilerEnv)
            else env.single_observation_space
        )
        self.action_space: spaces.Space[Any] = (
            env.action_space
            if isinstance(env, CompilerEnv)
            else env.single_action_space
        )
        observer = self.setup.features
        zero = observer.zero()
        #: Where the elements of each feature are, in the order of the features.
        self._places: dict[str, slice] = {}
        end = 0
        for name in observer.names:
            begin, end = end, end + int(np.size(observer.pick(zero, name)))
            self._places[name] = slice(begin, end)
        self._transforms: dict[str, list[pb.Transform]] = {
            name: [] for name in observer.names
        }
        names = list(space) if isinstance(space, spaces.Dict) else observer.names
        #: Which element of the features each element of the observation is. Gymnasium
        #: and SB3 flatten a dict in the order of its space.
        self.order: NDArray[np.intp] = np.concatenate(
            [np.arange(end)[self._places[name]] for name in names]
        )
        for wrapper in reversed(wrappers):
            self._add_wrapper(wrapper)

    @property
    def size(self) -> int:
        """Elements of an observation."""
        return len(self.order)

    @property
    def names(self) -> list[str]:
        """The features."""
        return list(self._places)

    def signed_log(self, *, only: str | None = None) -> None:
        """``sign(x) * log(1 + |x|)``, of all features or only one."""
        for name in self.names if only is None else [only]:
            self._transforms[name].append(pb.Transform(signed_log=pb.SignedLog()))

    def scale(self, shift: NDArray[Any], factor: NDArray[Any]) -> None:
        """``(x - shift) * factor``, both of shape (size,)."""
        shifts, factors = self._spread(shift), self._spread(factor)
        for name, place in self._places.items():
            self._scale(name, shifts[place], factors[place])

    def scale_feature(
        self, name: str, shift: NDArray[Any], factor: NDArray[Any]
    ) -> None:
        """The same for one feature, of its shape."""
        self._scale(name, np.ravel(shift), np.ravel(factor))

    def clip(self, low: float, high: float, *, only: str | None = None) -> None:
        """The nearest number in low .. high, of all features or only one."""
        for name in self.names if only is None else [only]:
            self._transforms[name].append(
                pb.Transform(clip=pb.Clip(low=low, high=high))
            )

    def messages(self) -> list[pb.Input]:
        """As they are in a policy."""
        return [
            pb.Input(
                feature=name,
                elements=place.stop - place.start,
                transforms=self._transforms[name],
            )
            for name, place in self._places.items()
        ]

    def rows(self, weights: NDArray[Any]) -> NDArray[Any]:
        """The rows of a first layer, as the features are ordered.

        Args:
            weights: Shape (size, outputs), as observations are ordered.
        """
        ordered = np.empty_like(weights)
        ordered[self.order] = weights
        return ordered

    def _spread(self, values: NDArray[Any]) -> NDArray[np.float64]:
        values = np.broadcast_to(np.asarray(values, np.float64), (self.size,))
        return self.rows(values)

    def _scale(self, name: str, shift: NDArray[Any], factor: NDArray[Any]) -> None:
        scale = pb.Scale(shift=_short(shift), factor=_short(factor))
        self._transforms[name].append(pb.Transform(scale=scale))

    def _add_wrapper(self, wrapper: Any) -> None:
        if isinstance(wrapper, SignedLogObservation | SignedLogVectorObservation):
            self.signed_log()
        elif isinstance(wrapper, NormalizeObservation | VectorNormalizeObservation):
            statistics = wrapper.obs_rms
            factor = 1 / np.sqrt(statistics.var + wrapper.epsilon)
            self.scale(statistics.mean, factor)
        elif isinstance(wrapper, FlattenObservation):
            pass  # The elements are in this order already.
        elif not _leaves_observations(wrapper):
            raise ExportError(
                f"the wrapper {_name(wrapper)} changes observations in a way that "
                "policies do not know"
            )


def _leaves_observations(wrapper: Any) -> bool:
    if isinstance(
        wrapper,
        gymnasium.ObservationWrapper | gymnasium.vector.VectorObservationWrapper,
    ):
        return False
    if isinstance(wrapper, VectorWrapper):
        return bool(
            wrapper.single_observation_space == wrapper.env.single_observation_space
        )
    return bool(wrapper.observation_space == wrapper.env.observation_space)


def _short(values: NDArray[Any]) -> list[float]:
    """One number for all elements, if it is the same."""
    distinct = values[:1] if np.all(values == values[0]) else values
    return [float(value) for value in distinct]


def _name(thing: Any) -> str:
    return type(thing).__name__
