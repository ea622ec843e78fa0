# SPDX-License-Identifier: Apache-2.0
"""Loop factors: what every width and interleaving of every loop of `loops` is worth.

At each decision every legal combination is taken in a fork, all other loops being left
to LLVM. What comes of it is run in turn with -O3's code on the largest input, and the
least time of `LOOP_FACTORS_RUNS` runs counts. Then the best of each loop are put
together, compiled again, and run in pairs with -O3. Nothing was chosen by these last
runs, so they give the figure.

`LOOP_FACTORS_SECONDS` (60) bounds a run, and the next one goes on where it stopped: a
program is done when it is in the table that `mlcompiler_gym.programs.loop_times` reads.
Delete the table to measure afresh.

The table is then summed up. Each figure is the geometric mean of times over -O3's: of
-O3 itself, the best uniform setting, chance, the best of each loop, and what regression
learns from the features of the other families. For the families of the validation and
test splits it says what regression and MaskablePPO learn from the training split. It
also prints how well the cheap objectives rank what has been run.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

import mlcompiler_gym
from benchmarks.loops import spearman
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.envs.wrappers import signed_log
from mlcompiler_gym.measuring import MeasureError, Measuring, harness
from mlcompiler_gym.measuring.paired import compare_pairs
from mlcompiler_gym.policies import inactive, play
from mlcompiler_gym.programs.catalogue import entries_of
from mlcompiler_gym.programs.loop_times import TABLE
from mlcompiler_gym.validation import Limits
from mlcompiler_gym.validation.sandbox import scratch_folder

ID = "mlcompiler/LoopFactors-v0"
CPUS = ("x86-64", "x86-64-v3")
RUNS = int(os.environ.get("LOOP_FACTORS_RUNS", "5"))
SECONDS = float(os.environ.get("LOOP_FACTORS_SECONDS", "60"))
#: Objectives that are cheap, and stand for time.
MODELS = ("loop_cost", "mca_cycles")
#: Pairs of runs that confirm.
PAIRS = 9
#: What an action must gain, as a part of the time, to be among the best.
LEAST_GAIN = 0.03
#: Steps that MaskablePPO learns in, and how often it starts again from nothing.
STEPS, SEEDS = 20_000, 3
#: By action; 0 is LLVM's choice.
WIDTHS, INTERLEAVINGS = (0, 1, 2, 4, 8, 16), (0, 1, 2, 4, 8)
#: The regression leaves to LLVM what it promises less for, as a logarithm.
MARGIN = 0.01

Floats = NDArray[np.float64]


def _make(name: str, cpu: str) -> CompilerEnv:
    env = gymnasium.make(
        ID,
        programs=name,
        cpu=cpu,
        unroll=False,
        cost_model=True,
        objective="ir_instructions",
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
        harness.link_measured(code, path)
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
        row["noise"] = round(float(np.median(times[:, 0]) / times[:, 0].min()) - 1, 4)
        for label, features, codes in tables:
            values = [None if c is None else round(ratios[c], 4) for c in codes]
            row["loops"].append({"loop": label, "features": features, "time": values})
        confirm(row, env, timer)
    row["builds"] = [round(ratio, 4) for ratio in ratios]
    for model in MODELS:
        row[model] = [round(cost[model] / costs[0][model], 4) for cost in costs]
    env.close()
    return row


def confirm(row: dict[str, Any], env: CompilerEnv, timer: _Timer) -> None:
    """Run the best of all loops together in pairs with -O3.

    A loop keeps LLVM's choice where nothing gains more than the noise: the least of
    many times is too good by itself.
    """
    row["best"] = []
    for loop in row["loops"]:
        times = np.array(loop["time"], float)
        best = int(np.nanargmin(times))
        gains = times[best] < 1 - max(LEAST_GAIN, row["noise"])
        row["best"].append(best if gains else 0)
    builds = []
    for answers in ([0] * len(row["best"]), row["best"]):
        left = iter(answers)
        play(env, lambda *_, left=left: next(left))
        builds.append(timer.link(env.emit()))
    for path in builds:
        timer.seconds(path)  # finds files in no cache
    pairs = np.array([[timer.seconds(p) for p in builds] for _ in range(PAIRS)])
    found = compare_pairs(pairs[:, 1], pairs[:, 0], Measuring().confidence)
    row["seconds"] = round(float(np.median(pairs[:, 0])), 6)
    row["confirmed"] = [round(v, 4) for v in (found.ratio, found.low, found.high)]


def _geomean(values: Sequence[float] | Floats) -> float:
    return float(np.exp(np.mean(np.log(values))))


def _family(row: dict[str, Any]) -> str:
    return str(row["program"]).partition("/")[2].partition("_")[0]


class _Timed(NamedTuple):
    """A loop, and the time of each action; NaN where it is not legal."""

    family: str
    split: str
    features: Floats
    times: Floats

    @property
    def legal(self) -> NDArray[np.bool_]:
        return np.logical_not(np.isnan(self.times))


def _loops(rows: Sequence[dict[str, Any]]) -> Iterator[_Timed]:
    splits = {entry.name: entry.split for entry in entries_of("loops")}
    for row in rows:
        for loop in row["loops"]:
            yield _Timed(
                _family(row),
                splits[row["program"]],
                np.array(loop["features"], float),
                np.array(loop["time"], float),
            )


def _by_regression(seen: Sequence[_Timed], unseen: Sequence[_Timed]) -> list[float]:
    """The times of what a regression on the loops seen chooses for the others."""
    from sklearn.ensemble import ExtraTreesRegressor

    def shown(loop: _Timed) -> Floats:
        llvms = loop.features[-3:-1]
        rows = []
        for action in np.flatnonzero(loop.legal):
            asked = np.array([WIDTHS[action // 5], INTERLEAVINGS[action % 5]])
            taken = np.log2(np.where(asked, asked, llvms))
            rows.append([*loop.features, *taken, *(taken - np.log2(llvms)), *asked])
        return np.array(rows)

    model = ExtraTreesRegressor(
        300, min_samples_leaf=5, max_features=0.5, random_state=0, n_jobs=1
    )
    times = np.concatenate([loop.times[loop.legal] for loop in seen])
    # What loses a lot is not to outweigh the many that gain a little.
    model.fit(
        np.concatenate([shown(loop) for loop in seen]), np.log(np.clip(times, 0.6, 1.6))
    )
    chosen = []
    for loop in unseen:
        gains = model.predict(shown(loop))
        best = int(np.argmin(gains))
        if gains[best] > gains[0] - MARGIN:
            best = 0
        chosen.append(float(loop.times[loop.legal][best]))
    return chosen


class _Table(gymnasium.Env[Floats, int]):
    """Loops drawn at random from the table, a decision each; time is looked up."""

    def __init__(self, loops: Sequence[_Timed]) -> None:
        self._loops = loops
        shape = (len(loops[0].features),)
        self.observation_space = spaces.Box(-np.inf, np.inf, shape, np.float64)
        self.action_space = spaces.Discrete(len(loops[0].times))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats, dict[str, Any]]:
        super().reset(seed=seed)
        self._loop = self._loops[int(self.np_random.integers(len(self._loops)))]
        return signed_log(self._loop.features), {}

    def action_masks(self) -> NDArray[np.bool_]:
        return self._loop.legal

    def step(self, action: int) -> tuple[Floats, float, bool, bool, dict[str, Any]]:
        reward = -float(np.log(self._loop.times[action]))
        return signed_log(self._loop.features), reward, True, False, {}


def _by_maskable_ppo(
    seen: Sequence[_Timed], unseen: Sequence[_Timed], seed: int
) -> list[float]:
    """The times of what MaskablePPO chooses that has learned on the loops seen."""
    import torch
    from sb3_contrib import MaskablePPO

    torch.set_num_threads(1)  # the layers are too small for two
    model = MaskablePPO(
        "MlpPolicy", _Table(seen), n_steps=512, gamma=0, seed=seed, device="cpu"
    )
    model.learn(STEPS)
    return [
        float(loop.times[model.predict(
            signed_log(loop.features), action_masks=loop.legal, deterministic=True
        )[0]])
        for loop in unseen
    ]  # fmt: skip


def _report_learned(loops: Sequence[_Timed]) -> None:
    families = sorted({loop.family for loop in loops})
    if len(families) < 2:
        return
    times, best = [], []
    for family in families:
        unseen = [loop for loop in loops if loop.family == family]
        times += _by_regression([x for x in loops if x.family != family], unseen)
        best += [float(np.nanmin(loop.times)) for loop in unseen]
    regret = _geomean(times) / _geomean(best) - 1
    print(f"  regression, other families {_geomean(times):.3f}, regret {regret:.1%}")
    seen = [loop for loop in loops if loop.split == "train"]
    unseen = [loop for loop in loops if loop.split != "train"]
    if not (seen and unseen):
        return
    least = _geomean([float(np.nanmin(loop.times)) for loop in unseen])
    print(f"  validation and test, {len(unseen)} loops: best {least:.3f}")
    found = _geomean(_by_regression(seen, unseen))
    print(f"    regression {found:.3f}, regret {found / least - 1:.1%}")
    for seed in range(SEEDS):
        found = _geomean(_by_maskable_ppo(seen, unseen, seed))
        print(f"    MaskablePPO, seed {seed}: {found:.3f}, "
              f"regret {found / least - 1:.1%}")  # fmt: skip


def report(rows: Sequence[dict[str, Any]]) -> None:
    """Print what the table says."""
    rng = np.random.default_rng(0)
    for cpu in CPUS:
        own = [row for row in rows if row["cpu"] == cpu and row["loops"]]
        if not own:
            continue
        loops = list(_loops(own))
        times = np.array([loop.times for loop in loops])
        filled = np.where(np.isnan(times), 1.0, times)
        uniform = np.array([_geomean(column) for column in filled.T])
        drawn = [
            _geomean([rng.choice(t[~np.isnan(t)]) for t in times]) for _ in "12345"
        ]
        confirmed = np.array([row["confirmed"] for row in own])
        print(f"{cpu}: {len(own)} programs, {len(loops)} loops; time / -O3, geomean")
        print(f"  best uniform setting {uniform.min():.3f} (action {uniform.argmin()})")
        print(f"  random {np.mean(drawn):.3f}")
        print(f"  best of each loop {_geomean(np.nanmin(times, axis=1)):.3f}")
        _report_learned(loops)
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
