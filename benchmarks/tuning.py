# SPDX-License-Identifier: Apache-2.0
"""Parameters: what 100 compiles make of each kernel's .text, against -Oz.

`TUNING_COMPILES` (100) compiles of each program, by `mlcompiler_gym.tuning.tune` with
its defaults. All of it but the seconds is deterministic. What comes out must print what
the unoptimised build prints.
"""

from __future__ import annotations

import os
from time import monotonic
from typing import Any

import gymnasium
import numpy as np

import mlcompiler_gym
from mlcompiler_gym import Program
from mlcompiler_gym.tuning import tune

COMPILES = int(os.environ.get("TUNING_COMPILES", "100"))


def check(program: Program, chosen: dict[str, str]) -> None:
    env: Any = gymnasium.make("mlcompiler/Parameters-v0", programs=[program]).unwrapped
    env.reset()
    env.step(env.action(chosen))
    if not (validation := env.validate()).ok:
        raise RuntimeError(f"{program.name}: {validation}")
    env.close()


def run() -> None:
    sizes = []
    print(f"{'program':24} {'-Oz':>8} {'tuned':>8} {'':>7} {'seconds':>8}")
    for program in mlcompiler_gym.load_programs("kernels"):
        began = monotonic()
        tuning = tune(program, compiles=COMPILES)
        assert tuning.best.values is not None
        check(program, tuning.best.chosen)
        [tuned], [baseline] = tuning.best.values, tuning.baseline
        sizes.append((baseline, tuned))
        print(
            f"{program.name:24} {baseline:8.0f} {tuned:8.0f} "
            f"{tuned / baseline - 1:+7.1%} {monotonic() - began:8.1f}",
            flush=True,
        )
    baselines, results = np.array(sizes).T
    geomean = np.exp(np.mean(np.log(results / baselines)))
    total = results.sum() / baselines.sum()
    smaller = (results < baselines).sum()
    print(
        f"geomean {geomean - 1:+.1%}, total {total - 1:+.1%}, smaller in {smaller} of "
        f"{len(sizes)}"
    )
