# SPDX-License-Identifier: Apache-2.0
"""What a misspelled name may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``"did you mean kernels? "``, or nothing if no name is close."""
    close = difflib.get_close_matches(name, sorted(known), n=3)
    return f"did you mean {' or '.join(close)}? " if close else ""
