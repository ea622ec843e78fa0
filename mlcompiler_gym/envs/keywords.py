# SPDX-License-Identifier: Apache-2.0
"""Arguments that an environment does not have."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Iterable

from mlcompiler_gym.suggest import did_you_mean

#: Tasks that do not take these say why, which is better than that they do not.
_REFUSED_LATER = frozenset({"function", "reward"})


def check_keywords(
    name: str, given: Iterable[str], *takers: Callable[..., object]
) -> None:
    """Refuse arguments that none of the functions takes.

    Args:
        name: Of what is being made.
        given: Names of the arguments.
        takers: Functions that take them.

    Raises:
        TypeError: There is one that none takes; it says what was meant, perhaps.
    """
    known: set[str] = set()
    for taker in takers:
        names = _keywords(taker)
        if names is None:
            return
        known |= names
    for keyword in given:
        if keyword not in known and keyword not in _REFUSED_LATER:
            raise TypeError(
                f"{name} has no argument {keyword!r}; {did_you_mean(keyword, known)}"
                f"It takes {', '.join(sorted(known))}"
            )


@functools.cache
def _keywords(taker: Callable[..., object]) -> frozenset[str] | None:
    """Names that a function takes; None: any."""
    found: set[str] = set()
    for parameter in inspect.signature(taker).parameters.values():
        if parameter.kind is not parameter.VAR_KEYWORD:
            found.add(parameter.name)
            continue
        hint = typing.get_type_hints(taker).get(parameter.name)
        if typing.get_origin(hint) is not typing.Unpack:
            return None
        (settings,) = typing.get_args(hint)
        found |= set(settings.__annotations__)
    return frozenset(found - {"self", "setup"})
