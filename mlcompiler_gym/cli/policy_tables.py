# SPDX-License-Identifier: Apache-2.0
"""Policies, and what was found of them, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlcompiler_gym.cli.tables import Table, names, note, numbers

if TYPE_CHECKING:
    from mlcompiler_gym.evaluation.drift import Drift
    from mlcompiler_gym.evaluation.gate import Check, Trial


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
    for transforms, features in alike.items():
        yield "inputs", ", ".join(features) + (transforms and f": {transforms}")
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


def show_trial(trial: Trial, old: str | None, new: str) -> None:
    """Programs or packages, the worst first, and all of them together."""
    compared = ("LLVM", *([Path(old).name] if old else []), Path(new).name)
    table = Table(
        [
            *names("program"),
            *numbers(*compared, form=".8g"),
            *numbers("ratio", form=".4f"),
        ],
        title=trial.objective,
    )
    for unit in sorted(trial.units, key=lambda unit: (-unit.ratio, unit.program)):
        values = (unit.llvm, *([unit.old] if old else []), unit.value)
        table.add(unit.program, *values, unit.ratio)
    table.print()
    for name, error in trial.failed.items():
        note(f"{name} does not compile: {error}")
    found = trial.comparison()
    bounds = found.mean.bounds
    interval = "" if bounds is None else f" ({bounds[0]:.4f} to {bounds[1]:.4f}, 95%)"
    for line in (
        f"against {old or 'LLVM'}; below 1 is better",
        f"geometric mean {found.mean.mean:.4f}{interval}",
        f"total {found.total:.4f}",
        f"worse {found.worse:.0%} of {len(trial.units)}",
        f"worst {found.worst_ratio:.4f}, {found.worst_program}",
        f"compile time {trial.seconds[0] / trial.seconds[1]:.3f} of LLVM's",
    ):
        note(line)


def show_checks(checks: Sequence[Check]) -> None:
    """Show the worst that was found for each budget, and everything that breaks it."""
    table = Table(
        [
            *names("budget", "of"),
            *numbers("found", form=".4f"),
            *numbers("at most", form="g"),
            *names("verdict"),
        ]
    )
    ordered = sorted(checks, key=lambda each: (each.budget, -(each.ratio or 0)))
    for place, check in enumerate(ordered):
        first = place == 0 or ordered[place - 1].budget != check.budget
        if check.broken or first:
            table.add(
                check.budget.replace("_", " "),
                check.name,
                check.ratio,
                check.limit,
                "broken" if check.broken else "holds",
            )
    table.print()


def show_drift(found: Sequence[Drift], threshold: float, decisions: int) -> None:
    """The furthest element of each feature."""
    table = Table(
        [
            *names("feature"),
            *numbers("element"),
            *numbers("PSI", "by chance", "KS", form=".3f"),
            *names("verdict"),
        ]
    )
    furthest = {each.feature: each for each in reversed(found)}
    for each in reversed(furthest.values()):
        table.add(
            each.feature,
            each.element,
            each.stability,
            each.chance,
            each.distance,
            "drifted" if each.beyond(threshold) else "",
        )
    table.print()
    drifted = sum(each.beyond(threshold) for each in furthest.values())
    note(f"{drifted} of {len(furthest)} features drifted, over {decisions} decisions")
