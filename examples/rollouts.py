# SPDX-License-Identifier: Apache-2.0
"""What another eviction had been worth: rollouts of RegAllocEviction by `fork()`.

LLVM's heuristic allocates a function. At some of its decisions the compiler is forked,
each copy takes another column, and the heuristic goes on from there to the end.
"""

import io
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from column_policy import COLUMNS, DEFAULT, PER_COLUMN, PROGRESS, WEIGHTS
from numpy.typing import NDArray
from regalloc_functions import ENV_ID

from mlcompiler_gym import MLCompilerGymError
from mlcompiler_gym.envs.choice import functions_with_decisions
from mlcompiler_gym.files import write_file
from mlcompiler_gym.policies import heuristic, play

#: An allocation that takes more decisions than this is left out: what is evicted may
#: evict in turn, and some chains take thousands of decisions.
LONGEST = 500


@dataclass(frozen=True)
class Rollouts:
    """Deviations of one program; arrays of shape ``(rollouts,)`` unless said.

    Attributes:
        observations: What the decision was made from, float32 ``(rollouts, 926)``.
        actions: The columns that were taken.
        gains: What that took off the function's score, of what it is without.
    """

    observations: NDArray[np.float32]
    actions: NDArray[np.int64]
    gains: NDArray[np.float64]

    def save(self, path: Path) -> None:
        content = io.BytesIO()
        np.savez_compressed(content, **vars(self))
        # Whole or not at all, so that an interrupted run can go on.
        write_file(path, content.getvalue())

    @classmethod
    def load(cls, path: Path) -> "Rollouts":
        with np.load(path) as file:
            return cls(**{name: file[name] for name in file.files})


def alternatives(observation: NDArray[np.float32]) -> list[int]:
    """Legal columns that are neither the heuristic's nor copies of another, to LLVM.

    "Evict nothing", the last, comes first.
    """
    features = observation[:PROGRESS].reshape(PER_COLUMN, COLUMNS)
    weights = observation[-COLUMNS * WEIGHTS :].reshape(COLUMNS, WEIGHTS)
    seen = np.concatenate([features.T, weights], 1)
    known = {seen[int(observation[DEFAULT])].tobytes()}
    found = []
    for column in np.flatnonzero(features[0])[::-1]:
        if seen[column].tobytes() not in known:
            known.add(seen[column].tobytes())
            found.append(int(column))
    return found


def _finish(env: Any, action: int) -> float | None:
    """The function's score if the heuristic goes on after an action."""
    observation, _, terminated, truncated, info = env.step(action)
    for _ in range(LONGEST):
        if terminated or truncated:
            break
        observation, _, terminated, truncated, info = env.step(
            int(observation[DEFAULT])
        )
    return float(info["objective"]["regalloc_score"]) if terminated else None


def collect(
    program: str, *, functions: int, decisions: int, columns: int, seed: int
) -> Rollouts:
    """Deviate from the heuristic in a program.

    Args:
        program: Its name.
        functions: How many functions to draw.
        decisions: At how many decisions of each, also drawn.
        columns: How many other columns to try there, at most.
        seed: Draws the functions, decisions and columns.
    """
    rng = random.Random(f"{program} {seed}")
    env: Any = gym.make(
        ENV_ID,
        programs=program,
        eviction_default=True,
        interference_weights=True,
        deadline=20,
    ).unwrapped
    rows: list[tuple[NDArray[np.float32], int, float]] = []
    try:
        known = functions_with_decisions(env.setup, env.setup.programs[0])
        for function in rng.sample(known, min(functions, len(known))):
            try:
                rows += _deviate(env, function, decisions, columns, rng)
            except MLCompilerGymError:
                break  # too slow, or too much for LLVM: other programs will do
    finally:
        env.close()
    observations, actions, gains = zip(*rows, strict=True) if rows else ((), (), ())
    return Rollouts(
        np.array(observations, np.float32), np.array(actions, int), np.array(gains)
    )


def _deviate(
    env: Any, function: str, decisions: int, columns: int, rng: random.Random
) -> list[tuple[NDArray[np.float32], int, float]]:
    usual = play(env, heuristic(env), options={"function": function})
    if "error" in usual.info or usual.steps > LONGEST:
        return []
    score = usual.info["objective"]["regalloc_score"]
    if not score:
        return []
    drawn = set(rng.sample(range(usual.steps), min(decisions, usual.steps)))
    rows = []
    observation, _ = env.reset(options={"function": function})
    for index in range(max(drawn) + 1):
        tried = alternatives(observation) if index in drawn else []
        others = rng.sample(tried[1:], max(0, min(columns, len(tried)) - 1))
        for action in [*tried[:1], *others]:
            twin = env.fork()
            other = _finish(twin, action)
            twin.close()
            if other is not None:
                rows.append((observation, action, (score - other) / score))
        observation, *_ = env.step(int(observation[DEFAULT]))
    return rows
