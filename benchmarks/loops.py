# SPDX-License-Identifier: Apache-2.0
"""Loop distribution: what splitting is worth, and how well loop_cost tells.

For programs of `loops` that can be split: -O3 by itself, maximal distribution, LLVM's
own loop-distribute, and random partitions are run in turn, and each is given the least
user time of its runs (of the processor, not of the clock, since other work on the
machine is in the latter). Printed are the times over that of -O3, the largest relative
spread of -O3's own runs, and the rank correlation (Spearman) of `loop_cost` with the
times within each program.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

import mlcompiler_gym
from mlcompiler_gym.policies import always_distribute, never_distribute, random_legal
from mlcompiler_gym.policies.play import play

PARTITIONS = int(os.environ.get("LOOPS_PARTITIONS", "8"))
RUNS = int(os.environ.get("LOOPS_RUNS", "7"))


def _make(name: str, **settings: Any) -> mlcompiler_gym.CompilerEnv:
    env = gymnasium.make(
        "mlcompiler/LoopDistribution-v0", programs=name, **settings
    ).unwrapped
    assert isinstance(env, mlcompiler_gym.CompilerEnv)
    return env


def _link(code: bytes, folder: Path, name: str) -> Path:
    (folder / f"{name}.o").write_bytes(code)
    path = folder / name
    subprocess.run(
        ["clang-22", "-fuse-ld=lld", f"{path}.o", "-o", str(path), "-lm"], check=True
    )
    return path


def _user_seconds(program: Path, arguments: Sequence[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run(
        [str(program), *arguments], check=True, stdout=subprocess.DEVNULL, timeout=300
    )
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def spearman(x: Sequence[float], y: Sequence[float]) -> float:
    """Rank correlation; ties have the mean of their ranks."""

    def ranks(values: Sequence[float]) -> np.ndarray[Any, Any]:
        array = np.asarray(values)
        return np.array([(array < v).sum() + (array == v).sum() / 2 for v in array])

    a, b = ranks(x), ranks(y)
    if a.std() == 0 or b.std() == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def measure(name: str, folder: Path) -> dict[str, Any] | None:
    """The variants of one program; None if there is nothing to split."""
    env = _make(name)
    variants: dict[str, tuple[Path, float]] = {}
    seen: dict[bytes, str] = {}

    def add(label: str, made: mlcompiler_gym.CompilerEnv) -> None:
        code = made.emit()
        if code in seen:
            return
        seen[code] = label
        cost = made.measure("loop_cost")["loop_cost"]
        variants[label] = (_link(code, folder, label), cost)

    if play(env, never_distribute).info.get("no_decision"):
        env.close()
        return None
    arguments = max(
        env.program.inputs or ((),), key=lambda each: [int(a) for a in each]
    )
    add("O3", env)
    play(env, always_distribute)
    add("maximal", env)
    for number in range(PARTITIONS):
        play(env, random_legal(env, seed=number))
        add(f"random{number}", env)
    env.close()
    own = _make(name, llvm_distribution=True)
    play(own, never_distribute)
    add("llvm", own)
    own.close()
    times: dict[str, list[float]] = {label: [] for label in variants}
    for _ in range(RUNS):
        for label, (path, _) in variants.items():
            times[label].append(_user_seconds(path, arguments))
    least = {label: min(each) for label, each in times.items()}
    base = sorted(times["O3"])
    return {
        "time": {label: least[label] / max(least["O3"], 1e-9) for label in variants},
        "cost": {
            label: cost / variants["O3"][1] for label, (_, cost) in variants.items()
        },
        "seconds": least["O3"],
        "spread": (base[len(base) // 2] - base[0]) / max(base[0], 1e-9),
        "spearman": spearman(
            [variants[label][1] for label in variants],
            [least[label] for label in variants],
        ),
    }


def run(names: Sequence[str] | None = None) -> None:
    """Measure and print a row for each program."""
    if names is None:
        names = [p.name for p in mlcompiler_gym.load_programs("loops", level="O2")]
    print(f"{'program':32} {'O3 s':>7} {'spread':>6} {'max':>6} {'best':>6} "
          f"{'by cost':>7} {'rho':>6}  variants")  # fmt: skip
    rows = []
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            row = measure(name, Path(folder))
        if row is None:
            continue
        rows.append(row)
        time, cost = row["time"], row["cost"]
        by_cost = time[min(cost, key=cost.__getitem__)]
        print(
            f"{name:32} {row['seconds']:7.3f} {row['spread']:6.1%} "
            f"{time.get('maximal', 1.0):6.2f} {min(time.values()):6.2f} "
            f"{by_cost:7.2f} {row['spearman']:6.2f}  {len(time)}",
            flush=True,
        )
    rhos = [row["spearman"] for row in rows if not np.isnan(row["spearman"])]
    faster = sum(min(row["time"].values()) < 1 - 0.02 - row["spread"] for row in rows)
    print(
        f"{len(rows)} programs; faster than -O3 by more than 2% + spread: {faster};"
        f" Spearman of loop_cost with time: median {statistics.median(rhos):.2f}, "
        f"mean {statistics.mean(rhos):.2f} of {len(rhos)}"
    )
