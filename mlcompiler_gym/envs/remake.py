# SPDX-License-Identifier: Apache-2.0
"""Environments pickle as the arguments that they were made with."""

from __future__ import annotations

import functools
from typing import Any, Self

from mlcompiler_gym.errors import RunningError


class Remade:
    """Pickling and ``copy.deepcopy`` make another object from the same arguments.

    As Gymnasium's ``EzPickle``, for the same reason: what is inside cannot be copied,
    here the sockets of compiles under way. Those are refused rather than lost.
    """

    def __new__(cls, *arguments: Any, **keywords: Any) -> Self:
        """Keep the arguments."""
        self = super().__new__(cls)
        self._make = functools.partial(cls, *arguments, **keywords)
        return self

    _make: functools.partial[Self]

    @property
    def running(self) -> bool:
        """Whether a compile is under way."""
        raise NotImplementedError

    def _shallow_copy(self) -> Self:
        copy = object.__new__(type(self))
        vars(copy).update(vars(self))
        return copy

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        if self.running:
            raise RunningError(
                f"this {type(self).__name__} has a compile under way and cannot be "
                "pickled or copied. fork() of an environment makes a second one, at "
                "the same decision; in another process, replay() of a trajectory does. "
                "After close() it can be: as the arguments that it was made with"
            )
        # The copy also gets the spec that gymnasium.make() has set.
        return self._make, (), {"spec": getattr(self, "spec", None)}
