# SPDX-License-Identifier: Apache-2.0
"""Search for pass orderings that beat -Oz, forking the compile at each step.

    python examples/pass_search.py --programs kernels:test --seconds 60

Every program is searched for the given time on one processor. Results are written
to a file as they come, and a run that was cut off goes on where it stopped. What is
found is replayed in a fresh compile, and where the program can be run, checked
to compute the same as the unoptimised one.

With --compiles, local search tries a number of sequences, among the passes of --actions
alone, and what it writes can be submitted to the leaderboard:

    python examples/pass_search.py --compiles 100 --output found.jsonl
    mlcompiler-gym leaderboard pack FOLDER found.jsonl --compiles 100
"""

import argparse
import functools
import json
import math
import subprocess
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import gymnasium as gym
import matplotlib as mpl
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

import mlcompiler_gym
from mlcompiler_gym import PassOrderingEnv, ProgramError, load_programs, replay
from mlcompiler_gym.policies import (
    SearchResult,
    greedy_search,
    local_search,
    random_search,
)

mpl.use("Agg")  # it writes a file, and needs no display
import matplotlib.pyplot as plt

#: LLVM's own pipeline: a search may go on from there.
OZ = "default<Oz>"
Row = dict[str, Any]


def make(program: str, objective: str, actions: list[str] | str) -> PassOrderingEnv:
    gym.register_envs(mlcompiler_gym)
    env = gym.make(
        "mlcompiler/PassOrdering-v0",
        programs=program,
        objective=objective,
        actions=actions,
        deadline=20.0,
    ).unwrapped
    if not isinstance(env, PassOrderingEnv):
        raise TypeError(f"{env} is not a PassOrderingEnv")
    return env


@functools.cache
def action_names(name: str) -> list[str]:
    return make("kernels", "ir_instructions", name).action_names


def split(pipeline: str) -> list[str]:
    """The parts of a pipeline between its outermost commas."""
    parts, depth = [""], 0
    for letter in pipeline:
        depth += (letter in "(<") - (letter in ")>")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


@functools.cache
def passes_of(level: str) -> list[str]:
    """LLVM's own pipeline, pass by pass where functions are worked on one by one."""
    command = ["opt-22", f"-passes={level}", "-print-pipeline-passes"]
    printed = subprocess.run(
        [*command, "-disable-output"],
        input="",
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    found = []
    for part in split(printed):
        if part.startswith("function"):
            inner = part[part.index("(") + 1 : -1]
            found += [f"function({each})" for each in split(inner)]
        elif part != "verify":
            found.append(part)
    return found


def finish(env: PassOrderingEnv, found: SearchResult, objective: str) -> Row:
    """What a search has found, in a fresh compile."""
    env.reset()
    for action in found.actions:
        env.step(action)
    value = replay(env.trajectory, env.program).values[objective]
    if value != found.values[objective]:
        raise RuntimeError(f"{env.program} replays to {value}, not {found.values}")
    try:
        checked = "yes" if env.validate().ok else "NO"
    except ProgramError:
        checked = "-"
    return {
        "objective": objective,
        "value": value,
        "Oz": env.baseline[objective],
        "tried": found.tried,
        "same": checked,
        "commandline": env.commandline(),
    }


def passes_among(names: list[str]) -> list[str]:
    """The passes of -Oz that have a name among others, or all but their parameters."""
    found = []
    for each in passes_of(OZ):
        # What is done bottom-up in the call graph, inlining included, is one pass.
        if each.startswith("cgscc"):
            each = "scc-oz-module-inliner"
        inner = each.removeprefix("function(").removesuffix(")")
        for alike in (inner, inner.partition("<")[0]):
            if same := [name for name in names if name.partition("<")[0] == alike]:
                found.append(same[0])
                break
    return found


def search_among(
    program: str, objective: str, actions: str, compiles: int, seed: int
) -> Row:
    """The same, of a local search among the actions alone, with so many compiles."""
    env = make(program, objective, actions)
    try:
        names = env.action_names
        start = [names.index(each) for each in passes_among(names)]
        found = local_search(env, compiles=compiles, seed=seed, start=start)
        return finish(env, found, objective) | {
            "program": program,
            "method": "local",
            "seconds": None,
            "compiles": compiles,
            "trajectory": json.loads(env.trajectory.to_json()),
        }
    finally:
        env.close()


def search(
    program: str,
    objective: str,
    method: str,
    actions: str,
    seconds: float | None,
    seed: int,
    compiles: int | None,
) -> Row:
    """One program's row of the table."""
    if compiles is not None:
        return search_among(program, objective, actions, compiles, seed)
    assert seconds is not None
    passes = passes_of(OZ)
    names = list(dict.fromkeys([OZ, *action_names(actions), *passes]))
    env = make(program, objective, names)
    try:
        if method == "random":
            found = random_search(env, seconds=seconds, seed=seed)
        elif method == "local":
            start = [names.index(each) for each in passes]
            found = local_search(env, seconds=seconds, seed=seed, start=start)
        else:
            # One half from the unoptimised program, one behind -Oz.
            found = greedy_search(env, seconds=seconds / 2, seed=seed)
            behind = greedy_search(env, seconds=seconds / 2, seed=seed, first=[0])
            behind.tried += found.tried
            found = min(behind, found, key=lambda each: each.value)
        return finish(env, found, objective) | {
            "program": program,
            "method": method,
            "seconds": seconds,
        }
    finally:
        env.close()


def show(rows: list[Row], console: Console) -> None:
    table = Table("program", box=SIMPLE)
    for column in ("-Oz", "found", "gain", "tried", "computes the same"):
        table.add_column(column, justify="right")
    for row in sorted(rows, key=lambda each: str(each["program"])):
        gain = 1 - row["value"] / row["Oz"]
        cells = (f"{row['Oz']:.0f}", f"{row['value']:.0f}", f"{gain:+.1%}")
        table.add_row(row["program"], *cells, str(row["tried"]), row["same"])
    console.print(table)
    # What computes something else is no gain.
    right = [row for row in rows if row["same"] != "NO"]
    if right:
        logs = [math.log(row["value"] / row["Oz"]) for row in right]
        total = sum(r["value"] for r in right) / sum(r["Oz"] for r in right)
        console.print(
            f"{len(right)} programs: geometric mean "
            f"{math.exp(sum(logs) / len(logs)) - 1:+.2%}, total {total - 1:+.2%}; "
            f"{len(rows) - len(right)} left out because they compute something else"
        )


def save_plot(rows: list[Row], path: Path) -> None:
    """What each program gains, the most first."""
    gains = {r["program"]: 100 * (1 - r["value"] / r["Oz"]) for r in rows}
    names = sorted(gains, key=gains.__getitem__)
    figure, axis = plt.subplots(figsize=(7, 1 + 0.18 * len(names)), layout="tight")
    axis.barh(names, [gains[name] for name in names])
    axis.tick_params(axis="y", labelsize=7)
    axis.margins(y=0.01)
    axis.set_xlabel(f"{rows[0]['objective']}: gain over -Oz, %")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", default="kernels:test", help="a set or program")
    parser.add_argument("--every", type=int, default=1, help="1 in so many of them")
    parser.add_argument("--limit", type=int, help="only the first so many of those")
    parser.add_argument("--objective", default="ir_instructions")
    parser.add_argument(
        "--method", choices=("local", "greedy", "random"), default="local"
    )
    parser.add_argument("--actions", default="llvm22", help="a set of actions")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each program")
    parser.add_argument("--compiles", type=int, help="instead: so many sequences")
    parser.add_argument("--jobs", type=int, default=2, help="programs at a time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("search.jsonl"))
    args = parser.parse_args()

    names = list(load_programs(args.programs).names)[:: args.every][: args.limit]
    seconds = None if args.compiles else args.seconds
    settings = (
        args.objective,
        args.method,
        args.actions,
        seconds,
        args.seed,
        args.compiles,
    )
    rows: list[Row] = []
    if args.output.exists():
        rows = [json.loads(line) for line in args.output.read_text().splitlines()]
        rows = [
            row
            for row in rows
            if (row["objective"], row["method"], row["seconds"], row.get("compiles"))
            == (args.objective, args.method, seconds, args.compiles)
        ]
    missing = [name for name in names if name not in {r["program"] for r in rows}]
    console = Console()
    with ProcessPoolExecutor(args.jobs) as pool, Progress(console=console) as progress:
        task = progress.add_task("Programs", total=len(names))
        progress.advance(task, len(names) - len(missing))
        running = [pool.submit(search, name, *settings) for name in missing]
        with args.output.open("a") as file:
            for done in as_completed(running):
                rows.append(done.result())
                file.write(json.dumps(rows[-1]) + "\n")
                file.flush()
                progress.advance(task)
    # Some units are tables: there is nothing to be won from nothing.
    found = [row for row in rows if row["program"] in names and row["Oz"]]
    if not found:
        console.print("no program of which -Oz leaves anything")
        return
    show(found, console)
    picture = args.output.with_suffix(".png")
    save_plot(found, picture)
    console.print(f"wrote {args.output} and {picture}")


if __name__ == "__main__":
    main()
