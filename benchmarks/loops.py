# SPDX-License-Identifier: Apache-2.0
"""Loop distribution: what splitting is worth, and how well loop_cost tells.

Programs of `loops` that can be split are built by -O3 alone, with maximal distribution,
with LLVM's own loop-distribute, and with every partition, or with random ones if there
are many. The builds are run in turn. The time of a build is the least processor time of
its runs, less that of a program that does nothing. (The clock would also count other
work on the machine.) It prints the times over that of -O3, how far the median of -O3's
own runs lies above their least, and the rank correlation (Spearman) of `loop_cost` with
the times within each program.
"""

from __future__ import annotations

import itertools
import os
import resource
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

import mlcompiler_gym
from mlcompiler_gym.policies import active, inactive, random_legal
from mlcompiler_gym.policies.play import play

#: Partitions that are run of a program: all if it has no more, otherwise random ones.
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


def _seconds(program: Path, arguments: Sequence[str] = ()) -> float:
    def used() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        # The sum is exact; Linux guesses at the parts.
        return usage.ru_utime + usage.ru_stime

    before = used()
    subprocess.run(
        [str(program), *arguments], check=True, stdout=subprocess.DEVNULL, timeout=300
    )
    return used() - before


def _startup_seconds(folder: Path) -> float:
    """What it takes to start a program."""
    (folder / "empty.c").write_text("int main(void) { return 0; }\n")
    path = folder / "empty"
    subprocess.run(
        ["clang-22", "-fuse-ld=lld", f"{path}.c", "-o", str(path)], check=True
    )
    return min(_seconds(path) for _ in range(3 * RUNS))


def spearman(x: Sequence[float], y: Sequence[float]) -> float:
    """Rank correlation; ties have the mean of their ranks."""

    def ranks(values: Sequence[float]) -> np.ndarray[Any, Any]:
        array = np.asarray(values)
        return np.array([(array < v).sum() + (array == v).sum() / 2 for v in array])

    a, b = ranks(x), ranks(y)
    if a.std() == 0 or b.std() == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def _numbered(number: int) -> Callable[[Any, dict[str, Any]], int]:
    """Distributes where the number's binary digits are 1, lowest first."""
    digits = (number >> at & 1 for at in itertools.count())
    return lambda _, info: next(digits) & int(info["action_mask"][1])


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

    merged = play(env, inactive(env))
    if merged.info.get("no_decision"):
        env.close()
        return None
    arguments = max(
        env.program.inputs or ((),), key=lambda each: [int(a) for a in each]
    )
    add("O3", env)
    play(env, active(env))
    add("maximal", env)
    few = 2**merged.steps <= PARTITIONS
    for number in range(PARTITIONS if not few else 2**merged.steps):
        play(env, _numbered(number) if few else random_legal(env, seed=number))
        add(f"partition{number}", env)
    env.close()
    own = _make(name, llvm_distribution=True)
    play(own, inactive(own))
    add("llvm", own)
    own.close()
    times: dict[str, list[float]] = {label: [] for label in variants}
    for _ in range(RUNS):
        for label, (path, _) in variants.items():
            times[label].append(_seconds(path, arguments))
    startup = _startup_seconds(folder)
    least = {label: max(min(each) - startup, 1e-9) for label, each in times.items()}
    base = sorted(times["O3"])
    return {
        "time": {label: least[label] / least["O3"] for label in variants},
        "cost": {
            label: cost / variants["O3"][1] for label, (_, cost) in variants.items()
        },
        "seconds": least["O3"],
        "spread": (base[len(base) // 2] - base[0]) / least["O3"],
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
