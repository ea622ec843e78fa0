# SPDX-License-Identifier: Apache-2.0
"""What came of fetching programs."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Failure:
    """Something that is not there now.

    Attributes:
        name: Name of the program, or of a package that gave no program.
        reason: What went wrong, and what can be done; may have several lines.
    """

    name: str
    reason: str


@dataclass
class FetchReport:
    """Counts of programs, and what failed. Prints as a summary.

    Attributes:
        compiled: Programs that were made now.
        present: Programs that were there already.
        failures: The rest.
    """

    compiled: int = 0
    present: int = 0
    failures: list[Failure] = field(default_factory=list)

    def __str__(self) -> str:
        parts = [f"{self.compiled} compiled", f"{self.present} already there"]
        if self.failures:
            parts.append(f"{len(self.failures)} failed")
        lines = [", ".join(parts)]
        by_reason: dict[str, list[str]] = {}
        for failure in self.failures:
            by_reason.setdefault(failure.reason, []).append(failure.name)
        for reason, names in by_reason.items():
            lines += [f"  {', '.join(names)}:", textwrap.indent(reason, "    ")]
        return "\n".join(lines)
