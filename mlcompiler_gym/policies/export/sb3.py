# SPDX-License-Identifier: Apache-2.0
"""Actors of Stable-Baselines3 and sb3-contrib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from mlcompiler_gym.errors import ExportError
from mlcompiler_gym.policies.export.build import Layers, finish
from mlcompiler_gym.policies.export.inputs import Inputs
from mlcompiler_gym.policies.export.torch import add_module
from mlcompiler_gym.policies.policy import PortablePolicy
from mlcompiler_gym.v1 import policy_pb2 as pb

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm


def from_sb3(
    model: BaseAlgorithm,
    env: Any = None,
    *,
    seen: NDArray[np.float32] | None = None,
) -> PortablePolicy:
    """A policy from what SB3 has learned.

    Args:
        model: A ``PPO``, ``A2C`` or ``MaskablePPO``, whose actor is exported, or a
            ``DQN``, whose action values are. It has to have the policy networks of
            ``MlpPolicy`` or ``MultiInputPolicy``, with ``ReLU`` or ``Tanh``.
        env: Where it was learned, with its ``VecNormalize`` and other wrappers in
            their final state. None: the model's own.
        seen: What decisions were made from in training, for the card: shape
            (decisions, elements), ``rollout(policy, features=True).features``.

    Raises:
        ExportError: A layer or a wrapper cannot be exported; it is named.
        ValueError: ``seen`` has other elements than the policy.
    """
    env = model.get_env() if env is None else env
    if env is None:
        raise ExportError("the model has no environment; give it as env")
    inputs = _inputs(env)
    layers = Layers(inputs.size)
    actor: Any = model.policy
    _check_extractor(actor)
    deviation = None
    if hasattr(actor, "q_net"):
        _check_extractor(actor.q_net)
        add_module(layers, actor.q_net.q_net, "q_net.q_net")
    elif hasattr(actor, "action_net"):
        if getattr(actor, "use_sde", False):
            raise ExportError("gSDE, by which the actor explores, is not known")
        add_module(layers, actor.mlp_extractor.policy_net, "mlp_extractor.policy_net")
        add_module(layers, actor.action_net, "action_net")
        if (log_deviation := getattr(actor, "log_std", None)) is not None:
            deviation = float(np.ravel(log_deviation.detach().cpu().numpy())[0])
    else:
        raise ExportError(f"the actor of {type(model).__name__} is not known")
    found = pb.Model(network=layers.network(inputs))
    return finish(inputs, found, layers.width, deviation, seen)


def _inputs(env: Any) -> Inputs:
    from stable_baselines3.common.vec_env import (
        DummyVecEnv,
        VecEnv,
        VecMonitor,
        VecNormalize,
    )

    normalizers: list[Any] = []
    while isinstance(env, VecEnv):
        if isinstance(env, VecNormalize):
            normalizers.append(env)
            env = env.venv
        elif isinstance(env, VecMonitor):
            env = env.venv
        elif isinstance(env, DummyVecEnv):
            env = env.envs[0]
        elif isinstance(inner := getattr(env, "env", None), VectorEnv):
            env = inner  # Our CompilerVecEnv, which is of a layer above.
        else:
            raise ExportError(f"the wrapper {type(env).__name__} is not known")
    inputs = Inputs(env)
    for normalizer in reversed(normalizers):
        _normalize(inputs, normalizer)
    return inputs


def _normalize(inputs: Inputs, normalizer: Any) -> None:
    if not normalizer.norm_obs:
        return
    clip, epsilon = float(normalizer.clip_obs), normalizer.epsilon
    if not isinstance(normalizer.obs_rms, dict):
        statistics = normalizer.obs_rms
        inputs.scale(statistics.mean, 1 / np.sqrt(statistics.var + epsilon))
        inputs.clip(-clip, clip)
        return
    for name in normalizer.norm_obs_keys:
        statistics = normalizer.obs_rms[name]
        inputs.scale_feature(
            name, statistics.mean, 1 / np.sqrt(statistics.var + epsilon)
        )
        inputs.clip(-clip, clip, only=name)


def _check_extractor(module: Any) -> None:
    from stable_baselines3.common.torch_layers import (
        CombinedExtractor,
        FlattenExtractor,
    )
    from torch import nn

    extractor = getattr(module, "pi_features_extractor", None)
    if extractor is None:
        extractor = getattr(module, "features_extractor", None)
    if extractor is None:
        return
    if type(extractor) is CombinedExtractor:
        for name, child in extractor.extractors.items():
            if type(child) is not nn.Flatten:
                raise ExportError(
                    f"the extractor of {name} is a {type(child).__name__}, which "
                    "policies do not know"
                )
    elif type(extractor) is not FlattenExtractor:
        raise ExportError(
            f"the features extractor is a {type(extractor).__name__}, which policies "
            "do not know"
        )
