# SPDX-License-Identifier: Apache-2.0
"""Arguments that an environment does not have."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from mlcompiler_gym.suggest import did_you_mean


def check_keywords(name: str, given: Iterable[str], known: Collection[str]) -> None:
    """Refuse arguments that there are none of.

    Args:
        name: Name of what is being made.
        given: Names of the arguments.
        known: Names of the arguments that it takes.

    Raises:
        TypeError: There is one that it does not take; it says what was meant, perhaps.
    """
    for keyword in given:
        if keyword not in known:
            raise TypeError(
                f"{name} has no argument {keyword!r}; {did_you_mean(keyword, known)}"
                f"It takes {', '.join(sorted(known))}"
            )
