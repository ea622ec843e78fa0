# SPDX-License-Identifier: Apache-2.0
"""A vector of compilers as TorchRL's environment, with masks."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from tensordict import TensorDict, TensorDictBase
from torchrl.data import Binary, Categorical, Composite, Unbounded
from torchrl.envs import EnvBase

from mlcompiler_gym.envs import CompilerVectorEnv


class CompilerTorchRLEnv(EnvBase):  # type: ignore[misc]
    """Compilers side by side, as TorchRL's collectors and losses take them.

    TorchRL resets what is done by itself, so the compilers do not. Where not every
    action is always legal, ``"action_mask"`` (bool, shape ``(num_envs, n)``) says which
    are, and random actions are legal ones.

    Args:
        envs: A vector environment with ``autoreset_mode="Disabled"``, of discrete
            actions and flat observations.

    Raises:
        ValueError: It resets by itself, or has other actions or observations.
    """

    def __init__(self, envs: CompilerVectorEnv) -> None:
        actions = envs.setup.actions
        if envs.autoreset_mode != AutoresetMode.DISABLED:
            raise ValueError("make the environment with autoreset_mode='Disabled'")
        if not actions.meanings or envs.single_observation_space.shape is None:
            raise ValueError(
                "TorchRL's environment takes one discrete action and flat "
                f"observations, not {envs.single_action_space} and "
                f"{envs.single_observation_space}"
            )
        size = torch.Size([envs.num_envs])
        super().__init__(batch_size=size)
        self._seed: int | None = None
        self._envs = envs
        self._masked = actions.masked
        self._count = len(actions.meanings)
        shape = (*size, *envs.single_observation_space.shape)
        observed = {"observation": Unbounded(shape=shape, dtype=torch.float32)}
        if self._masked:
            observed["action_mask"] = Binary(
                shape=(*size, self._count), dtype=torch.bool
            )
        self.observation_spec = Composite(observed, shape=size)
        self.action_spec = Categorical(self._count, shape=size, dtype=torch.int64)
        self.reward_spec = Unbounded(shape=(*size, 1), dtype=torch.float32)
        self.done_spec = Composite(
            {
                name: Binary(shape=(*size, 1), dtype=torch.bool)
                for name in ("done", "terminated", "truncated")
            },
            shape=size,
        )

    def _reset(self, tensordict: TensorDictBase | None, **kwargs: Any) -> Any:
        asked = None if tensordict is None else tensordict.get("_reset", None)
        options = {}
        if asked is not None:
            options["reset_mask"] = asked.reshape(self.batch_size).numpy()
        observation, _ = self._envs.reset(seed=self._seed, options=options)
        self._seed = None
        done = torch.zeros((*self.batch_size, 1), dtype=torch.bool)
        ended = {name: done.clone() for name in ("done", "terminated", "truncated")}
        return self._see(observation).update(ended)

    def _step(self, tensordict: TensorDictBase) -> TensorDictBase:
        actions = tensordict["action"].reshape(self.batch_size).numpy()
        observation, reward, terminated, truncated, _ = self._envs.step(actions)
        column = (*self.batch_size, 1)
        made = self._see(observation)
        made["reward"] = torch.tensor(reward, dtype=torch.float32).reshape(column)
        made["terminated"] = torch.tensor(terminated).reshape(column)
        made["truncated"] = torch.tensor(truncated).reshape(column)
        made["done"] = made["terminated"] | made["truncated"]
        return made

    def _see(self, observation: Any) -> TensorDict:
        seen = {"observation": torch.tensor(np.array(observation))}
        if self._masked:
            mask = torch.tensor(self._envs.action_masks())
            seen["action_mask"] = mask
            self.action_spec.update_mask(mask)
        return TensorDict(seen, batch_size=self.batch_size)

    def _set_seed(self, seed: int | None) -> None:
        self._seed = seed

    def close(self, *, raise_if_closed: bool = True) -> None:
        """End all compiles."""
        super().close(raise_if_closed=raise_if_closed)
        self._envs.close()
