# SPDX-License-Identifier: Apache-2.0
"""Better evictions than LLVM's heuristic, learned from rollouts by `fork()`.

    mlcompiler-gym programs fetch pypi:train --level O2   # and validation, and test
    python examples/regalloc_rollouts.py --seeds 0 1 2

Collects what other columns would have been worth in the functions of `pypi:train`, and
fits gradient-boosted trees to that. The policy takes another column than the heuristic
where the trees promise a gain above a threshold, which is chosen on `pypi:validation`.
It is judged on `pypi:test`, by `regalloc_score` of each function against the
heuristic's.

What was collected is kept in the folder `--output`; a second run goes on from there.
"""

import argparse
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from time import perf_counter

import matplotlib as mpl
import numpy as np
from deviation_policy import DeviationPolicy
from regalloc_functions import Exam, Outcome, geometric_mean, shares, total_ratio
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import track
from rich.table import Table
from rollouts import Rollouts, collect

from mlcompiler_gym import LocalService, load_programs

mpl.use("Agg")  # it writes a file, and needs no display
import matplotlib.pyplot as plt

#: Functions of a program that is judged by; sqlite3 has so many that it would be most
#: of the work.
MOST = 100
#: Thresholds to choose from, as gains of a function's score.
THRESHOLDS = (0.006, 0.004, 0.0025, 0.0015)


def collect_all(args: argparse.Namespace, names: Sequence[str]) -> list[Rollouts]:
    """Rollouts of each program, of which some may be there already."""
    task = partial(
        collect,
        functions=args.functions,
        decisions=args.decisions,
        columns=args.columns,
        seed=0,
    )
    settings = f"{args.functions} {args.decisions} {args.columns}"
    paths = {
        name: args.output / f"{sha256(f'{name} {settings}'.encode()).hexdigest()}.npz"
        for name in names
    }
    missing = [name for name, path in paths.items() if not path.exists()]
    with ProcessPoolExecutor(args.processes) as pool:
        running = {pool.submit(task, name): name for name in missing}
        for done in track(as_completed(running), "rollouts", len(running)):
            done.result().save(paths[running[done]])
    found = [Rollouts.load(path) for path in paths.values()]
    return [each for each in found if len(each.gains)]


def judge_program(
    policies: Sequence[DeviationPolicy], name: str
) -> list[list[Outcome]]:
    """A program's functions, as each policy compiles them."""
    try:
        exam = Exam([name], LocalService.shared(), MOST)
    except SystemExit:
        return [[] for _ in policies]  # no decisions come up in it
    outcomes = [exam.take(policy) for policy in policies]
    exam.envs.close()
    return outcomes


def judge(
    args: argparse.Namespace,
    policies: Sequence[DeviationPolicy],
    names: Sequence[str],
    what: str,
) -> list[list[Outcome]]:
    """The functions of some programs, as each policy compiles them."""
    ended: list[list[Outcome]] = [[] for _ in policies]
    with ProcessPoolExecutor(args.processes) as pool:
        results = pool.map(partial(judge_program, policies), names)
        for result in track(results, what, len(names)):
            for outcomes, more in zip(ended, result, strict=True):
                outcomes += more
    return ended


def package(outcome: Outcome) -> str:
    return outcome.function.split()[0].split("/")[1]


def spread(outcomes: Sequence[Outcome], seed: int = 0) -> tuple[float, float]:
    """Bounds of 95% of the geometric mean had other packages been drawn."""
    logs: dict[str, list[float]] = {}
    for each in outcomes:
        logs.setdefault(package(each), []).append(float(np.log(each.ratio)))
    groups = list(logs.values())
    rng = np.random.default_rng(seed)
    means = []
    for _ in range(2000):
        drawn = rng.integers(len(groups), size=len(groups))
        means.append(np.mean(np.concatenate([groups[i] for i in drawn])))
    low, high = np.exp(np.quantile(means, (0.025, 0.975)))
    return float(low), float(high)


def make_table(
    outcomes: dict[int, list[Outcome]], policies: dict[int, DeviationPolicy]
) -> Table:
    """A row for each seed."""
    count = len(next(iter(outcomes.values())))
    table = Table(
        title=f"regalloc_score of {count} held-out functions, against LLVM's own",
        box=SIMPLE,
    )
    table.add_column("seed")
    for heading in (
        *("threshold", "geometric mean", "95% by package", "total"),
        *("better", "equal", "worse"),
    ):
        table.add_column(heading, justify="right")
    for seed, ended in outcomes.items():
        low, high = spread(ended)
        threshold = policies[seed].threshold
        table.add_row(
            str(seed),
            f"{threshold:.1%}" if np.isfinite(threshold) else "never",
            f"{geometric_mean(ended) - 1:+.2%}",
            f"{low - 1:+.2%} to {high - 1:+.2%}",
            f"{total_ratio(ended) - 1:+.2%}",
            *shares(ended),
        )
    if len(outcomes) > 1:
        means = [geometric_mean(ended) - 1 for ended in outcomes.values()]
        table.add_section()
        table.add_row(
            "mean", "", f"{np.mean(means):+.2%} ± {np.std(means, ddof=1):.2%}"
        )
    return table


def save_plot(
    validation: dict[int, dict[float, float]],
    outcomes: dict[int, list[Outcome]],
    path: Path,
) -> None:
    """How the threshold was chosen, and each held-out package."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="tight")
    for seed, means in validation.items():
        left.plot(
            [100 * threshold for threshold in means],
            [100 * (mean - 1) for mean in means.values()],
            ".-",
            label=f"seed {seed}",
        )
    left.set(xlabel="threshold, % of the function's score", title="validation")
    names = sorted({package(each) for each in next(iter(outcomes.values()))})
    for seed, ended in outcomes.items():
        ratios = [
            geometric_mean([each for each in ended if package(each) == name])
            for name in names
        ]
        right.plot(names, 100 * (np.array(ratios) - 1), ".", label=f"seed {seed}")
    right.set(title="held-out packages")
    right.tick_params(axis="x", rotation=90)
    for axes in (left, right):
        axes.axhline(0, color="black", linewidth=0.8)
        axes.set_ylabel("regalloc_score against LLVM's, % (lower is better)")
        axes.legend()
    figure.savefig(path, dpi=150)


def names_of(programs: Sequence[str]) -> list[str]:
    return [
        program.name for each in programs for program in load_programs(each, level="O2")
    ]


def main() -> None:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", nargs="+", default=["pypi:train"])
    parser.add_argument("--validation", nargs="+", default=["pypi:validation"])
    parser.add_argument("--test", nargs="+", default=["pypi:test"])
    parser.add_argument("--functions", type=int, default=12, help="of each program")
    parser.add_argument("--decisions", type=int, default=10, help="of each function")
    parser.add_argument("--columns", type=int, default=6, help="of each decision")
    parser.add_argument("--models", type=int, default=3, help="in each policy")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--output", type=Path, default=Path("regalloc_rollouts"))
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    console = Console()
    began = perf_counter()
    train, validation, test = map(names_of, (args.train, args.validation, args.test))
    rollouts = collect_all(args, train)
    better = np.mean(np.concatenate([each.gains for each in rollouts]) > 1e-3)
    console.print(
        f"{sum(len(each.gains) for each in rollouts)} rollouts of {len(rollouts)} "
        f"programs; {better:.1%} take more than 0.1% off their function's score"
    )
    chosen: dict[int, DeviationPolicy] = {}
    means: dict[int, dict[float, float]] = {}
    for seed in args.seeds:
        fitted = DeviationPolicy.fit(rollouts, seed, args.models)
        tried = [replace(fitted, threshold=each) for each in THRESHOLDS]
        ended = judge(args, tried, validation, f"validation, seed {seed}")
        means[seed] = {
            policy.threshold: geometric_mean(outcomes)
            for policy, outcomes in zip(tried, ended, strict=True)
        }
        best = min(means[seed], key=means[seed].__getitem__)
        # The heuristic is one of the choices.
        threshold = best if means[seed][best] < 1 else float("inf")
        chosen[seed] = replace(fitted, threshold=threshold)
    ended = judge(args, list(chosen.values()), test, "test")
    outcomes = dict(zip(args.seeds, ended, strict=True))
    console.print(make_table(outcomes, chosen))
    save_plot(means, outcomes, args.output / "regalloc_rollouts.png")
    console.print(f"wrote {args.output / 'regalloc_rollouts.png'}")
    console.print(f"took {perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
