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
from mlcompiler_gym.cli.tables import Table, note, numbers
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
        typer.Option(help="Labels and journals; what is there is not done again."),
    ] = Path("training"),
    decisions: Annotated[
        int, typer.Option(min=1, help="That are labelled of a program, at most.")
    ] = 24,
    base: Annotated[
        str,
        typer.Option(help="What is deviated from: llvm, or a rule such as last_use."),
    ] = "llvm",
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
        typer.Option(help="TOML file of the forest: trees, leaves, margins, folds."),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of decisions, folds and the forest.")
    ] = 0,
    author: Annotated[str, typer.Option(help="For the policy's card.")] = "",
    workers: Workers = None,
    ray: OnRay = False,
    ray_address: RayAddress = None,
) -> None:
    """Learn where to deviate from LLVM or a rule, from what other actions are worth.

    Decisions of the programs are labelled by fork, a forest is fitted to them, and
    how much a deviation has to promise is chosen by playing on packages that the
    forest has not seen. The same command again goes on where it stopped, and the
    same arguments give the same file.
    """
    from mlcompiler_gym import training
    from mlcompiler_gym.evaluation import Evaluation
    from mlcompiler_gym.evaluation.plan import plan_episodes
    from mlcompiler_gym.evaluation.player import make_env
    from mlcompiler_gym.programs import load_programs
    from mlcompiler_gym.v1 import policy_pb2 as pb

    chosen = training.load_settings(config, {"seed": seed})
    labelling = training.Labelling(
        env_id, parse_settings(settings or []), policy=base, decisions=decisions
    )
    _, env = make_env(Evaluation(env_id, labelling.policy, labelling.settings))
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

        trained = training.train_counterfactual(
            labelling,
            every,
            folder,
            chosen,
            seed=seed,
            players=players(workers, ray, ray_address),
            card=card,
            progress=show,
        )
    trained.policy.save(output)
    _show(trained)
    print(f"{output}: learned from {trained.labels} decisions")


def _show(trained: Any) -> None:
    table = Table(
        [
            *numbers("margin", form="g"),
            *numbers("geomean", "total", form=".4f"),
            *numbers("worse", form=".1%"),
            *numbers("worst", form=".4f"),
            *numbers("programs"),
        ],
        title="Played on packages that were not learned from",
    )
    for row in trained.margins:
        table.add(
            row.margin,
            row.ratio,
            row.total,
            row.worse,
            row.worst,
            row.programs,
            style="bold" if row is trained.chosen else "",
        )
    table.print()
    note("geomean, total, worst: against LLVM; lower is better. Bold: chosen")
