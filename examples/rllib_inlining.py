# SPDX-License-Identifier: Apache-2.0
"""PPO of RLlib on Inlining, with environment runners on all nodes of a cluster.

    python examples/rllib_inlining.py --iterations 20 --runners 2

Each runner steps a vector of compiles of its own, in a process on whichever node of
the cluster has room; the learner is one process. RAY_ADDRESS names the cluster;
without it, one of this machine is started.
"""

import argparse
import os
from typing import Any

import gymnasium as gym
from gymnasium.vector import VectorEnv
from rich.console import Console
from rich.progress import track
from rich.table import Table

from mlcompiler_gym.evaluation.cluster import connect

ENV_ID = "mlcompiler_gym:mlcompiler/Inlining-v0"


def make_env(settings: dict[str, Any]) -> gym.Env[Any, Any] | VectorEnv[Any, Any, Any]:
    """The vector of a runner; of RLlib's own checks, one environment."""
    from mlcompiler_gym.envs.wrappers import (
        SignedLogObservation,
        SignedLogVectorObservation,
    )

    settings = dict(settings)
    num_envs = settings.pop("num_envs", None)
    if num_envs is None:
        return SignedLogObservation(gym.make(ENV_ID, **settings))
    return SignedLogVectorObservation(gym.make_vec(ENV_ID, num_envs, **settings))


def main() -> None:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=20)
    parser.add_argument("--runners", type=int, default=2)
    parser.add_argument("--num-envs", type=int, default=8, help="of each runner")
    parser.add_argument("--batch", type=int, default=2048, help="steps an iteration")
    parser.add_argument("--programs", default="kernels:train")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    # First, since Ray reads its settings when it is imported.
    connect(os.environ.get("RAY_ADDRESS", "local"))
    from ray.rllib.algorithms.ppo import PPOConfig
    from ray.tune.registry import register_env

    register_env("inlining", make_env)
    config = (
        PPOConfig()
        .environment("inlining", env_config={"programs": args.programs})
        .env_runners(
            num_env_runners=args.runners,
            num_envs_per_env_runner=args.num_envs,
            gym_env_vectorize_mode="vector_entry_point",
            # The reward comes at the end of an episode, so whole ones.
            batch_mode="complete_episodes",
        )
        # A runner that is lost with its node is started elsewhere.
        .fault_tolerance(restart_failed_env_runners=True)
        .training(
            gamma=1.0, train_batch_size=args.batch, minibatch_size=128, num_epochs=4
        )
        .debugging(seed=args.seed)
    )
    algorithm = config.build_algo()
    table = Table("iteration", "episodes", "decisions", "mean gain over -Oz")
    for iteration in track(range(1, args.iterations + 1), "training"):
        seen = algorithm.train()["env_runners"]
        table.add_row(
            str(iteration),
            f"{seen['num_episodes']:.0f}",
            f"{seen['num_env_steps_sampled']:.0f}",
            f"{seen['episode_return_mean']:+.2%}",
        )
    algorithm.stop()
    Console().print(table)


if __name__ == "__main__":
    main()
