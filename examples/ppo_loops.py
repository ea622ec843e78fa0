# SPDX-License-Identifier: Apache-2.0
"""MaskablePPO of sb3-contrib on LoopDistribution, against the best of all partitions.

    python examples/ppo_loops.py --seeds 0 1 2

Learns on `loops:train` with `loop_cost` and is judged on loops of other families,
`loops:validation` and `loops:test`: by `loop_cost` against the best of all partitions
(exhaustive search by `fork()`), and by measured time against the fastest of
them. Which is the fastest is told by every other run, and how fast it is by the rest,
so that luck is not taken for speed.
"""

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import gymnasium as gym
import matplotlib as mpl
import numpy as np
import torch
from gymnasium.wrappers.vector import TransformReward
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sb3_contrib import MaskablePPO

from mlcompiler_gym import CompilerEnv, LocalService, load_programs
from mlcompiler_gym.envs.wrappers import SignedLogVectorObservation, signed_log
from mlcompiler_gym.integrations.sb3 import CompilerVecEnv
from mlcompiler_gym.measuring import Measuring, measure
from mlcompiler_gym.policies import (
    active,
    inactive,
    play,
    random_legal,
)

mpl.use("Agg")  # it writes a file, and needs no display
import matplotlib.pyplot as plt

ID = "mlcompiler/LoopDistribution-v0"


@dataclasses.dataclass
class Candidate:
    """One way to split the loops of a program."""

    gain: float
    code: bytes


@dataclasses.dataclass
class Exam:
    """A held-out program: candidates by name, and seconds of the runs of each code."""

    program: str
    candidates: dict[str, Candidate]
    seconds: dict[bytes, tuple[float, ...]] = dataclasses.field(default_factory=dict)

    def time_gains(self) -> dict[str, float]:
        """How much faster than -O3 each candidate is, as a part of its time.

        By the least of its runs: what disturbs a run only ever makes it longer.
        """
        odd = {code: min(runs[1::2]) for code, runs in self.seconds.items()}
        even = {code: min(runs[0::2]) for code, runs in self.seconds.items()}
        base = even[self.candidates["never"].code]
        fastest = min(odd, key=odd.__getitem__)
        gains = {n: 1 - even[c.code] / base for n, c in self.candidates.items()}
        return {**gains, "fastest": 1 - even[fastest] / base}

    @property
    def spread(self) -> float:
        """Distance of the quartiles of -O3's own runs, as a part of their median."""
        runs = self.seconds[self.candidates["never"].code]
        low, middle, high = np.percentile(runs, [25, 50, 75])
        return float((high - low) / middle)


def train(args: argparse.Namespace, seed: int, service: LocalService) -> MaskablePPO:
    """A policy from nothing."""
    envs = gym.make_vec(
        ID,
        args.num_envs,
        vectorization_mode="vector_entry_point",
        programs=args.train,
        ir2vec=args.ir2vec,
        autoreset_mode="SameStep",
        service=service,
    )
    # Gains are some per cent.
    scaled = TransformReward(SignedLogVectorObservation(envs), lambda r: 10 * r)
    venv = CompilerVecEnv(scaled)
    venv.seed(seed)
    model = MaskablePPO(
        "MlpPolicy",
        venv,
        # An episode is a handful of decisions and pays at its end.
        gamma=1.0,
        gae_lambda=1.0,
        n_steps=max(2, min(2048, args.steps) // args.num_envs),
        batch_size=256,
        n_epochs=6,
        learning_rate=5e-4,
        ent_coef=0.01,
        seed=seed,
        device="cpu",
    )
    model.learn(args.steps, progress_bar=True)
    venv.close()
    return model


def greedy(model: MaskablePPO) -> Any:
    """The model's most probable actions."""
    return lambda seen, info: int(
        model.predict(
            signed_log(seen), action_masks=info["action_mask"] > 0, deterministic=True
        )[0]
    )


def prepare(name: str, args: argparse.Namespace, service: LocalService) -> Exam | None:
    """-O3, maximal distribution, and the best by `loop_cost`; None: no decision."""
    env = _make(name, args, service)
    exam = Exam(name, {})
    _, info = env.reset()
    if info.get("no_decision"):
        return None
    best = iter(search(env))
    for label, policy in {
        "never": inactive(env),
        "maximal": active(env),
        "least cost": lambda seen, info: next(best),
    }.items():
        _add(exam, label, env, policy)
    for number in range(args.partitions):
        _add(exam, f"random {number}", env, random_legal(env, seed=number))
    env.close()
    return exam


def search(env: CompilerEnv) -> list[int]:
    """The actions of least cost: of all partitions of each loop, others left whole.

    What is done to one loop changes nothing in another.
    """
    found: list[int] = []
    over = False
    while not over:
        actions = best_of_loop(env)
        found += actions
        for action in actions:
            _, _, over, _, _ = env.step(action)
    return found


def best_of_loop(env: CompilerEnv) -> tuple[int, ...]:
    """The best actions for the loop that the compiler has come to."""
    loop = loop_of(env)
    best, reward = (), -np.inf
    open_nodes: list[tuple[CompilerEnv, tuple[int, ...]]] = [(env.fork(), ())]
    while open_nodes:
        node, actions = open_nodes.pop()
        for action in np.flatnonzero(node.action_masks())[::-1].tolist():
            twin = node.fork()
            _, total, over, _, _ = twin.step(action)
            path = (*actions, action)
            if not over and loop_of(twin) == loop:
                open_nodes.append((twin, path))
                continue
            while not over:
                _, total, over, _, _ = twin.step(0)
            twin.close()
            if float(total) > reward:
                best, reward = path, float(total)
        node.close()
    return best


def loop_of(env: CompilerEnv) -> str:
    """Name of the loop that is being split."""
    return str(json.loads(env.observe("decision")["decision"])["loop"])


def _make(name: str, args: argparse.Namespace, service: LocalService) -> CompilerEnv:
    env = gym.make(ID, programs=name, ir2vec=args.ir2vec, service=service).unwrapped
    assert isinstance(env, CompilerEnv)
    return env


def _add(exam: Exam, label: str, env: CompilerEnv, policy: Any) -> None:
    played = play(env, policy)
    exam.candidates[label] = Candidate(played.reward, env.emit())


def take_time(exam: Exam, repeats: int) -> None:
    """Run all that is different, in turn, on the program's largest input."""
    program = load_programs(exam.program, level="O2").named(exam.program)
    largest = max(program.inputs or ((),), key=lambda each: [int(n) for n in each])
    program = dataclasses.replace(program, inputs=(largest,))
    codes = list(dict.fromkeys(each.code for each in exam.candidates.values()))
    builds = {str(number): code for number, code in enumerate(codes)}
    samples = measure(
        program, builds, ["wall_time"], Measuring(repeats=repeats, most_repeats=repeats)
    )
    for number, code in enumerate(codes):
        exam.seconds[code] = samples[str(number)]["wall_time"].values


def share(exams: Sequence[Exam], label: str, best: str, *, timed: bool) -> float:
    """Sum of gains over all programs, as a part of that of the best.

    Not a number if even the best gains nothing.
    """
    gains = [
        e.time_gains() if timed else {n: c.gain for n, c in e.candidates.items()}
        for e in exams
    ]
    most = float(sum(g[best] for g in gains))
    return float(sum(g[label] for g in gains)) / most if most > 0 else float("nan")


def make_table(exams: Sequence[Exam], seeds: Sequence[int]) -> Table:
    """A row for each program, and what part of the oracle's gain was reached."""
    table = Table(title="gain over LLVM -O3 on held-out loops, %")
    table.add_column("program")
    policies = [f"seed {seed}" for seed in seeds]
    for kind, labels in {
        "cost": ["maximal", *policies, "least cost"],
        "time": ["maximal", *policies, "least cost", "fastest"],
    }.items():
        for label in labels:
            table.add_column(f"{label}\n{kind}", justify="right")
    table.add_column("spread\nof -O3", justify="right")
    for exam in exams:
        costs = {name: each.gain for name, each in exam.candidates.items()}
        times = exam.time_gains()
        row = [costs[n] for n in ("maximal", *policies, "least cost")]
        row += [times[n] for n in ("maximal", *policies, "least cost", "fastest")]
        table.add_row(
            exam.program.removeprefix("loops/"),
            *(f"{100 * gain:+.1f}" for gain in row),
            f"{100 * exam.spread:.1f}",
        )
    for what, best, timed in [
        ("loop_cost, of the least", "least cost", False),
        ("time, of the fastest", "fastest", True),
    ]:
        shares = [share(exams, label, best, timed=timed) for label in policies]
        line = (
            f"{what}: {np.mean(shares):.0%} of the gain"
            + (f" ± {np.std(shares, ddof=1):.0%}" if len(shares) > 1 else "")
            + f", maximal {share(exams, 'maximal', best, timed=timed):.0%}"
            + f", least cost {share(exams, 'least cost', best, timed=timed):.0%}"
        )
        if np.isnan(shares).any():
            line = f"{what}: not even that gains anything"
        table.caption = "\n".join([*filter(None, [str(table.caption or "")]), line])
    return table


def save_plot(exams: Sequence[Exam], seeds: Sequence[int], path: Path) -> None:
    """Gains of every program, by cost and by time."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 6), layout="tight", sharey=True)
    names = [exam.program.removeprefix("loops/") for exam in exams]
    for axis, timed in zip(axes, (False, True), strict=True):
        gains = [
            e.time_gains() if timed else {n: c.gain for n, c in e.candidates.items()}
            for e in exams
        ]
        oracle = "fastest" if timed else "least cost"
        shown = {"maximal": "x", oracle: "|"}
        shown.update({f"seed {seed}": "." for seed in seeds})
        for label, marker in shown.items():
            axis.plot([100 * g[label] for g in gains], names, marker, label=label)
        axis.axvline(0, color="black", linewidth=0.8)
        axis.set_xlabel(f"gain over -O3 in {'time' if timed else 'loop_cost'}, %")
        # From some per cent to several times as slow.
        axis.set_xscale("symlog", linthresh=5)
        ticks = [-300, -100, -30, -10, -3, 0, 3, 10, 30]
        axis.set_xticks(ticks, map(str, ticks))
        axis.legend(loc="upper left")
    figure.savefig(path, dpi=150)


def main() -> None:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", default="loops:train")
    parser.add_argument(
        "--held-out", nargs="+", default=["loops:validation", "loops:test"]
    )
    parser.add_argument("--steps", type=int, default=30_000, help="for each seed")
    parser.add_argument("--num-envs", type=int, default=16)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--ir2vec", action="store_true", help="observe embeddings")
    parser.add_argument(
        "--partitions", type=int, default=12, help="random ones to time"
    )
    parser.add_argument("--repeats", type=int, default=10, help="runs of each")
    parser.add_argument("--output", type=Path, default=Path("loops_ppo"))
    args = parser.parse_args()
    torch.set_num_threads(1)  # the compilers need the processors more
    args.output.mkdir(parents=True, exist_ok=True)
    # A file has no width of its own, and must not wrap the table.
    console = Console(width=max(Console().width, 150))
    began = perf_counter()
    service = LocalService("--parked-sessions=128")
    names = [p.name for what in args.held_out for p in load_programs(what, level="O2")]
    exams = []
    for name in track(names, "search", console=console):
        exam = prepare(name, args, service)
        if exam is not None:
            exams.append(exam)
    for seed in args.seeds:
        model = train(args, seed, service)
        model.save(args.output / f"policy-{seed}.zip")
        for exam in exams:
            env = _make(exam.program, args, service)
            _add(exam, f"seed {seed}", env, greedy(model))
            env.close()
    service.close()
    for exam in track(exams, "measure", console=console):
        take_time(exam, args.repeats)
    console.print(make_table(exams, args.seeds))
    rows = [
        {
            "program": exam.program,
            "cost_gains": {n: c.gain for n, c in exam.candidates.items()},
            "time_gains": exam.time_gains(),
            "spread": exam.spread,
        }
        for exam in exams
    ]
    (args.output / "gains.json").write_text(json.dumps(rows, indent=1))
    save_plot(exams, args.seeds, args.output / "loops_ppo.png")
    console.print(f"wrote {args.output / 'loops_ppo.png'} and policies beside it")
    console.print(f"took {perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
