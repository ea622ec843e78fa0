# SPDX-License-Identifier: Apache-2.0
"""Parameters: what 100 compiles make of each kernel's .text, against -Oz.

`TUNING_COMPILES` (100) compiles of each program, by `mlcompiler_gym.tuning.tune` with
its defaults, and beside it as many of random search. All of it but the seconds is
deterministic. Trials are kept in `.cache/tuning`, and the next run goes on there.
"""

from __future__ import annotations

import os
from pathlib import Path
from time import monotonic

import numpy as np

import mlcompiler_gym
from mlcompiler_gym.tuning import tune

COMPILES = int(os.environ.get("TUNING_COMPILES", "100"))
SAMPLERS = ("tpe", "random")
FOLDER = Path(".cache/tuning")


def run() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    ratios: dict[str, list[float]] = {sampler: [] for sampler in SAMPLERS}
    sizes = []
    print(f"{'program':24} {'-Oz':>8} {'tpe':>8} {'random':>8} {'seconds':>8}")
    for program in mlcompiler_gym.load_programs("kernels"):
        began = monotonic()
        found = {}
        for sampler in SAMPLERS:
            study = FOLDER / f"{program.name.replace('/', '-')}-{sampler}.log"
            tuning = tune(program, compiles=COMPILES, sampler=sampler, study=study)
            assert tuning.best.values is not None
            [found[sampler]], [baseline] = tuning.best.values, tuning.baseline
            ratios[sampler].append(found[sampler] / baseline)
        sizes.append((baseline, *found.values()))
        print(
            f"{program.name:24} {baseline:8.0f} {found['tpe']:8.0f} "
            f"{found['random']:8.0f} {monotonic() - began:8.1f}",
            flush=True,
        )
    totals = np.sum(sizes, axis=0)
    for at, sampler in enumerate(SAMPLERS, 1):
        geomean = np.exp(np.mean(np.log(ratios[sampler])))
        smaller = sum(ratio < 1 for ratio in ratios[sampler])
        print(
            f"{sampler}: geomean {geomean - 1:+.1%}, total "
            f"{totals[at] / totals[0] - 1:+.1%}, smaller in {smaller} of {len(sizes)}"
        )
