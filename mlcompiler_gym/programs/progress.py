# SPDX-License-Identifier: Apache-2.0
"""Progress bars, if they are wanted."""

from __future__ import annotations

import sys
from typing import Any

from mlcompiler_gym.errors import MissingLibraryError


def progress_bar(
    total: int | None, what: str, *, unit: str, enabled: bool, delay: float = 0
) -> Any:
    """A bar of tqdm's that goes away when it is closed.

    Args:
        total: Units of work; None: the number is not known.
        what: Shown before the bar.
        unit: Unit of the work; ``"B"`` is shown as kB, MB and so on.
        enabled: Whether to show one where a person looks at it, that is, on a terminal
            or in a notebook.
        delay: Seconds before it appears.
    """
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise MissingLibraryError("tqdm") from error
    return tqdm(
        total=total,
        desc=what,
        unit=unit,
        unit_scale=unit == "B",
        leave=False,
        delay=delay,
        disable=not (enabled and (sys.stderr.isatty() or "ipykernel" in sys.modules)),
    )
