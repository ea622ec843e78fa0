# SPDX-License-Identifier: Apache-2.0
"""Policies, and what was found of them, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from mlcompiler_gym.evaluation.drift import Drift
    from mlcompiler_gym.evaluation.gate import Check, Trial

#: Rows of a table that people read.
_ROWS = 100


def lines(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What there is to say of a policy, line by line; nothing of what is empty."""
    if "builtin" in found:
        yield "policy", f"{found['builtin']}, by name"
    yield "task", found["task"] or "any"
    for key, value in found["options"].items():
        yield "option", f"{key}={value}"
    yield "LLVM", found["llvm_version"] or "not said"
    yield "size", f"{found['bytes']} bytes"
    for key, value in found["card"].items():
        if value:
            yield key, text(value)
    if "builtin" in found:
        return
    # Most have the same transforms as others.
    alike: dict[str, list[str]] = {}
    for each in found["inputs"]:
        count = "" if each["elements"] == 1 else f" ({each['elements']})"
        alike.setdefault("; ".join(each["transforms"]), []).append(
            f"{each['feature']}{count}"
        )
    for transforms, names in alike.items():
        yield "inputs", ", ".join(names) + (transforms and f": {transforms}")
    yield "function", _function(found["function"])
    yield "head", text(found["head"])
    if found["seen_decisions"]:
        yield "seen", f"{found['seen_decisions']} decisions in training"


def _function(function: dict[str, Any]) -> str:
    if function["kind"] == "trees":
        return (
            f"{function['trees']} trees for {function['outputs']} outputs, "
            f"{function['nodes']} nodes, at most {function['depth']} comparisons each"
        )
    layers = "".join(
        f" → {each['outputs']} {each['activation']}".replace(" identity", "")
        for each in function["layers"]
    )
    return f"{function['elements']}{layers}, {function['parameters']} parameters"


def text(value: Any) -> str:
    """A value of a description in a line; "-" if there is none."""
    if value is None or value == "":
        return "-"
    if isinstance(value, dict):
        return ", ".join(
            text(each) if key == "kind" else f"{key} {text(each)}"
            for key, each in value.items()
        )
    if isinstance(value, list):
        return ", ".join(map(text, value)) or "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def show_trial(console: Console, trial: Trial, old: str | None, new: str) -> None:
    """Programs or packages, the worst first, and all of them together."""
    table = Table(box=SIMPLE, title=trial.objective, title_justify="left")
    table.add_column("program", overflow="fold")
    for column in ("LLVM", *([old] if old else []), new, "ratio"):
        table.add_column(Path(column).name, justify="right")
    units = sorted(trial.units, key=lambda unit: (-unit.ratio, unit.program))
    for unit in units[:_ROWS]:
        values = (unit.llvm, *([unit.old] if old else []), unit.value)
        cells = ("-" if each is None else f"{each:.8g}" for each in values)
        table.add_row(unit.program, *cells, f"{unit.ratio:.4f}")
    console.print(table)
    if len(units) > _ROWS:
        console.print(f"and {len(units) - _ROWS} more")
    for name, error in trial.failed.items():
        console.print(f"{name} does not compile: {error}", markup=False)
    found = trial.comparison()
    bounds = found.mean.bounds
    interval = "" if bounds is None else f" ({bounds[0]:.4f} to {bounds[1]:.4f}, 95%)"
    for line in (
        f"against {old or 'LLVM'}; below 1 is better",
        f"geometric mean {found.mean.mean:.4f}{interval}",
        f"total {found.total:.4f}",
        f"worse {found.worse:.0%} of {len(units)}",
        f"worst {found.worst_ratio:.4f}, {found.worst_program}",
        f"compile time {trial.seconds[0] / trial.seconds[1]:.3f} of LLVM's",
    ):
        console.print(line, highlight=False, markup=False)


def show_checks(console: Console, checks: Sequence[Check]) -> None:
    """Show the worst that was found for each budget, and everything that breaks it."""
    table = Table(box=SIMPLE)
    for column in ("budget", "of", "found", "at most", ""):
        table.add_column(column, overflow="fold")
    ordered = sorted(checks, key=lambda each: (each.budget, -(each.ratio or 0)))
    shown = [
        check
        for place, check in enumerate(ordered)
        if check.broken or place == 0 or ordered[place - 1].budget != check.budget
    ]
    for check in shown[:_ROWS]:
        table.add_row(
            check.budget.replace("_", " "),
            check.name,
            "-" if check.ratio is None else f"{check.ratio:.4f}",
            "-" if check.limit is None else f"{check.limit:g}",
            "broken" if check.broken else "holds",
        )
    console.print(table)


def show_drift(
    console: Console, found: Sequence[Drift], threshold: float, decisions: int
) -> None:
    """The furthest element of each feature."""
    table = Table(box=SIMPLE)
    for column in ("feature", "element", "PSI", "by chance", "KS", ""):
        table.add_column(
            column, justify="left" if column in ("feature", "") else "right"
        )
    furthest = {each.feature: each for each in reversed(found)}
    for each in reversed(furthest.values()):
        table.add_row(
            each.feature,
            str(each.element),
            f"{each.stability:.3f}",
            f"{each.chance:.3f}",
            f"{each.distance:.3f}",
            "drifted" if each.beyond(threshold) else "",
        )
    console.print(table)
    drifted = sum(each.beyond(threshold) for each in furthest.values())
    console.print(
        f"{drifted} of {len(furthest)} features drifted, over {decisions} decisions"
    )
