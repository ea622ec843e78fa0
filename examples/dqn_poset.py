# SPDX-License-Identifier: Apache-2.0
"""POSET-RL once more: DQN of Stable-Baselines3 over 34 sequences of passes.

    python examples/dqn_poset.py --steps 20000

As in the paper (Jain et al., ISPASS 2022): the agent sees IR2Vec of the program,
chooses one of 34 sub-sequences of -Oz fifteen times, and is paid for size and
cycles at each step. Trained on some programs, and compared with -Oz on others.
The paper never takes an action twice; DQN of Stable-Baselines3 knows no masks, so
here it may.
"""

import argparse
from typing import Any

import gymnasium as gym
import torch
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from stable_baselines3 import DQN
from stable_baselines3.common.monitor import Monitor

import mlcompiler_gym
from mlcompiler_gym.envs.wrappers import SignedLogObservation

LENGTH = 15


def make(programs: str) -> gym.Env[Any, Any]:
    env = gym.make(
        "mlcompiler/PassOrdering-v0",
        programs=programs,
        actions="poset-odg34",
        observations=("ir2vec",),
        reward="poset-rl",
        max_episode_steps=LENGTH,
    )
    return SignedLogObservation(env)


def train(programs: str, steps: int, seed: int) -> DQN:
    model = DQN(
        "MlpPolicy",
        Monitor(make(programs)),
        learning_starts=min(1000, steps // 10),
        exploration_fraction=0.5,
        target_update_interval=500,
        train_freq=4,
        # An episode's length is fixed: no reward is worth less for being late.
        gamma=0.99,
        seed=seed,
        device="cpu",
    )
    model.learn(steps, progress_bar=True)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", default="kernels:train", help="programs")
    parser.add_argument("--test", default="kernels:test", help="other programs")
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)  # the compiler needs the processors more
    gym.register_envs(mlcompiler_gym)

    model = train(args.train, args.steps, args.seed)
    table = Table("program", box=SIMPLE, title="change against -Oz")
    table.add_column("text_size", justify="right")
    table.add_column("mca_cycles", justify="right")
    env = make(args.test)
    for program in mlcompiler_gym.load_programs(args.test).names:
        observation, info = env.reset(options={"program": program})
        truncated = False
        while not truncated:
            action, _ = model.predict(observation, deterministic=True)
            observation, _, _, truncated, info = env.step(int(action))
        oz = env.get_wrapper_attr("baseline")
        changes = (info["objective"][name] / oz[name] - 1 for name in oz)
        table.add_row(program, *(f"{change:+.1%}" for change in changes))
    env.close()
    Console().print(table)


if __name__ == "__main__":
    main()
