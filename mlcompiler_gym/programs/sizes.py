# SPDX-License-Identifier: Apache-2.0
"""Which sizes a program of ours is run with: its source says so."""

from __future__ import annotations

import re
from pathlib import Path


def read_sizes(source: Path) -> tuple[str, ...]:
    """The arguments of its three runs, from the ``// Sizes: A B C`` of its header.

    Raises:
        SystemExit: The header has none; the message names the file.
    """
    found = re.search(
        r"^// Sizes: (\d+) (\d+) (\d+)$", source.read_text(), re.MULTILINE
    )
    if found is None:
        raise SystemExit(f"{source}: the header comment has no `// Sizes: A B C`")
    return found.groups()
