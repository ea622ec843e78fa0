# SPDX-License-Identifier: Apache-2.0
"""``mlcompiler-gym train``: from programs to a policy file."""

from __future__ import annotations

import contextlib
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from mlcompiler_gym.cli.evaluate import parse_settings
from mlcompiler_gym.cli.tables import Table, names, note, numbers
from mlcompiler_gym.cli.working import (
    EnvId,
    Limit,
    OnRay,
    Programs,
    RayAddress,
    Settings,
    Workers,
    players,
    progress_of,
)
from mlcompiler_gym.errors import TrainingError


def train(
    env_id: EnvId,
    settings: Settings = None,
    programs: Programs = None,
    limit: Limit = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The policy's file.")
    ] = Path("trained.policy"),
    folder: Annotated[
        Path,
        typer.Option(
            help="Labels, checkpoints and journals; what is there is not done again."
        ),
    ] = Path("training"),
    algo: Annotated[
        str,
        typer.Option(
            help="How: counterfactual, rules, clone, ppo, dqn, es, coordinates or "
            "portfolio."
        ),
    ] = "counterfactual",
    base: Annotated[
        str | None,
        typer.Option(
            help="What counterfactual and rules deviate from and clone imitates: llvm, "
            "or a rule such as last_use [llvm]."
        ),
    ] = None,
    decisions: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Decisions that counterfactual and rules label of a program [24].",
        ),
    ] = None,
    per_package: Annotated[
        int | None,
        typer.Option(min=1, help="Only so many programs of a package, by their hash."),
    ] = None,
    largest: Annotated[
        int | None,
        typer.Option(
            min=1, help="Only programs with at most so many bytes of bitcode."
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="TOML file with settings of the algorithm."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all that is drawn.")] = 0,
    author: Annotated[str, typer.Option(help="For the policy's card.")] = "",
    workers: Workers = None,
    ray: OnRay = False,
    ray_address: RayAddress = None,
) -> None:
    """Learn a policy, and write it to a file with its card.

    Two algorithms deviate from LLVM or a rule, by decisions that are labelled by fork:
    counterfactual fits a forest, and the algorithm called rules finds kinds of
    decisions. The algorithm clone imitates. PPO and DQN are Stable-Baselines3's, and
    es is CMA-ES. The algorithm coordinates changes one weight at a time. A portfolio is
    a few orders of passes. How sure the policy has to be, or which candidate is the
    best, is chosen on packages that were not learned from.
    The same command again goes on where it stopped.
    """
    from mlcompiler_gym import training
    from mlcompiler_gym.evaluation import Evaluation
    from mlcompiler_gym.evaluation.plan import plan_episodes
    from mlcompiler_gym.evaluation.player import make_env
    from mlcompiler_gym.programs import load_programs
    from mlcompiler_gym.v1 import policy_pb2 as pb

    algorithm = training.find_algorithm(algo)
    given = {"seed": seed, "base": base, "decisions": decisions}
    chosen = training.load_settings(
        algorithm.settings,
        config,
        {name: value for name, value in given.items() if value is not None},
    )
    keywords = parse_settings(settings or [])
    _, env = make_env(Evaluation(env_id, "inactive", keywords))
    source = load_programs(
        programs or env.setup.spec.default_programs.split(),
        target=env.setup.config.target or None,
        level=env.setup.config.level,
    )
    env.close()
    if source.size is None and limit is None:
        raise TrainingError(f"there is no end of {source}; say how many programs")
    every = [
        plan.program for plan in plan_episodes(source, episodes=1, seed=0, limit=limit)
    ]
    if per_package is not None:
        every = training.few_of_each(every, per_package)
    if largest is not None:
        every = [program for program in every if len(program.bitcode) <= largest]
    card = pb.Card(
        author=author,
        command=shlex.join(["mlcompiler-gym", *sys.argv[1:]]),
        programs=programs or [],
    )
    with contextlib.ExitStack() as stack:
        bars: dict[str, Any] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in bars:
                bars[what] = stack.enter_context(progress_of(what))
            bars[what](done, total)

        trained = algorithm.train(
            training.Assignment(
                env_id,
                every,
                folder,
                keywords,
                players=players(workers, ray, ray_address),
                card=card,
                progress=show,
            ),
            chosen,
        )
    trained.policy.save(output)
    _show(trained)
    note(f"the learning curve is in {trained.curve}")
    print(f"{output}: {trained.chosen.name}, {len(every)} programs")


def _show(trained: Any) -> None:
    table = Table(
        [
            *names("candidate"),
            *numbers("geomean", "total", form=".4f"),
            *numbers("worse", form=".1%"),
            *numbers("worst", form=".4f"),
            *numbers("programs"),
        ],
        title="Played on packages that were not learned from",
    )
    for row in trained.played:
        table.add(
            row.name,
            row.ratio,
            row.total,
            row.worse,
            row.worst,
            row.programs,
            style="bold" if row is trained.chosen else "",
        )
    table.print()
    note("geomean, total, worst: against LLVM; lower is better. Bold: chosen")
