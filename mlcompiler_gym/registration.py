# SPDX-License-Identifier: Apache-2.0
"""The environments' names."""

from gymnasium.envs.registration import register, registry

#: Steps of an episode where the task has no end of its own.
MAX_EPISODE_STEPS = {"mlcompiler/PassOrdering-v0": 50}

#: By name: the module, the class, and the function that makes a vector of them.
_ENVS = {
    "mlcompiler/Inlining-v0": ("inlining", "InliningEnv", "make_vector"),
    "mlcompiler/LoopDistribution-v0": (
        "loop_distribution",
        "LoopDistributionEnv",
        "make_vector",
    ),
    "mlcompiler/RegAllocEviction-v0": (
        "regalloc",
        "RegAllocEvictionEnv",
        "make_eviction_vector",
    ),
    "mlcompiler/RegAllocPriority-v0": (
        "regalloc",
        "RegAllocPriorityEnv",
        "make_priority_vector",
    ),
    "mlcompiler/PassOrdering-v0": ("pass_ordering", "PassOrderingEnv", "make_vector"),
}


def register_envs() -> None:
    """Register every environment that is not registered yet."""
    for env_id, (module, name, make_vector) in _ENVS.items():
        if env_id in registry:
            continue
        register(
            id=env_id,
            entry_point=f"mlcompiler_gym.envs.{module}:{name}",
            vector_entry_point=f"mlcompiler_gym.envs.{module}:{make_vector}",
            max_episode_steps=MAX_EPISODE_STEPS.get(env_id),
            # The environment checks actions and the order of calls itself, with
            # better messages and at a fraction of the cost of the wrappers.
            disable_env_checker=True,
            order_enforce=False,
        )
