# SPDX-License-Identifier: Apache-2.0
"""Greedy search: at a call site, fork the compile and try the other answer.

What LLVM's heuristic answers is the start. At each decision the compile is
forked, the fork takes the opposite answer and the heuristic's from there on; if
its code is smaller than the smallest so far, the opposite answer is kept.

    python examples/greedy_fork.py --program kernels/regex --budget 60
"""

import argparse
import random
from pathlib import Path

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

import mlcompiler_gym
from mlcompiler_gym import CompilerEnv, Trajectory, replay

OBJECTIVE = "text_size"
Observation = dict[str, NDArray[np.float32]]


def heuristic(observation: Observation) -> int:
    return int(observation["inlining_default"].item())


def finish(env: CompilerEnv, observation: Observation, action: int) -> float:
    """Take an action, then the heuristic's; what is measured at the end."""
    done = False
    while not done:
        observation, _, terminated, truncated, info = env.step(action)
        done = terminated or truncated
        action = heuristic(observation)
    if "error" in info:
        return float("inf")  # this answer crashed the compiler: not a good one
    return float(info["objective"][OBJECTIVE])


def search(env: CompilerEnv, budget: int, seed: int) -> Trajectory:
    """The best episode that ``budget`` forks find."""
    observation, info = env.reset(seed=seed)
    if "no_decision" in info:
        raise SystemExit(f"{info['program']} has no call site to decide about")
    with env.fork() as twin:
        best = finish(twin, observation, heuristic(observation))
        trajectory: Trajectory = twin.trajectory
    # An answer that is kept changes how many decisions follow, so this is a guess.
    decisions = len(trajectory.actions)
    tried = random.Random(seed).sample(range(decisions), min(budget, decisions))
    for decision in track(range(decisions), description="Decisions"):
        action = heuristic(observation)
        if decision in tried:
            with env.fork() as twin:
                value = finish(twin, observation, 1 - action)
                if value < best:
                    best, trajectory = value, twin.trajectory
                    action = 1 - action
        observation, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            break
    return trajectory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default="kernels/regex", help="name or path")
    parser.add_argument("--budget", type=int, default=100, help="forks to try")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("best.json"))
    args = parser.parse_args()

    gym.register_envs(mlcompiler_gym)
    env = gym.make(
        "mlcompiler/Inlining-v0",
        programs=args.program,
        objective=OBJECTIVE,
        observation="dict",
        inlining_default=True,
    ).unwrapped
    if not isinstance(env, CompilerEnv):
        raise TypeError(f"{env} is not a CompilerEnv")
    with env:
        search(env, args.budget, args.seed).save(args.output)
        baseline = env.baseline[OBJECTIVE]

    # From the file, in a new compile: the result holds for everybody who has the file.
    value = replay(Trajectory.load(args.output)).values[OBJECTIVE]
    print(f"{args.program}: {value:.0f} bytes, -Oz {baseline:.0f} bytes")
    print(f"that is {(value - baseline) / baseline:+.1%}; replayed from {args.output}")


if __name__ == "__main__":
    main()
