# SPDX-License-Identifier: Apache-2.0
"""``mlcompiler-gym policy``: what a policy is, and whether it may be deployed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlcompiler_gym.cli.evaluate import parse_settings
from mlcompiler_gym.cli.policy_tables import (
    lines,
    show_checks,
    show_drift,
    show_trial,
    text,
)
from mlcompiler_gym.cli.tables import Table, names, note, print_json
from mlcompiler_gym.cli.tables import text as text_column
from mlcompiler_gym.cli.working import AsJson, Limit, Workers, players, progress_of
from mlcompiler_gym.errors import EvaluationError, MissingLibraryError

if TYPE_CHECKING:
    from mlcompiler_gym.evaluation.deployment import Deployment
    from mlcompiler_gym.evaluation.gate import Trial
    from mlcompiler_gym.evaluation.plan import Record

policy = typer.Typer(
    no_args_is_help=True, help="Policies that are data, and putting them into builds."
)

Named = Annotated[
    str, typer.Argument(help="A file, mine.policy; or a policy by name: llvm.")
]
Settings = Annotated[
    list[str] | None,
    typer.Argument(help="key=value as for gym.make: objective=text_size level=O2."),
]
Programs = Annotated[
    list[str] | None,
    typer.Option(
        help="A set, a split, a program or a folder of bitcode; may be repeated."
    ),
]
EnvId = Annotated[
    str | None, typer.Option("--env", help="The environment [of the policy's task].")
]
Objective = Annotated[
    str, typer.Option(help="Which objective, if the environment has several.")
]
Repeats = Annotated[
    int,
    typer.Option(min=1, help="How often each compile is timed; the shortest counts."),
]


Journal = Annotated[
    Path,
    typer.Option(
        "--output", "-o", help="File of results; what is in it is not compiled again."
    ),
]


@policy.command()
def show(name: Named, as_json: AsJson = False) -> None:
    """Show what a policy is: its card, inputs, layers or trees."""
    from mlcompiler_gym.evaluation.naming import portable_policy
    from mlcompiler_gym.policies.describe import describe

    found = describe(portable_policy(name))
    if as_json:
        print_json(found)
        return
    table = Table([*names("field"), text_column("value")])
    for key, value in lines(found):
        table.add(key, value)
    table.print()


@policy.command()
def compare(
    one: Named,
    other: Named,
    settings: Settings = None,
    programs: Programs = None,
    limit: Limit = None,
    env_id: EnvId = None,
    objective: Objective = "",
    output: Journal = Path("compare.jsonl"),
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Say what differs between two policies, and what the other makes of programs.

    Without --programs, only what differs in the files. With them, both decide inside
    the compiler; ratios are those of the second against the first.
    """
    _needs_scipy()
    from mlcompiler_gym.evaluation.gate import summary_of
    from mlcompiler_gym.evaluation.naming import portable_policy
    from mlcompiler_gym.policies.describe import differences

    different = differences(portable_policy(one), portable_policy(other))
    trial = None
    if programs:
        trial = _try(
            other, one, settings, programs, limit, env_id, objective, output, workers
        )
    if as_json:
        found: dict[str, Any] = {"different": different}
        if trial is not None:
            found |= {"objective": trial.objective, **summary_of(trial)}
            found["units"] = [
                {"program": u.program, one: u.old, other: u.value, "llvm": u.llvm}
                for u in trial.units
            ]
            found["failed"] = dict(trial.failed)
        print_json(found)
        return
    table = Table([*names("what differs"), text_column(one), text_column(other)])
    for what, both in different.items():
        table.add(what, *(text(each) for each in both))
    if different:
        table.print()
    else:
        note("the two say the same")
    if trial is not None:
        show_trial(trial, one, other)


@policy.command()
def gate(
    new: Named,
    settings: Settings = None,
    old: Annotated[
        str | None, typer.Option(help="What is deployed now; sizes are against it.")
    ] = None,
    programs: Programs = None,
    limit: Limit = None,
    env_id: EnvId = None,
    objective: Objective = "",
    max_worst: Annotated[
        str | None, typer.Option(help="By how much a program may be worse: 1% or 1.01.")
    ] = None,
    max_package: Annotated[
        str | None, typer.Option(help="By how much a package may be worse.")
    ] = None,
    max_total: Annotated[
        str | None,
        typer.Option(help="By how much all programs together may be worse: 0%."),
    ] = None,
    max_compile_time: Annotated[
        str | None, typer.Option(help="Time to compile all, against LLVM's: 1.05.")
    ] = None,
    repeats: Repeats = 3,
    output: Journal = Path("gate.jsonl"),
    workers: Workers = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write all of it here, as JSON.")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(help="Write a JUnit report here, as CI reads it.")
    ] = None,
) -> None:
    """Hold a policy to budgets before it goes into real builds.

    It compiles programs with the new policy, the old one and LLVM. Sizes and the like
    are held against the old policy, or LLVM if there is none; compile time against
    LLVM. Ends with status 1 if a budget is broken. The same command again goes on where
    it stopped.
    """
    _needs_scipy()
    from mlcompiler_gym.evaluation import gate as gates
    from mlcompiler_gym.files import write_file

    budgets = gates.Budgets(
        _ratio(max_worst),
        _ratio(max_package),
        _ratio(max_total),
        _ratio(max_compile_time),
    )
    if budgets == gates.Budgets():
        raise EvaluationError(
            "there is no budget; say --max-worst, --max-package, --max-total or "
            "--max-compile-time"
        )
    trial = _try(
        new,
        old,
        settings,
        programs,
        limit,
        env_id,
        objective,
        output,
        workers,
        repeats=repeats,
    )
    verdict = gates.judge(trial, budgets)
    if json_file is not None:
        content = json.dumps(gates.as_json(verdict), indent=1) + "\n"
        write_file(json_file, content.encode())
    if junit is not None:
        write_file(junit, gates.as_junit(verdict, f"gate.{Path(new).stem}"))
    show_trial(trial, old, new)
    show_checks(verdict.checks)
    broken = verdict.broken
    note(
        f"{len(broken)} of {len(verdict.checks)} checks failed"
        if broken
        else f"all {len(verdict.checks)} checks passed"
    )
    raise typer.Exit(1 if broken else 0)


@policy.command()
def drift(
    name: Named,
    settings: Settings = None,
    programs: Programs = None,
    limit: Limit = None,
    env_id: EnvId = None,
    threshold: Annotated[
        float, typer.Option(min=0, help="Population stability index that is too much.")
    ] = 0.25,
    report: Annotated[
        Path | None,
        typer.Option(help="A report of mlcg-clang; nothing is compiled again."),
    ] = None,
    output: Journal = Path("drift.jsonl"),
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Compare features of programs with the features of a policy's training.

    Ends with status 1 if a feature has drifted by more than the threshold, and by more
    than chance. The journal of a gate also has the features of its programs, and the
    report of a build has the features of its units.
    """
    if report is not None and (programs or settings or env_id):
        raise EvaluationError(
            "the report says what was compiled; leave out programs and settings"
        )
    _needs_scipy()
    from mlcompiler_gym.evaluation import drift as drifts
    from mlcompiler_gym.evaluation.naming import portable_policy

    trained = portable_policy(name).seen
    if not trained:
        raise EvaluationError(
            f"the card of {name} does not say what its inputs were in training; add "
            "that with PortablePolicy.with_seen"
        )
    if report is not None:
        records = drifts.read_report(report, _file_of(name))
    else:
        what = _deployment(name, settings, env_id)
        records = _play(what, programs, limit, output, workers)
    counts = drifts.counts_of(records)
    found = drifts.drift(trained, counts)
    beyond = [each for each in found if each.beyond(threshold)]
    if as_json:
        content = {
            "decisions": int(counts[0].sum()),
            "threshold": threshold,
            "drifted": bool(beyond),
            "elements": [
                {**vars(each), "drifted": each.beyond(threshold)} for each in found
            ],
        }
        print_json(content)
    else:
        show_drift(found, threshold, int(counts[0].sum()))
    raise typer.Exit(1 if beyond else 0)


def _file_of(name: str) -> bytes:
    from mlcompiler_gym.building.policies import BuildPolicy

    return BuildPolicy.find(name).content


def _needs_scipy() -> None:
    try:
        import scipy  # noqa: F401
    except ModuleNotFoundError as missing:
        raise MissingLibraryError("scipy", "policies") from missing


def _deployment(
    name: str, settings: Sequence[str] | None, env_id: str | None, repeats: int = 1
) -> Deployment:
    from mlcompiler_gym.evaluation.deployment import Deployment

    return Deployment.of(name, parse_settings(list(settings or [])), env_id, repeats)


def _play(
    what: Deployment,
    programs: Sequence[str] | None,
    limit: int | None,
    output: Path,
    workers: int | None,
) -> list[Record]:
    from mlcompiler_gym.evaluation import evaluate

    with progress_of(what.policy.split()[0]) as progress:
        return evaluate(
            what,
            programs or None,
            output,
            limit=limit,
            players=players(workers)(what),
            progress=progress,
        )


def _try(
    new: str,
    old: str | None,
    settings: Sequence[str] | None,
    programs: Sequence[str] | None,
    limit: int | None,
    env_id: str | None,
    objective: str,
    output: Path,
    workers: int | None,
    *,
    repeats: int = 1,
) -> Trial:
    """Compile with both policies."""
    from mlcompiler_gym.evaluation.gate import Trial
    from mlcompiler_gym.evaluation.naming import env_of, portable_policy

    if env_id is None:
        # A policy by name may be of any task, so the other says which.
        named = [portable_policy(each) for each in (new, old) if each is not None]
        env_id = env_of(next((each for each in named if each.task), named[0]))
    wanted = _deployment(new, settings, env_id, repeats)
    records = _play(wanted, programs, limit, output, workers)
    before: list[Record] = []
    if old is not None:
        other = _deployment(old, settings, env_id)
        before = _play(other, programs, limit, output, workers)
    return Trial.of(records, before, objective)


def _ratio(written: str | None) -> float | None:
    """1.01 of ``"1%"`` and of ``"1.01"``."""
    if written is None:
        return None
    number, percent, rest = written.partition("%")
    try:
        found = 1 + float(number) / 100 if percent else float(number)
    except ValueError:
        found = -1.0
    if rest or not 0 < found < float("inf"):
        raise EvaluationError(f"{written!r} is no budget; write 1% or 1.01")
    return found
