# SPDX-License-Identifier: Apache-2.0
"""What the baselines of register allocation are worth, against LLVM's own compile.

    python examples/regalloc_baselines.py --programs kernels:test my_file.c

Compiles each program by three policies that answer every eviction: one repeats what
LLVM's heuristic would do, one evicts nothing where it may, one chooses at random.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import gymnasium as gym
import matplotlib as mpl
import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import track
from rich.table import Table

import mlcompiler_gym
from mlcompiler_gym.policies import heuristic, inactive, play, random_legal

mpl.use("Agg")  # it writes a file, and needs no display
import matplotlib.pyplot as plt

OBJECTIVES = {
    "regalloc_score": "score",
    "text_size": "text",
    "mca_cycles": "cycles",
}
POLICIES = ("heuristic", "nothing", "random")
STB = ("stb_image", "stb_truetype")
STB_FOLDER = Path("/usr/include/stb")

#: By program: decisions of each policy, and each objective's value by each policy
#: as a multiple of LLVM's own; float arrays of shape (objectives, policies).
Ratios = dict[str, tuple[list[int], np.ndarray[Any, np.dtype[np.float64]]]]


def stb_programs(folder: Path) -> list[str]:
    """Programs of those libraries of Debian's libstb-dev that are installed."""
    written = []
    for name in STB:
        if (STB_FOLDER / f"{name}.h").exists():
            path = folder / f"{name}.c"
            macro = f"{name.upper()}_IMPLEMENTATION"
            path.write_text(f"#define {macro}\n#include <stb/{name}.h>\n")
            written.append(str(path))
    return written


def compile_all(env: gym.Env[Any, Any], programs: list[str], seed: int) -> Ratios:
    ratios: Ratios = {}
    for program in track(programs, "compiling"):
        policies = (heuristic(env), inactive(env), random_legal(env, seed))
        ends = [play(env, each, options={"program": program}) for each in policies]
        for end in ends:
            if "error" in end.info:
                raise SystemExit(f"{program}: {end.info['error']}")
        if "no_decision" in ends[0].info:
            continue
        values = [
            [end.info["objective"][name] / end.info["baseline"][name] for end in ends]
            for name in OBJECTIVES
        ]
        # A file's name is enough; its whole path would fill the table.
        name = Path(program).name if Path(program).is_absolute() else program
        ratios[name] = [end.steps for end in ends], np.array(values)
    if not ratios:
        raise SystemExit("no decisions come up in these programs")
    return ratios


def make_table(ratios: Ratios) -> Table:
    table = Table(
        title="register allocation: multiples of LLVM's own, lower is better",
        box=SIMPLE,
        padding=(0, 1, 0, 0),
    )
    table.add_column("program", no_wrap=True)
    table.add_column("decisions\nheuristic", justify="right")
    for short in OBJECTIVES.values():
        for policy in POLICIES:
            table.add_column(f"{short}\n{policy}", justify="right")
    for program, (steps, values) in ratios.items():
        last = program == list(ratios)[-1]
        cells = [f"{value:.3f}" for value in values.ravel()]
        table.add_row(program, str(steps[0]), *cells, end_section=last)
    means = np.exp(np.mean([np.log(v) for _, v in ratios.values()], axis=0))
    total = sum(steps[0] for steps, _ in ratios.values())
    cells = [f"{mean:.3f}" for mean in means.ravel()]
    table.add_row("geometric mean", str(total), *cells, style="bold")
    return table


def save_plot(ratios: Ratios, path: Path) -> None:
    """A row for each program, a panel for each objective."""
    figure, panels = plt.subplots(
        1,
        len(OBJECTIVES),
        figsize=(9, 1.5 + 0.17 * len(ratios)),
        sharey=True,
        layout="constrained",
    )
    rows = np.arange(len(ratios))[::-1]
    marks = {"heuristic": "k|", "nothing": "s", "random": "o"}
    for index, (axes, objective) in enumerate(zip(panels, OBJECTIVES, strict=True)):
        for column, policy in enumerate(POLICIES):
            values = [values[index, column] for _, values in ratios.values()]
            axes.plot(values, rows, marks[policy], label=policy, markersize=5)
        axes.set(title=objective, xscale="log", xlabel="multiple of LLVM's own")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("{x:g}")
        axes.tick_params(axis="x", which="both", labelsize=7, rotation=60)
        axes.grid(axis="y", alpha=0.3)
        axes.margins(y=0.02)
    panels[0].set_yticks(rows, ratios, fontsize=8)
    panels[-1].legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--programs", nargs="+", help="names and files; usually kernels and libraries"
    )
    parser.add_argument("--target", help="a triple, for example aarch64-linux-gnu")
    parser.add_argument("--cpu", help="as for llc -mcpu")
    parser.add_argument("--seed", type=int, default=0, help="of the random choices")
    parser.add_argument("--output", type=Path, default=Path("regalloc_baselines.png"))
    args = parser.parse_args()
    gym.register_envs(mlcompiler_gym)
    began = perf_counter()
    with TemporaryDirectory() as folder:
        # The system's headers are of this machine.
        files = stb_programs(Path(folder)) if args.target is None else []
        programs = mlcompiler_gym.load_programs(
            args.programs or ["kernels", *files], target=args.target, level="O2"
        )
        env = gym.make(
            "mlcompiler/RegAllocEviction-v0",
            programs=programs,
            objective=dict.fromkeys(OBJECTIVES, 1.0),
            target=args.target,
            cpu=args.cpu,
            eviction_default=True,
        )
        ratios = compile_all(env, programs.names, args.seed)
        env.close()
    save_plot(ratios, args.output)
    # Narrower, the table would leave something out.
    console = Console(width=max(Console().width, 120))
    console.print(make_table(ratios))
    console.print(f"wrote {args.output}")
    console.print(f"took {perf_counter() - began:.0f} s, seed {args.seed}")


if __name__ == "__main__":
    main()
