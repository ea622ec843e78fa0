# SPDX-License-Identifier: Apache-2.0
"""Local search over whole pass orderings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlcompiler_gym.envs.pass_ordering import PassOrderingEnv
from mlcompiler_gym.policies.search import Search, SearchResult

#: Actions between two modules that are kept to go on from.
_STRIDE = 8
#: Probabilities that a change inserts, removes, replaces or moves an action.
_KINDS = (0.4, 0.3, 0.15, 0.15)
#: Actions that are removed at once, at most.
_REMOVED = 4


def local_search(
    env: PassOrderingEnv,
    *,
    seconds: float | None = None,
    seed: int | None = None,
    start: Sequence[int] = (),
    compiles: int | None = None,
    options: dict[str, Any] | None = None,
) -> SearchResult:
    """Change a sequence at random, and keep what is not worse.

    A change inserts, removes, replaces or moves actions anywhere in the sequence,
    those of ``start`` included. What is as good is kept, too: the sequence wanders
    where nothing is better nearby. Behind each change everything is run again, in
    one request, from the nearest fork in front of it.

    Args:
        env: A pass-ordering environment. It is reset.
        seconds: Wall-clock time to search for; None: as long as there are compiles.
        seed: Seed of the search and of ``reset``.
        start: What to begin with: the passes of ``-Oz``, say.
        compiles: Sequences that are tried, the first included; None: as many as there
            is time for.
        options: For ``reset``.

    Raises:
        ValueError: There is a limit neither to time nor to compiles.
    """
    _, info = env.reset(seed=seed, options=options)
    search = Search(env, info, seconds, seed, compiles)
    change_at_random(search, env, info, start)
    return search.result()


def change_at_random(
    search: Search, env: PassOrderingEnv, info: dict[str, Any], start: Sequence[int]
) -> None:
    """What :func:`local_search` does, from where an environment stands.

    Args:
        search: With the budget.
        env: It stays where it is.
        info: That came with it.
        start: What to begin with.
    """
    forks = _Forks(search, env.fork())
    try:
        value, count = search.value(info), len(env.action_names)
        if start:
            (reached,) = forks.evaluate_each([(start, 0)])
            if reached is not None:
                value = reached
                forks.adopt(start, 0)
        while width := search.budget.room:
            tried: list[tuple[list[int], int]] = []
            while len(tried) < width and not search.budget.late:
                changed, at = _change(search.rng, forks.actions, count)
                if not forks.repeats and len(set(changed)) < len(changed):
                    continue
                if search.longest is not None and len(changed) > search.longest:
                    continue
                tried.append((changed, at))
            values = forks.evaluate_each(tried)
            for (changed, at), reached in zip(tried, values, strict=True):
                if reached is not None and reached <= value:
                    value = reached
                    forks.adopt(changed, at)
    finally:
        forks.close()


def _change(
    rng: np.random.Generator, actions: Sequence[int], count: int
) -> tuple[list[int], int]:
    """Another sequence, and how much of its beginning is the same."""
    changed, same = list(actions), len(actions)
    for _ in range(int(rng.geometric(0.7))):
        kind = int(rng.choice(len(_KINDS), p=_KINDS)) if changed else 0
        at = int(rng.integers(len(changed) + (kind == 0)))
        same = min(same, at)
        if kind == 0:
            changed.insert(at, int(rng.integers(count)))
        elif kind == 1:
            del changed[at : at + int(rng.integers(1, _REMOVED + 1))]
        elif kind == 2:
            changed[at] = int(rng.integers(count))
        else:
            moved = changed.pop(at)
            to = int(rng.integers(len(changed) + 1))
            changed.insert(to, moved)
            same = min(same, to)
    return changed, same


class _Forks:
    """The module at several places of the sequence that is kept."""

    def __init__(self, search: Search, root: PassOrderingEnv) -> None:
        self._search = search
        self._at = {0: root}
        #: The sequence that is kept.
        self.actions: Sequence[int] = ()
        #: Whether an action may be taken twice.
        self.repeats = root.setup.config.options["repeats"] == "true"

    def evaluate_each(
        self, tried: Sequence[tuple[Sequence[int], int]]
    ) -> list[float | None]:
        """The values of sequences that begin as the one that is kept.

        Args:
            tried: The actions of each, and how many of them are the same.

        Returns:
            None for a sequence that the compiler does not survive.
        """
        starts = []
        for actions, same in tried:
            place = self._place(same)
            starts.append((self._at[place], actions[place:]))
        infos = self._search.run_each(starts)
        return [None if info is None else self._search.value(info) for info in infos]

    def adopt(self, actions: Sequence[int], same: int) -> None:
        """Keep another sequence, whose beginning is the same."""
        self.actions = actions
        for place in [place for place in self._at if place > same]:
            self._at.pop(place).close()

    def close(self) -> None:
        for env in self._at.values():
            env.close()

    def _place(self, same: int) -> int:
        """Where to go on from, for a sequence of which so much is the same."""
        nearest = max(place for place in self._at if place <= same)
        wanted = same // _STRIDE * _STRIDE
        if wanted <= nearest:
            return nearest
        twin = self._at[nearest].fork()
        if self._search.take_all(twin, self.actions[nearest:wanted]) is None:
            twin.close()
            return nearest
        self._at[wanted] = twin
        return wanted
