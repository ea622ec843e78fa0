# SPDX-License-Identifier: Apache-2.0
"""What journals say of policies, as tables for people."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

from mlcompiler_gym.best_action import BEST
from mlcompiler_gym.evaluation.naming import policy_in
from mlcompiler_gym.evaluation.plan import Evaluation, Record, judged
from mlcompiler_gym.evaluation.statistics import Comparison, compare
from mlcompiler_gym.programs import load_programs
from mlcompiler_gym.programs.catalogue import read_catalogue
from mlcompiler_gym.programs.named_set import package_of

#: How many names of programs that a policy was learned from are shown.
_NAMED = 3
#: Language of a row that is of all programs.
_ALL = "all"


@dataclass(frozen=True)
class Row:
    """A policy on programs of one set, or on those in one language.

    Attributes:
        env: Id of the environment.
        objective: Name of the objective.
        target: The target that was named; ``""``: none was.
        programs: Set and split, ``"pypi:test"``; of programs without, their set.
        policy: As it was named.
        language: ``"all"``, ``"C"`` or ``"C++"``.
        count: How many programs; where functions are judged, how many of these.
        what: ``"programs"``, or ``"functions"`` where these are judged.
        packages: Number of their packages.
        failed: How many more the compiler did not survive. Programs that raise no
            decision are not counted.
        seeds: Seeds of the episodes, ascending.
        spent: What was spent on a program, in words; ``""`` if that is not known.
        comparison: With LLVM.
    """

    env: str
    objective: str
    target: str
    programs: str
    policy: str
    language: str
    count: int
    what: str
    packages: int
    failed: int
    seeds: tuple[int, ...]
    spent: str
    comparison: Comparison


def language_of(program: str) -> str:
    """``"C++"`` if a program has a symbol of C++, otherwise ``"C"``.

    Raises:
        ProgramError: It is not here.
    """
    (found,) = load_programs(program)
    # Symbols are in the string table of bitcode, as they are.
    return "C++" if b"_ZN" in found.bitcode or b"_ZS" in found.bitcode else "C"


def rows_of(
    records: Iterable[Record], language: Callable[[str], str] = language_of
) -> list[Row]:
    """The rows of a report, in order.

    Args:
        records: The records of any number of journals. Each counts, also several
            episodes of a program by one policy.
        language: Tells the language of a program from its name.
    """
    groups: dict[tuple[str, str, str, str, str, str], list[Record]] = {}
    for record in records:
        # A failed episode has no objective, but its settings name what would be
        # measured.
        measured = json.dumps(record["settings"].get("objective"), sort_keys=True)
        key = (
            record["env"],
            record["settings"].get("target") or "",
            _set_of(record["program"]),
            record["policy"],
            "functions" if _by_function(record) else "programs",
            measured,
        )
        groups.setdefault(key, []).append(record)
    rows = []
    for (env, target, programs, policy, what, _), each in groups.items():
        # An episode without a decision has neither values nor an error.
        each = [r for r in each if r["objective"] or r["error_code"]]
        spoken = {name: language(name) for name in {r["program"] for r in each}}
        present = sorted(set(spoken.values()))
        for objective in sorted({name for r in each for name in r["objective"] or ()}):
            for wanted in (_ALL, *(present if len(present) > 1 else ())):
                chosen = [r for r in each if wanted in (_ALL, spoken[r["program"]])]
                row = (env, objective, target, programs, policy, wanted)
                if made := _row(*row, what, chosen):
                    rows.append(made)
    return sorted(rows, key=lambda r: (*_heading(r), r.policy))


def _row(
    env: str,
    objective: str,
    target: str,
    programs: str,
    policy: str,
    language: str,
    what: str,
    records: list[Record],
) -> Row | None:
    """A row; None if nothing was measured."""
    measured = [
        each
        for each in itertools.chain.from_iterable(map(judged, records))
        if each["objective"] is not None and each["error_code"] is None
    ]
    if not measured:
        return None
    packages = [package_of(each["program"]) for each in measured]
    return Row(
        env,
        objective,
        target,
        programs,
        policy,
        language,
        len(measured),
        what,
        len(set(packages)),
        sum(record["error_code"] is not None for record in records),
        tuple(sorted({record["seed"] for record in records})),
        _spent_on(env, policy, records),
        compare(
            [
                (_name_of(r), r["objective"][objective], r["baseline"][objective])
                for r in measured
            ],
            packages=packages,
        ),
    )


def _spent_on(env: str, policy: str, records: list[Record]) -> str:
    """What was spent on a program, in the median."""
    known = [record["search"] for record in records if "search" in record]
    if len(known) == len(records):
        compiles, seconds = (
            median(each[what] for each in known) for what in ("compiles", "seconds")
        )
        digits = 0 if seconds >= 10 else 1
        return f"{compiles:.0f} compiles, {seconds:.{digits}f} s"
    decides = policy_in(env, policy)
    if decides is None:
        return ""
    if decides.builtin != BEST:
        return "one compile"
    orders = len(decides.options.get("actions", "").splitlines())
    if not orders:
        return ""
    # How many it tries depends on the size of the program.
    return "one compile" if orders == 1 else f"up to {orders} orders"


def _by_function(record: Record) -> bool:
    return Evaluation(record["env"], record["policy"], record["settings"]).by_function


def _name_of(record: Record) -> str:
    """A program's name, or a function's behind that of its program."""
    function = record.get("function")
    return f"{record['program']} {function}" if function else record["program"]


def _set_of(program: str) -> str:
    """Set and split of a program."""
    if entry := read_catalogue().get(program):
        return f"{entry.set_name}:{entry.split}"
    return program.split("/", 1)[0]


def to_markdown(rows: Iterable[Row]) -> str:
    """Tables, one for each environment, objective and set of programs."""
    lines: list[str] = []
    head = None
    for row in rows:
        if head != _heading(row):
            head = _heading(row)
            lines += [
                "",
                f"## {', '.join(each for each in head if each)}",
                "",
                f"| policy | {row.what} | total | geomean | worse | worst "
                "| seeds | spent |",
                "|---|---|---|---|---|---|---|---|",
            ]
        lines.append(_line(row))
    return "\n".join([*lines[1:], ""])


def trainings_of(rows: Iterable[Row]) -> str:
    """A table of what policies were learned from, as their cards say; perhaps none."""
    lines = []
    for env, policy in sorted({(row.env, row.policy) for row in rows}):
        decides = policy_in(env, policy)
        if decides is None or not decides.card.method:
            continue
        card = decides.card
        programs = ", ".join(f"`{name}`" for name in card.programs[:_NAMED])
        if (more := len(card.programs) - _NAMED) > 0:
            programs += f" and {more} more"
        lines.append(
            f"| {policy} in {env} | {card.method} | {programs} "
            f"| {_ranges(tuple(sorted(card.seeds)))} |"
        )
    if not lines:
        return ""
    head = ["| policy | learned by | from | seeds |", "|---|---|---|---|"]
    return "\n".join(["## Training", "", *head, *lines, ""])


def _heading(row: Row) -> tuple[str, str, str, str, str]:
    """What rows of one table have in common."""
    return (
        row.env,
        f"`{row.objective}`",
        f"`{row.target}`" if row.target else "",
        f"`{row.programs}`",
        "by function" if row.what == "functions" else "",
    )


def _line(row: Row) -> str:
    found = row.comparison
    bounds = found.mean.bounds
    interval = (
        "" if bounds is None else f" [{_percent(bounds[0])}, {_percent(bounds[1])}]"
    )
    name = row.policy if row.language == _ALL else f"{row.policy}, {row.language} alone"
    count = f"{row.count} of {row.packages} packages"
    if row.failed:
        count += f"; {row.failed} failed"
    return (
        f"| {name} | {count} | {_percent(found.total)} "
        f"| {_percent(found.mean.mean)}{interval} | {found.worse:.1%} "
        f"| {_percent(found.worst_ratio)} `{found.worst_program}` "
        f"| {_ranges(row.seeds)} | {row.spent} |"
    )


def _ranges(numbers: tuple[int, ...]) -> str:
    """Ascending numbers: ``"0"``, ``"0 to 4"``, ``"0 to 4, 7"``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(
        f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]) for run in runs
    )


def _percent(ratio: float) -> str:
    return f"{100 * (ratio - 1):+.2f}%"
