# SPDX-License-Identifier: Apache-2.0
"""MaskablePPO of sb3-contrib that learns to allocate registers.

    python examples/ppo_full_regalloc.py --steps 100000 --seed 0

With ``--begin rule``, it does not begin from nothing: the answers of the simple rule
``cheapest_action`` are likely from the start, and what is learned is when to deviate.

Learns on the functions of `kernels:train`, one per episode, in the order of spill
weights. What the policy comes to on `kernels:validation` makes the curve; what it comes
to at last on `kernels:test` is printed, by `regalloc_score` against LLVM's greedy
allocator on the same function.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import matplotlib as mpl
import numpy as np
import torch
from gymnasium.wrappers.vector import TransformReward
from rich.console import Console
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
from stable_baselines3.common.callbacks import BaseCallback
from torch import Tensor, nn

import mlcompiler_gym
from mlcompiler_gym import LocalService
from mlcompiler_gym.envs.choice import functions_with_decisions
from mlcompiler_gym.envs.wrappers import (
    SignedLogObservation,
    SignedLogVectorObservation,
)
from mlcompiler_gym.integrations.sb3 import CompilerVecEnv
from mlcompiler_gym.policies import Policy, play

mpl.use("Agg")  # it writes a file, and needs no display
import matplotlib.pyplot as plt

gym.register_envs(mlcompiler_gym)

ENV_ID = "mlcompiler/RegAlloc-v0"
COLUMNS = 54
REGISTERS = 48
PER_COLUMN = 9
#: Numbers of the decision as a whole: of the function and of the live range.
WHOLE = 4 + 14
#: At first, the rule is followed in 3 of 4 decisions between eight columns.
LEAD = 3.0


class ColumnNet(nn.Module):
    """The same network for each column; float32 (n, 558) as it is sent.

    It sees the numbers of the column and of the decision, and what kind of column it
    is: a register, to spill, to split at blocks, or around a loop. Where rows also hold
    the rule's answer, (n, 559), the logit of that column begins `lead` ahead.
    """

    known: Tensor

    def __init__(self, lead: float = 0.0, width: int = 32) -> None:
        super().__init__()
        self.lead = lead
        self.latent_dim_pi, self.latent_dim_vf = COLUMNS, width
        kinds = torch.zeros(COLUMNS, 4)
        for kind, first, last in ((0, 0, 48), (1, 48, 49), (2, 49, 50), (3, 50, 54)):
            kinds[first:last, kind] = 1
        place = torch.arange(COLUMNS).clamp(max=REGISTERS) / REGISTERS
        self.register_buffer("known", torch.cat([kinds, place[:, None]], 1))
        self.encode = nn.Sequential(
            *(nn.Linear(PER_COLUMN + WHOLE + 5, width), nn.ReLU()),
            *(nn.Linear(width, width), nn.ReLU()),
        )
        self.logit = nn.Linear(width, 1)

    def forward(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (n, 54) and what the value is read from (n, width)."""
        parts = [COLUMNS, WHOLE, PER_COLUMN * COLUMNS]
        mask, whole, columns, *rule = torch.split(
            seen, [*parts, *([1] if self.lead else [])], 1
        )
        each = columns.reshape(-1, PER_COLUMN, COLUMNS).transpose(1, 2)
        around = whole[:, None].expand(-1, COLUMNS, -1)
        known = self.known.expand(len(seen), -1, -1)
        encoded = self.encode(torch.cat([each, around, known], 2))
        value = (encoded * mask[:, :, None]).amax(1)
        logits = self.logit(encoded).squeeze(2)
        if self.lead:
            answer = torch.expm1(rule[0]).round().long()
            logits = logits.scatter_add(
                1, answer, logits.new_full(answer.shape, self.lead)
            )
        return logits, value

    def forward_actor(self, seen: Tensor) -> Tensor:
        return self(seen)[0]  # type: ignore[no-any-return]

    def forward_critic(self, seen: Tensor) -> Tensor:
        return self(seen)[1]  # type: ignore[no-any-return]


class ColumnPolicy(MaskableActorCriticPolicy):
    """For MaskablePPO, around a :class:`ColumnNet`."""

    def __init__(self, *args: Any, lead: float = 0.0, **settings: Any) -> None:
        self.lead = lead
        super().__init__(*args, **settings)

    def _build_mlp_extractor(self) -> None:
        self.mlp_extractor = ColumnNet(self.lead)  # type: ignore[assignment]

    def _build(self, lr_schedule: Any) -> None:
        super()._build(lr_schedule)
        self.action_net = nn.Identity()  # the network gives logits already
        if self.lead:
            # It begins with no opinion of its own.
            net: Any = self.mlp_extractor
            nn.init.zeros_(net.logit.weight)
            nn.init.zeros_(net.logit.bias)
        self.optimizer = self.optimizer_class(
            self.parameters(),
            lr=lr_schedule(1),  # type: ignore[call-arg]
            **self.optimizer_kwargs,
        )


def paid(rewards: Any) -> Any:
    """The logarithm of the ratio, bounded: a bad episode loses without end."""
    return np.clip(-np.log(1 - np.minimum(rewards, 0.99)), -2, 1)


def exam(env: Any, policy: Policy) -> dict[str, float]:
    """By function: the score over that of LLVM's greedy allocator."""
    compiler: Any = env.unwrapped
    ratios = {}
    for program in compiler.setup.programs:
        for function in functions_with_decisions(compiler.setup, program):
            where = {"program": program, "function": function}
            info = play(env, policy, options=where).info
            if "error" in info:
                raise SystemExit(f"{function} of {program.name}: {info['error']}")
            if base := info["baseline"]["regalloc_score"]:
                score = info["objective"]["regalloc_score"]
                ratios[f"{program.name} {function}"] = score / base
    return ratios


def exam_of(
    model: MaskablePPO, programs: list[str], settings: dict[str, Any]
) -> dict[str, float]:
    """The same, of what a model thinks best."""

    def policy(seen: Any, info: dict[str, Any]) -> int:
        mask = info["action_mask"].astype(bool)
        action, _ = model.predict(seen, action_masks=mask, deterministic=True)
        return int(action)

    with SignedLogObservation(gym.make(ENV_ID, programs=programs, **settings)) as env:
        return exam(env, policy)


def mean_of(ratios: dict[str, float]) -> float:
    """The geometric mean."""
    return float(np.exp(np.mean(np.log(list(ratios.values())))))


class Curve(BaseCallback):
    """What the policy comes to on validation, every so many rollouts."""

    def __init__(
        self, programs: list[str], settings: dict[str, Any], every: int
    ) -> None:
        super().__init__()
        self.programs, self.settings, self.every = programs, settings, every
        self.points: list[tuple[int, float]] = []
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
        assert isinstance(self.model, MaskablePPO)
        mean = mean_of(exam_of(self.model, self.programs, self.settings))
        self.points.append((self.num_timesteps, mean))


def report(
    curve: list[tuple[int, float]], ratios: dict[str, float], folder: Path, seed: int
) -> None:
    """Write and draw what came out."""
    results = {"curve": curve, "test": ratios, "mean": mean_of(ratios)}
    (folder / f"result-{seed}.json").write_text(json.dumps(results, indent=1))
    figure, axes = plt.subplots(layout="tight")
    steps, means = np.transpose(curve)
    axes.plot(steps, 100 * (means - 1))
    axes.set(xlabel="decisions", title="validation, geometric mean")
    axes.set_ylabel("regalloc_score against LLVM's greedy allocator, %")
    figure.savefig(folder / f"curve-{seed}.png", dpi=150)
    plt.close(figure)
    Console().print(
        f"seed {seed}: {mean_of(ratios) - 1:+.2%} on {len(ratios)} held-out "
        f"functions (geometric mean of regalloc_score against LLVM's)"
    )


def main() -> None:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", nargs="+", default=["kernels:train"])
    parser.add_argument("--validation", nargs="+", default=["kernels:validation"])
    parser.add_argument("--test", nargs="+", default=["kernels:test"])
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--num-envs", type=int, default=16)
    parser.add_argument("--validate-every", type=int, default=8, help="rollouts")
    parser.add_argument("--begin", choices=("nothing", "rule"), default="nothing")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("full_regalloc_ppo"))
    args = parser.parse_args()
    torch.set_num_threads(1)  # the compilers need the processors more
    args.output.mkdir(parents=True, exist_ok=True)
    service = LocalService("--parked-sessions=512")
    settings = {
        "order": "weight",
        "function": "each",
        "service": service,
        "cheapest_action": args.begin == "rule",
    }
    compilers: Any = gym.make_vec(
        ENV_ID,
        num_envs=args.num_envs,
        programs=args.train,
        autoreset_mode="SameStep",
        **settings,
    )
    envs = CompilerVecEnv(TransformReward(SignedLogVectorObservation(compilers), paid))
    model = MaskablePPO(
        ColumnPolicy,
        envs,
        policy_kwargs={"lead": LEAD if args.begin == "rule" else 0.0},
        # An episode pays at its end.
        gamma=1.0,
        gae_lambda=0.98,
        n_steps=max(2, min(2048, args.steps) // args.num_envs),
        batch_size=256,
        n_epochs=6,
        learning_rate=1e-3,
        target_kl=0.05,
        seed=args.seed,
        device="cpu",
    )
    curve = Curve(args.validation, settings, args.validate_every)
    model.learn(args.steps, callback=curve, progress_bar=True)
    model.save(args.output / f"policy-{args.seed}.zip")
    ratios = exam_of(model, args.test, settings)
    envs.close()
    service.close()
    report(curve.points, ratios, args.output, args.seed)


if __name__ == "__main__":
    main()
