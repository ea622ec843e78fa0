# SPDX-License-Identifier: Apache-2.0
"""MaskablePPO of sb3-contrib on RegAllocEviction, one function per episode.

    python examples/maskable_ppo_regalloc.py --seeds 0 1 2

Learns on the functions of `kernels:train`, keeps the weights that do best on
`kernels:validation`, and is judged on `kernels:test`, by `regalloc_score` against
LLVM's own heuristic on the same function. It starts from a rough imitation of that
heuristic, unless told to start `--from-nothing`. `--resume` goes on with a run that
was interrupted.
"""

import argparse
import json
from pathlib import Path
from time import perf_counter
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from column_policy import DEFAULT, ColumnPolicy
from gymnasium.wrappers.vector import TransformReward
from numpy.typing import NDArray
from regalloc_functions import (
    Exam,
    Outcome,
    geometric_mean,
    make_envs,
    shares,
    total_ratio,
)
from rich.console import Console
from rich.table import Table
from sb3_contrib import MaskablePPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

from mlcompiler_gym import LocalService
from mlcompiler_gym.integrations.sb3 import CompilerVecEnv

mpl.use("Agg")  # it writes a file, and needs no display
import matplotlib.pyplot as plt

Array = NDArray[Any]


def greedy(model: MaskablePPO) -> Any:
    """The model's most probable actions."""
    return lambda seen, masks: model.predict(
        seen, action_masks=masks, deterministic=True
    )[0]


def imitate(model: MaskablePPO, programs: list[str], service: LocalService) -> None:
    """Make the model decide roughly like the heuristic, and leave it in doubt."""
    observations, legal = [], []

    def heuristic(seen: Array, masks: Array) -> Array:
        observations.append(seen)
        legal.append(masks)
        return seen[:, DEFAULT].astype(np.int64)

    exam = Exam(programs, service)
    exam.take(heuristic)
    exam.envs.close()
    seen = torch.as_tensor(np.concatenate(observations))
    masks = torch.as_tensor(np.concatenate(legal))
    answers = seen[:, DEFAULT].long()
    for _ in range(100):
        losses = []
        for batch in torch.split(torch.randperm(len(seen)), 256):
            _, log_probability, _ = model.policy.evaluate_actions(
                seen[batch], answers[batch], masks[batch]
            )
            loss = -log_probability.mean()
            model.policy.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            model.policy.optimizer.step()
            losses.append(loss.item())
        if np.mean(losses) < 0.25:
            break


class Relative(VecEnvWrapper):
    """Pays what an episode is worth beyond the recent ones of the same function.

    In some functions whatever is tried out costs much, in others nothing; which, the
    value function cannot tell from a decision.
    """

    def __init__(self, venv: CompilerVecEnv) -> None:
        super().__init__(venv)
        #: By program and function: the mean, and of how many episodes.
        self._recent: dict[tuple[str, str], tuple[float, int]] = {}

    def reset(self) -> VecEnvObs:
        return self.venv.reset()

    def step_wait(self) -> VecEnvStepReturn:
        observations, rewards, dones, infos = self.venv.step_wait()
        relative = rewards.copy()
        for index in np.flatnonzero(dones):
            info, reward = infos[index], float(rewards[index])
            if "objective" not in info:
                continue  # the compiler did not survive it
            key = info["program"], info["function"]
            mean, count = self._recent.get(key, (reward, 0))
            relative[index] = reward - mean
            mean += (reward - mean) * max(0.1, 1 / (count + 1))
            self._recent[key] = mean, count + 1
        return observations, relative, dones, infos


class Validate(BaseCallback):
    """Every so many rollouts: an exam, a checkpoint, and the best weights kept."""

    def __init__(self, exam: Exam, files: dict[str, Path], every: int) -> None:
        super().__init__()
        self.exam, self.files, self.every = exam, files, every
        curve = files["curve"]
        #: Steps and the geometric mean of the ratios.
        self.curve = json.loads(curve.read_text()) if curve.exists() else []
        self._rollouts = 0

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        if self._rollouts % self.every == 0:
            self._take()
        self._rollouts += 1

    def _on_training_end(self) -> None:
        self._take()

    def _take(self) -> None:
        if self.curve and self.curve[-1][0] == self.num_timesteps:
            return  # of the run that this one goes on with
        mean = geometric_mean(self.exam.take(greedy(self.model)))  # type: ignore
        if not self.curve or mean < min(point[1] for point in self.curve):
            self.model.save(self.files["policy"])
        self.curve.append([self.num_timesteps, mean])
        self.model.save(self.files["checkpoint"])
        self.files["curve"].write_text(json.dumps(self.curve))


def paid(rewards: Array) -> Array:
    """Ten times the logarithm of the ratio, so that factors count alike.

    A bad episode loses much more than a good one can win, hence the bounds.
    """
    ratios: Array = 1 - np.minimum(rewards, 0.99)
    bounded: Array = np.clip(-10 * np.log(ratios), -3, 3)
    return bounded


def train(
    args: argparse.Namespace, seed: int, exam: Exam, service: LocalService
) -> tuple[MaskablePPO, list[list[float]]]:
    """The best model of one seed by validation, and the curve."""
    files = {
        "policy": args.output / f"policy-{seed}.zip",
        "checkpoint": args.output / f"checkpoint-{seed}.zip",
        "curve": args.output / f"curve-{seed}.json",
    }
    resume = args.resume and files["curve"].exists()
    if not resume:
        files["curve"].unlink(missing_ok=True)
    compilers = make_envs(args.train, args.num_envs, "SameStep", service)
    envs = Relative(CompilerVecEnv(TransformReward(compilers, paid)))
    if resume:
        model = MaskablePPO.load(files["checkpoint"], env=envs, device="cpu")
    else:
        model = MaskablePPO(
            ColumnPolicy,
            envs,
            # An episode is some 30 decisions and pays at its end.
            gamma=1.0,
            gae_lambda=1.0,
            vf_coef=0.1,
            n_steps=max(2, min(4096, args.steps) // args.num_envs),
            batch_size=512,
            n_epochs=6,
            learning_rate=args.learning_rate,
            ent_coef=args.entropy,
            target_kl=0.03,
            seed=seed,
            device="cpu",
        )
        if not args.from_nothing:
            imitate(model, args.train, service)
    callback = Validate(exam, files, every=args.validate_every)
    missing = max(0, args.steps - model.num_timesteps)
    if missing:
        model.learn(
            missing,
            callback=callback,
            reset_num_timesteps=not resume,
            progress_bar=True,
        )
    envs.close()
    return MaskablePPO.load(files["policy"], device="cpu"), callback.curve


def make_table(outcomes: dict[int, list[Outcome]], curves: dict[int, Any]) -> Table:
    """A row for each seed, and what to expect of another."""
    count = len(next(iter(outcomes.values())))
    table = Table(
        title=f"regalloc_score of {count} held-out functions, against LLVM's own"
    )
    headings = ("validation", "total", "geometric mean", "better", "equal", "worse")
    table.add_column("seed")
    for heading in headings:
        table.add_column(heading, justify="right")
    means = []
    for seed, ended in outcomes.items():
        means.append(geometric_mean(ended))
        best = min(point[1] for point in curves[seed])
        changes = (best, total_ratio(ended), means[-1])
        table.add_row(
            str(seed),
            *(f"{change - 1:+.2%}" for change in changes),
            *shares(ended),
        )
    if len(means) > 1:
        mean, spread = np.mean(means) - 1, np.std(means, ddof=1)
        table.add_section()
        table.add_row("mean", "", "", f"{mean:+.2%} ± {spread:.2%}")
    return table


def save_plot(
    outcomes: dict[int, list[Outcome]], curves: dict[int, Any], path: Path
) -> None:
    """How validation went, and each held-out function."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="tight")
    for seed, curve in curves.items():
        steps, means = np.transpose(curve)
        left.plot(steps, 100 * (means - 1), label=f"seed {seed}")
        ratios = [outcome.ratio for outcome in outcomes[seed]]
        right.plot(100 * (np.sort(ratios) - 1), ".", label=f"seed {seed}")
    left.set(xlabel="decisions", title="validation, geometric mean")
    right.set(xlabel="function, the best first", title="held-out functions")
    for axes in (left, right):
        axes.axhline(0, color="black", linewidth=0.8)
        axes.set_ylabel("regalloc_score against LLVM's, % (lower is better)")
        axes.legend()
    figure.savefig(path, dpi=150)


def main() -> None:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", nargs="+", default=["kernels:train"])
    parser.add_argument("--validation", nargs="+", default=["kernels:validation"])
    parser.add_argument("--test", nargs="+", default=["kernels:test"])
    parser.add_argument("--steps", type=int, default=100_000, help="for each seed")
    parser.add_argument("--num-envs", type=int, default=32)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--from-nothing", action="store_true")
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--entropy", type=float, default=0.0)
    parser.add_argument("--validate-every", type=int, default=4, help="rollouts")
    parser.add_argument("--output", type=Path, default=Path("regalloc_ppo"))
    parser.add_argument("--resume", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)  # the compilers need the processors more
    args.output.mkdir(parents=True, exist_ok=True)
    console = Console()
    began = perf_counter()
    # A function's session is parked at its first decision; there is room for all.
    service = LocalService("--parked-sessions=512")
    validation, test = Exam(args.validation, service), Exam(args.test, service)
    outcomes, curves = {}, {}
    for seed in args.seeds:
        model, curves[seed] = train(args, seed, validation, service)
        outcomes[seed] = test.take(greedy(model))
    for exam in (validation, test):
        exam.envs.close()
    service.close()
    console.print(make_table(outcomes, curves))
    save_plot(outcomes, curves, args.output / "regalloc_ppo.png")
    console.print(f"wrote {args.output / 'regalloc_ppo.png'} and policies beside it")
    console.print(f"took {perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
