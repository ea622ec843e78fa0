# SPDX-License-Identifier: Apache-2.0
"""PPO of Stable-Baselines3 on Inlining: train on some programs, test on others.

    python examples/ppo_sb3.py --steps 100000

From nothing and in a few minutes, PPO learns what not to inline; to beat -Oz on
programs it has not seen takes more programs and hours. `mlcompiler_gym/demo.py`
starts nearer, from a rough imitation of the heuristic.
"""

import argparse
from typing import Any

import gymnasium as gym
import torch
from rich.console import Console
from rich.table import Table
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize

import mlcompiler_gym
from mlcompiler_gym.envs.wrappers import (
    SignedLogObservation,
    SignedLogVectorObservation,
)
from mlcompiler_gym.integrations.sb3 import CompilerVecEnv

ENV_ID = "mlcompiler/Inlining-v0"
HELD_OUT = ("kernels/json", "kernels/lz", "kernels/regex")


def train(programs: list[str], steps: int, num_envs: int, seed: int) -> PPO:
    compilers = gym.make_vec(
        ENV_ID, num_envs, programs=programs, autoreset_mode="SameStep"
    )
    envs = VecMonitor(CompilerVecEnv(SignedLogVectorObservation(compilers)))
    # The reward comes once, at the end, and is some hundredths: no discount, and
    # scaled to a spread of 1.
    scaled = VecNormalize(envs, norm_obs=False, gamma=1.0)
    model = PPO("MlpPolicy", scaled, n_steps=128, gamma=1.0, seed=seed, device="cpu")
    model.learn(steps, progress_bar=True)
    scaled.close()
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--num-envs", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)  # the compilers need the processors more
    gym.register_envs(mlcompiler_gym)

    kernels = mlcompiler_gym.load_programs("kernels").names
    seen = [kernel for kernel in kernels if kernel not in HELD_OUT]
    model = train(seen, args.steps, args.num_envs, args.seed)

    table = Table("held-out program", "-Oz", "policy", "change", title="text, bytes")
    env: gym.Env[Any, Any] = SignedLogObservation(gym.make(ENV_ID, programs=HELD_OUT))
    for program in HELD_OUT:
        observation, info = env.reset(options={"program": program})
        done = False
        while not done:
            action, _ = model.predict(observation, deterministic=True)
            observation, _, terminated, truncated, info = env.step(action)
            done = terminated or truncated
        oz, ours = info["baseline"]["text_size"], info["objective"]["text_size"]
        table.add_row(program, f"{oz:.0f}", f"{ours:.0f}", f"{(ours - oz) / oz:+.1%}")
    env.close()
    Console().print(table)


if __name__ == "__main__":
    main()
