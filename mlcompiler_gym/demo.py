# SPDX-License-Identifier: Apache-2.0
"""``./run demo``: train a small inlining policy and compare it with -Oz.

A policy that roughly decides like LLVM's heuristic is trained further by PPO, on
whole compiles of a few real programs. Then it compiles each of them on its own, and so
do LLVM and a policy that never inlines.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecNormalize

from mlcompiler_gym.envs import CompilerVectorEnv
from mlcompiler_gym.envs.inlining import make_vector
from mlcompiler_gym.envs.wrappers import SignedLogVectorObservation, signed_log
from mlcompiler_gym.errors import MLCompilerGymError
from mlcompiler_gym.integrations.sb3 import CompilerVecEnv
from mlcompiler_gym.programs import Program, load_programs

mpl.use("Agg")  # it writes a file, and needs no display
import matplotlib.pyplot as plt

#: Single-file libraries of Debian's libstb-dev.
_STB = ("stb_image_write", "stb_rect_pack", "stb_perlin")
_STB_FOLDER = Path("/usr/include/stb")

_OBJECTIVE = "text_size"

Policy = Callable[[NDArray[np.float32]], NDArray[np.int64]]


@dataclass(frozen=True)
class Outcome:
    """A program as a policy compiled it; sizes in bytes."""

    program: str
    llvm: float
    size: float
    decisions: int

    @property
    def change(self) -> float:
        """Relative to LLVM's own decisions; negative is smaller."""
        return (self.size - self.llvm) / self.llvm


def stb_programs(folder: Path) -> list[Path]:
    """Wrappers that make programs of those of the libraries that are installed."""
    written = []
    for name in _STB:
        if (_STB_FOLDER / f"{name}.h").exists():
            path = folder / f"{name}.c"
            macro = f"{name.upper()}_IMPLEMENTATION"
            path.write_text(f"#define {macro}\n#include <stb/{name}.h>\n")
            written.append(path)
    return written


def compile_all(envs: CompilerVectorEnv, policy: Policy) -> list[Outcome]:
    """Compile each program once, all at the same time.

    Args:
        envs: As many environments as programs, without autoreset.
        policy: Actions, int64 (n,), of observations, float32 (n, features).
    """
    names = envs.setup.programs.names
    for index, name in enumerate(names):
        mask = np.arange(envs.num_envs) == index
        options = {"program": name, "reset_mask": mask}
        observations, infos = envs.reset(options=options)
        if "no_decision" in infos:
            raise MLCompilerGymError(f"{name} has no call site to decide about")
    outcomes: dict[int, Outcome] = {}
    running = np.arange(envs.num_envs)
    decisions = 0
    while running.size:
        envs.send(policy(observations), running.tolist())
        observations, _, terminated, truncated, infos = envs.recv()
        decisions += 1
        for row in np.flatnonzero(terminated):
            outcomes[running[row]] = Outcome(
                program=infos["program"][row],
                llvm=infos["baseline"][_OBJECTIVE][row],
                size=infos["objective"][_OBJECTIVE][row],
                decisions=decisions,
            )
        for row in np.flatnonzero(truncated):
            raise MLCompilerGymError(f"{names[running[row]]}: {infos['error'][row]}")
        observations, running = observations[~terminated], running[~terminated]
    return [outcomes[index] for index in range(envs.num_envs)]


def never(observations: NDArray[np.float32]) -> NDArray[np.int64]:
    """Keeps every call."""
    return np.zeros(len(observations), np.int64)


def greedy(model: PPO) -> Policy:
    """The model's most probable actions."""
    return lambda seen: model.predict(signed_log(seen), deterministic=True)[0]


def imitate(model: PPO, programs: Sequence[Program]) -> None:
    """Make the model decide roughly like LLVM's heuristic: where PPO starts.

    It is stopped while the model is still in doubt, most of all about the close
    calls; what it is in doubt about is what PPO tries out.
    """
    envs = make_vector(
        len(programs),
        programs=programs,
        autoreset_mode="Disabled",
        inlining_default=True,
    )
    seen = []

    def heuristic(observations: NDArray[np.float32]) -> NDArray[np.int64]:
        seen.append(observations)
        return observations[:, -1].astype(np.int64)

    compile_all(envs, heuristic)
    envs.close()
    # The heuristic's answer is the last feature, and the policy is not to see it.
    examples = np.concatenate(seen)
    features = torch.as_tensor(signed_log(examples[:, :-1]))
    answers = torch.as_tensor(examples[:, -1].astype(np.int64))
    optimizer = torch.optim.Adam(model.policy.parameters(), lr=1e-3)
    for _ in range(1000):
        _, log_probability, _ = model.policy.evaluate_actions(features, answers)
        loss = -log_probability.mean()
        if loss < 0.4:
            break
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


class KeepBest(BaseCallback):
    """Compiles all programs now and then, and in the end restores the best weights.

    Attributes:
        changes: Mean change of the programs' sizes each time; negative is smaller.
    """

    def __init__(self, envs: CompilerVectorEnv) -> None:
        super().__init__()
        self.changes: list[float] = []
        self._envs = envs
        self._rollouts = 0
        self._weights: dict[str, Any] = {}

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        if self._rollouts % 2 == 0:
            self._try()
        self._rollouts += 1

    def _on_training_end(self) -> None:
        self._try()
        self.model.policy.load_state_dict(self._weights)

    def _try(self) -> None:
        outcomes = compile_all(self._envs, greedy(self.model))  # type: ignore[arg-type]
        self.changes.append(float(np.mean([outcome.change for outcome in outcomes])))
        if self.changes[-1] == min(self.changes):
            self._weights = copy.deepcopy(self.model.policy.state_dict())


def train(
    programs: Sequence[Program], evaluation: CompilerVectorEnv, args: argparse.Namespace
) -> PPO:
    """A policy for these programs."""
    compilers = make_vector(args.num_envs, programs=programs, autoreset_mode="SameStep")
    envs = VecNormalize(
        CompilerVecEnv(SignedLogVectorObservation(compilers)),
        norm_obs=False,
        # A bad episode loses much more than a good one can win.
        clip_reward=3.0,
        gamma=1.0,
    )
    model = PPO(
        "MlpPolicy",
        envs,
        # An episode is about a hundred decisions and pays at its end.
        gamma=1.0,
        gae_lambda=1.0,
        n_steps=max(2, min(4096, args.steps) // args.num_envs),
        batch_size=512,
        n_epochs=10,
        learning_rate=3e-4,
        target_kl=0.015,
        seed=args.seed,
        device="cpu",
    )
    imitate(model, programs)
    best = KeepBest(evaluation)
    model.learn(args.steps, callback=best, progress_bar=True)
    envs.close()
    print(
        f"mean change of size: before PPO {best.changes[0]:+.2%}, after it "
        f"{best.changes[-1]:+.2%}, best and kept {min(best.changes):+.2%}"
    )
    return model


def _total(outcomes: Sequence[Outcome]) -> Outcome:
    return Outcome(
        f"all {len(outcomes)}",
        sum(o.llvm for o in outcomes),
        sum(o.size for o in outcomes),
        sum(o.decisions for o in outcomes),
    )


def print_table(
    console: Console, outcomes: Sequence[Outcome], kept: Sequence[Outcome]
) -> None:
    """One row for each program, and what they come to.

    Args:
        console: Where to.
        outcomes: The policy's.
        kept: The same programs, where no call is inlined.
    """
    table = Table(title="Bytes of machine code (.text)")
    table.add_column("program")
    for heading in ("LLVM -Oz", "never inline", "policy", "policy against LLVM"):
        table.add_column(heading, justify="right")
    rows = [*zip(outcomes, kept, strict=True), (_total(outcomes), _total(kept))]
    for outcome, plain in rows:
        colour = "green" if outcome.change < 0 else "red" if outcome.change > 0 else ""
        table.add_row(
            outcome.program,
            f"{outcome.llvm:.0f}",
            f"{plain.size:.0f}",
            f"{outcome.size:.0f}",
            f"{outcome.change:+.2%}",
            style=colour,
            end_section=outcome is outcomes[-1],
        )
    console.print(table)
    changes = [outcome.change for outcome in outcomes]
    total, plain = rows[-1]
    console.print(
        f"The policy's code is smaller than LLVM's on {sum(c < 0 for c in changes)} of "
        f"{len(changes)} programs and larger on {sum(c > 0 for c in changes)}; "
        f"{total.change:+.2%} in total. It was trained on these programs. To "
        f"inline nothing comes to {plain.change:+.2%} in total."
    )


def save_plot(outcomes: Sequence[Outcome], kept: Sequence[Outcome], path: Path) -> None:
    """Two bars for each program, the policy's best on top.

    Args:
        outcomes: The policy's.
        kept: The same programs, where no call is inlined.
        path: The file to write.
    """
    pairs = sorted(zip(outcomes, kept, strict=True), key=lambda pair: -pair[0].change)
    places = np.arange(len(pairs))
    figure, axes = plt.subplots(
        figsize=(8, 1.4 + 0.42 * len(pairs)), layout="constrained"
    )
    for which, label, colour, offset in (
        (0, "trained policy", "tab:blue", 0.2),
        (1, "never inline", "lightgrey", -0.2),
    ):
        changes = [100 * pair[which].change for pair in pairs]
        bars = axes.barh(places + offset, changes, 0.38, label=label, color=colour)
        axes.bar_label(bars, [f"{change:+.1f}%" for change in changes], padding=3,
                       fontsize=7)  # fmt: skip
    axes.set_yticks(places, [pair[0].program for pair in pairs])
    axes.axvline(0, color="black", linewidth=0.8)
    axes.margins(x=0.15)
    axes.set_title("Machine code of programs compiled for size")
    axes.set_xlabel(
        "change of .text against LLVM 22 -Oz (left of 0: smaller than LLVM)"
    )
    figure.legend(loc="outside lower center", ncols=2)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main(argv: Sequence[str] | None = None) -> None:
    """Command line; ``--help`` lists what it takes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=80_000, help="to train for")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--programs", nargs="+", help="names and files, not the usual")
    parser.add_argument("--output", type=Path, default=Path("demo"), help="a folder")
    parser.add_argument("--num-envs", type=int, default=32, help="compiles at once")
    args = parser.parse_args(argv)
    if args.num_envs < 1:
        parser.error("--num-envs must be at least 1")
    torch.set_num_threads(1)  # the compilers need the processors more
    console = Console()
    began = perf_counter()
    args.output.mkdir(parents=True, exist_ok=True)
    try:
        programs = list(
            load_programs(args.programs or ["kernels:test", *stb_programs(args.output)])
        )
        console.print(
            f"{len(programs)} programs: {', '.join(p.name for p in programs)}"
        )
        evaluation = make_vector(
            len(programs), programs=programs, autoreset_mode="Disabled"
        )
        model = train(programs, evaluation, args)
        outcomes = compile_all(evaluation, greedy(model))
        kept = compile_all(evaluation, never)
        evaluation.close()
    except MLCompilerGymError as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    print_table(console, outcomes, kept)
    save_plot(outcomes, kept, args.output / "inlining_vs_oz.png")
    model.save(args.output / "policy.zip")
    for name in ("inlining_vs_oz.png", "policy.zip"):
        console.print(f"wrote {args.output / name}")
    console.print(f"took {perf_counter() - began:.0f} s, seed {args.seed}")


if __name__ == "__main__":
    main()
