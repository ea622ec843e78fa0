# SPDX-License-Identifier: Apache-2.0
"""Loop factors: what every width and interleaving of every loop of `loops` is worth.

At each decision every legal combination is taken in a fork, all other loops being left
to LLVM. What comes of it is run in turn with -O3's code on the largest input, and the
least time of `LOOP_FACTORS_RUNS` runs counts. Then the best of each loop are put
together, compiled anew, and run in pairs with -O3 once more; those runs have chosen
nothing, and what they say is the figure.

`LOOP_FACTORS_SECONDS` (60) bounds a run, and the next one goes on where it stopped: a
program is done when it is in the table, `benchmarks/loop_factors.jsonl`. Without
programs left, what is in the table is summed up: -O3, the best uniform setting, chance,
the best of each loop, and a policy learned by regression from the features of the other
families, each as the geometric mean of times over -O3's; and how well the cheap
objectives rank what has been run.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

import mlcompiler_gym
from benchmarks.loops import spearman
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.measuring import MeasureError, Measuring, harness
from mlcompiler_gym.measuring.paired import compare_pairs
from mlcompiler_gym.policies import inactive, play
from mlcompiler_gym.validation import Limits
from mlcompiler_gym.validation.sandbox import scratch_folder

ID = "mlcompiler/LoopFactors-v0"
TABLE = Path(__file__).with_name("loop_factors.jsonl")
CPUS = ("x86-64", "x86-64-v3")
RUNS = int(os.environ.get("LOOP_FACTORS_RUNS", "5"))
SECONDS = float(os.environ.get("LOOP_FACTORS_SECONDS", "60"))
#: Objectives that are cheap, and stand for time.
MODELS = ("loop_cost", "mca_cycles")
#: Pairs of runs that confirm.
PAIRS = 9

Floats = NDArray[np.float64]


def _make(name: str, cpu: str) -> CompilerEnv:
    env = gymnasium.make(
        ID, programs=name, cpu=cpu, unroll=False, objective="ir_instructions"
    ).unwrapped
    assert isinstance(env, CompilerEnv)
    return env


class _Timer:
    """Runs builds of one program on its largest input."""

    def __init__(self, env: CompilerEnv, folder: Path) -> None:
        self._folder = folder
        self._limits = Limits()
        inputs = env.program.inputs or ((),)
        self._arguments = max(inputs, key=lambda each: [int(a) for a in each])
        self._expected: tuple[bytes, int] | None = None
        self._count = 0

    def link(self, code: bytes) -> Path:
        self._count += 1
        path = self._folder / str(self._count)
        harness.link_measured(code, path, counts=False)
        return path

    def seconds(self, path: Path) -> float:
        done = harness.read(path, self._arguments, self._limits)
        self._expected = self._expected or (done.output, done.status)
        if (done.output, done.status) != self._expected:
            raise MeasureError(f"{path} prints something else")
        return done.wall_seconds


def study(name: str, cpu: str) -> dict[str, Any]:
    """The row of one program."""
    env = _make(name, cpu)
    row: dict[str, Any] = {"program": name, "cpu": cpu, "loops": []}
    baseline = play(env, inactive(env))
    if baseline.info.get("no_decision"):
        return row
    stock = env.emit()
    costs = [env.measure(*MODELS)]
    labels = [each["loop"] for each in baseline.info["taken"]]
    builds: dict[bytes, int] = {stock: 0}
    tables = []
    observation, info = env.reset()
    for label in labels:
        features = np.asarray(observation)[len(info["action_mask"]) :]
        codes: list[int | None] = []
        for action in range(len(info["action_mask"])):
            if not info["action_mask"][action]:
                codes.append(None)
                continue
            twin = env.fork()
            over = twin.step(action)[2]
            if not over:
                twin.finish("inactive")
            code = twin.emit()
            if code not in builds:
                costs.append(twin.measure(*MODELS))
            codes.append(builds.setdefault(code, len(builds)))
            twin.close()
        tables.append((label, features.tolist(), codes))
        observation, _, _, _, info = env.step(0)
    with scratch_folder() as folder:
        timer = _Timer(env, Path(folder))
        paths = [timer.link(code) for code in builds]
        for path in paths:
            timer.seconds(path)  # finds files in no cache
        times = np.array([[timer.seconds(p) for p in paths] for _ in range(RUNS)])
        ratios = times.min(axis=0) / times[:, 0].min()
        best = []
        for label, features, codes in tables:
            values = [None if c is None else round(ratios[c], 4) for c in codes]
            best.append(min((v, a) for a, v in enumerate(values) if v is not None)[1])
            row["loops"].append({"loop": label, "features": features, "time": values})
        answers = iter(best)
        play(env, lambda *_: next(answers))
        chosen = [timer.link(code) for code in (stock, env.emit())]
        for path in chosen:
            timer.seconds(path)
        pairs = np.array([[timer.seconds(p) for p in chosen] for _ in range(PAIRS)])
    found = compare_pairs(pairs[:, 1], pairs[:, 0], Measuring().confidence)
    row["best"] = best
    row["builds"] = [round(ratio, 4) for ratio in ratios]
    for model in MODELS:
        row[model] = [round(cost[model] / costs[0][model], 4) for cost in costs]
    row["seconds"] = round(float(np.median(pairs[:, 0])), 6)
    row["confirmed"] = [round(v, 4) for v in (found.ratio, found.low, found.high)]
    row["noise"] = round(float(np.median(times[:, 0]) / times[:, 0].min()) - 1, 4)
    env.close()
    return row


def _geomean(values: Sequence[float] | Floats) -> float:
    return float(np.exp(np.mean(np.log(values))))


def _family(row: dict[str, Any]) -> str:
    return str(row["program"]).partition("/")[2].partition("_")[0]


def _loops(rows: Sequence[dict[str, Any]]) -> Iterator[tuple[str, Floats, Floats]]:
    """Family, features, and times by action (NaN where not legal) of each loop."""
    for row in rows:
        for loop in row["loops"]:
            times = np.array([np.nan if t is None else t for t in loop["time"]])
            yield _family(row), np.array(loop["features"]), times


def _learned(loops: Sequence[tuple[str, Floats, Floats]]) -> Floats:
    """The time of what a regression chooses that has not seen the loop's family."""
    from sklearn.ensemble import ExtraTreesRegressor

    chosen = np.ones(len(loops))
    for family in sorted({each for each, _, _ in loops}):
        x, y = [], []
        for other, features, times in loops:
            if other == family:
                continue
            for action in np.flatnonzero(~np.isnan(times)):
                x.append([*features, action // 5, action % 5])
                y.append(np.log(times[action]))
        model = ExtraTreesRegressor(300, min_samples_leaf=3, random_state=0, n_jobs=1)
        model.fit(x, y)
        for at, (own, features, times) in enumerate(loops):
            if own == family:
                legal = np.flatnonzero(~np.isnan(times))
                shown = [[*features, a // 5, a % 5] for a in legal]
                chosen[at] = times[legal[np.argmin(model.predict(shown))]]
    return chosen


def report(rows: Sequence[dict[str, Any]]) -> None:
    """Print what the table says."""
    rng = np.random.default_rng(0)
    for cpu in CPUS:
        own = [row for row in rows if row["cpu"] == cpu and row["loops"]]
        if not own:
            continue
        loops = list(_loops(own))
        times = np.array([each for _, _, each in loops])
        filled = np.where(np.isnan(times), 1.0, times)
        uniform = np.array([_geomean(column) for column in filled.T])
        drawn = [
            _geomean([rng.choice(t[~np.isnan(t)]) for t in times]) for _ in "12345"
        ]
        families = {family for family, _, _ in loops}
        learned = _learned(loops) if len(families) > 1 else np.ones(len(loops))
        confirmed = np.array([row["confirmed"] for row in own])
        print(f"{cpu}: {len(own)} programs, {len(loops)} loops; time / -O3, geomean")
        print(f"  best uniform setting {uniform.min():.3f} (action {uniform.argmin()})")
        print(f"  random {np.mean(drawn):.3f}")
        print(f"  best of each loop {_geomean(np.nanmin(times, axis=1)):.3f}")
        print(f"  regression, other families {_geomean(learned):.3f}")
        print(f"  best together, confirmed {_geomean(confirmed[:, 0]):.3f} by program; "
              f"faster beyond the spread {(confirmed[:, 2] < 1).sum()}, slower "
              f"{(confirmed[:, 1] > 1).sum()}")  # fmt: skip
        for model in MODELS:
            rhos = [spearman(row[model], row["builds"]) for row in own]
            rhos = [rho for rho in rhos if not np.isnan(rho)]
            chosen = [row["builds"][int(np.argmin(row[model]))] for row in own]
            print(f"  {model}: Spearman with time within a program, median "
                  f"{np.median(rhos):.2f} of {len(rhos)}; what it likes best "
                  f"{_geomean(chosen):.3f}")  # fmt: skip
        noise = [row["noise"] for row in own]
        print(f"  noise: median of -O3's runs over their least {np.median(noise):.1%}, "
              f"at most {max(noise):.1%}")  # fmt: skip


def run() -> None:
    """Go on with the table, and sum it up."""
    until = time.monotonic() + SECONDS
    lines = TABLE.read_text().splitlines() if TABLE.exists() else []
    rows = [json.loads(line) for line in lines]
    done = {(row["program"], row["cpu"]) for row in rows}
    left = [
        (program.name, cpu)
        for cpu in CPUS
        for program in mlcompiler_gym.load_programs("loops", level="O2")
        if (program.name, cpu) not in done
    ]
    while left and time.monotonic() < until:
        row = study(*left.pop(0))
        rows.append(row)
        with TABLE.open("a") as table:
            table.write(json.dumps(row) + "\n")
    print(f"{len(left)} of programs and processors left")
    report(rows)
