# SPDX-License-Identifier: Apache-2.0
"""The environments' names."""

from gymnasium.envs.registration import register, registry

_ENVS = {
    "mlcompiler/Inlining-v0": ("mlcompiler_gym.envs.inlining", "InliningEnv"),
}


def register_envs() -> None:
    """Register every environment that is not registered yet."""
    for env_id, (module, name) in _ENVS.items():
        if env_id in registry:
            continue
        register(
            id=env_id,
            entry_point=f"{module}:{name}",
            vector_entry_point=f"{module}:make_vector",
            # The environment checks actions and the order of calls itself, with
            # better messages and at a fraction of the cost of the wrappers.
            disable_env_checker=True,
            order_enforce=False,
        )
