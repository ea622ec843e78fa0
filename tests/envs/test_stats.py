# SPDX-License-Identifier: Apache-2.0
"""A vector environment counts as its environments by themselves do."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from support.vectors import NO_DECISION, chain

from mlcompiler_gym import CompilerEnv, CompilerVectorEnv, LocalService

EPISODES = 3


def legal(space: Any, mask: Any) -> Any:
    return 0 if mask is None else int(np.flatnonzero(mask)[0])


@pytest.mark.parametrize(
    ("env_id", "settings", "baselines"),
    [
        ("mlcompiler/Inlining-v0", {"programs": chain(4)}, True),
        ("mlcompiler/Inlining-v0", {"programs": NO_DECISION}, False),
        (
            "mlcompiler/LoopDistribution-v0",
            {"programs": "loops/recur_split_tail"},
            True,
        ),
        (
            "mlcompiler/PassOrdering-v0",
            {"programs": chain(2), "max_episode_steps": 3},
            True,
        ),
    ],
)
def test_one_and_a_vector_of_one(
    env_id: str, settings: dict[str, Any], baselines: bool
) -> None:
    services = LocalService(), LocalService()
    env: Any = gymnasium.make(env_id, service=services[0], **settings)
    envs: Any = gymnasium.make_vec(
        env_id,
        num_envs=1,
        autoreset_mode="Disabled",
        service=services[1],
        **settings,
    )
    for _ in range(EPISODES):
        (_, info), _ = env.reset(seed=0), envs.reset(seed=0)
        over = False
        while not over:
            action = legal(env.action_space, info.get("action_mask"))
            _, _, terminated, truncated, info = env.step(action)
            _, _, *ends, _ = envs.step(np.array([action]))
            over = terminated or truncated
            assert [bool(end[0]) for end in ends] == [terminated, truncated]
    assert isinstance(env.unwrapped, CompilerEnv)
    assert isinstance(envs, CompilerVectorEnv)
    one, vector = env.unwrapped.stats, envs.stats
    for count in ("episodes", "parked", "steps", "crashes"):
        assert getattr(one, count) == getattr(vector, count)
    assert one.episodes == EPISODES
    for stats in (one, vector):
        assert (stats.baseline_seconds > 0) == baselines
        assert stats.baseline_seconds <= stats.reset_seconds + stats.step_seconds
    env.close()
    envs.close()
    for service in services:
        service.close()
