# SPDX-License-Identifier: Apache-2.0
"""Whether a policy may go into real builds: budgets, and what breaks them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from mlcompiler_gym.errors import EvaluationError
from mlcompiler_gym.evaluation.plan import Record
from mlcompiler_gym.evaluation.statistics import Comparison, compare, ratio_of
from mlcompiler_gym.programs.named_set import package_of


@dataclass(frozen=True)
class Unit:
    """One program.

    Attributes:
        program: Its name.
        value: The objective's value with the policy.
        old: The same with the old policy; None: there is none, or it failed.
        llvm: The same with LLVM's own decisions.
    """

    program: str
    value: float
    old: float | None
    llvm: float

    @property
    def reference(self) -> float:
        """What it is compared with: the old policy, or LLVM."""
        return self.llvm if self.old is None else self.old

    @property
    def ratio(self) -> float:
        """The policy's value against that; below 1 is better."""
        return ratio_of(self.value, self.reference)


@dataclass(frozen=True)
class Trial:
    """What two policies, and LLVM, make of the same programs.

    Attributes:
        objective: What was measured.
        units: Programs that the policy compiles.
        failed: Why it does not compile the others, by name.
        seconds: Time of all compiles, and of LLVM's compiles.
    """

    objective: str
    units: tuple[Unit, ...]
    failed: Mapping[str, str]
    seconds: tuple[float, float]

    @classmethod
    def of(
        cls, records: Iterable[Record], old: Iterable[Record] = (), objective: str = ""
    ) -> Trial:
        """From records.

        Args:
            records: Records of the policy, as a ``Deployment`` makes them.
            old: Records of the old policy.
            objective: Which; empty: the only one.

        Raises:
            EvaluationError: There is no such objective, or none compiles.
        """
        lived = [record for record in records if record["error_code"] is None]
        if not lived:
            errors = {record["error"] for record in records}
            raise EvaluationError(
                "not one of the programs compiles: " + "; ".join(sorted(errors))
            )
        known = list(lived[0]["objective"])
        if (objective or len(known) > 1) and objective not in known:
            raise EvaluationError(f"say which objective: {', '.join(known)}")
        name = objective or known[0]
        before = {
            record["program"]: record["objective"][name]
            for record in old
            if record["error_code"] is None
        }
        units = [
            Unit(
                record["program"],
                record["objective"][name],
                before.get(record["program"]),
                record["baseline"][name],
            )
            for record in lived
        ]
        return cls(
            name,
            tuple(units),
            {
                record["program"]: record["error"]
                for record in records
                if record["error_code"] is not None
            },
            (
                sum(record["seconds"] for record in lived),
                sum(record["baseline_seconds"] for record in lived),
            ),
        )

    def comparison(self) -> Comparison:
        """All of them together."""
        return compare((u.program, u.value, u.reference) for u in self.units)

    def packages(self) -> dict[str, float]:
        """Ratio of the sums of each package, the worst first."""
        sums: dict[str, list[float]] = {}
        for unit in self.units:
            both = sums.setdefault(package_of(unit.program), [0.0, 0.0])
            both[0] += unit.value
            both[1] += unit.reference
        ratios = {name: ratio_of(*both) for name, both in sums.items()}
        return dict(sorted(ratios.items(), key=lambda item: (-item[1], item[0])))


@dataclass(frozen=True)
class Budgets:
    """Ratios that may not be exceeded; None: whatever.

    Attributes:
        worst: Bound for each program.
        package: Bound for the programs of a package together.
        total: Bound for all programs together.
        compile_time: Bound for the time of all compiles, against LLVM's.
    """

    worst: float | None = None
    package: float | None = None
    total: float | None = None
    compile_time: float | None = None


@dataclass(frozen=True)
class Check:
    """One thing that was held to a budget.

    Attributes:
        budget: ``"compiles"``, ``"worst"``, ``"package"``, ``"total"`` or
            ``"compile_time"``.
        name: Name of the program or package, or ``"all"``.
        ratio: What was found; None: it does not compile.
        limit: What it may be.
        error: Why it does not compile.
    """

    budget: str
    name: str
    ratio: float | None
    limit: float | None
    error: str = ""

    @property
    def broken(self) -> bool:
        """Whether it is beyond its budget."""
        if self.ratio is None or self.limit is None:
            return True
        return self.ratio > self.limit

    def __str__(self) -> str:
        if self.ratio is None:
            return f"{self.name} does not compile: {self.error}"
        return f"{self.budget} of {self.name}: {self.ratio:.4f}, at most {self.limit:g}"


@dataclass(frozen=True)
class Verdict:
    """Whether all budgets hold.

    Attributes:
        trial: What it is judged by.
        checks: Everything that was held to a budget.
    """

    trial: Trial
    checks: tuple[Check, ...] = field(default=())

    @property
    def broken(self) -> list[Check]:
        """What is beyond its budget, the worst first."""
        found = [check for check in self.checks if check.broken]
        return sorted(found, key=lambda check: (check.budget, -(check.ratio or 0)))


def judge(trial: Trial, budgets: Budgets) -> Verdict:
    """Hold what was played to budgets. A program that does not compile breaks any."""
    return Verdict(trial, tuple(_checks(trial, budgets)))


def _checks(trial: Trial, budgets: Budgets) -> Iterator[Check]:
    for name, error in trial.failed.items():
        yield Check("compiles", name, None, None, error)
    if budgets.worst is not None:
        for unit in trial.units:
            yield Check("worst", unit.program, unit.ratio, budgets.worst)
    if budgets.package is not None:
        for name, ratio in trial.packages().items():
            yield Check("package", name, ratio, budgets.package)
    if budgets.total is not None:
        yield Check("total", "all", trial.comparison().total, budgets.total)
    if budgets.compile_time is not None:
        ratio = trial.seconds[0] / trial.seconds[1]
        yield Check("compile_time", "all", ratio, budgets.compile_time)


def as_json(verdict: Verdict) -> dict[str, Any]:
    """All of it, for programs."""
    trial = verdict.trial
    return {
        "passed": not verdict.broken,
        "objective": trial.objective,
        **summary_of(trial),
        "checks": [
            {**asdict(check), "broken": check.broken} for check in verdict.checks
        ],
        "units": [{**asdict(u), "ratio": u.ratio} for u in trial.units],
        "failed": dict(trial.failed),
    }


def summary_of(trial: Trial) -> dict[str, Any]:
    """What the programs come to together."""
    found = trial.comparison()
    return {
        "geometric_mean": found.mean.mean,
        "interval": found.mean.bounds,
        "total": found.total,
        "worse": found.worse,
        "worst_program": found.worst_program,
        "worst_ratio": found.worst_ratio,
        "compile_time": trial.seconds[0] / trial.seconds[1],
    }


def as_junit(verdict: Verdict, name: str) -> bytes:
    """Each check as a test case, as CI systems read them.

    Args:
        verdict: What came of it.
        name: Name of the test suite.
    """
    broken: Sequence[Check] = verdict.broken
    suite = ET.Element(
        "testsuite",
        name=name,
        tests=str(len(verdict.checks)),
        failures=str(len(broken)),
    )
    for check in verdict.checks:
        case = ET.SubElement(
            suite, "testcase", classname=f"{name}.{check.budget}", name=check.name
        )
        if check.broken:
            ET.SubElement(case, "failure", message=str(check))
    ET.indent(suite)
    return bytes(ET.tostring(suite, encoding="utf-8", xml_declaration=True)) + b"\n"
