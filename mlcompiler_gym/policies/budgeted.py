# SPDX-License-Identifier: Apache-2.0
"""Search with so many compiles, or so much time, and no more.

As policies, so that an evaluation plays them, in parallel and from where it was cut
off: the search is done by forks at the first decision of an episode, and what it has
found is then played. ``METHOD_COMPILES`` and ``METHOD_SECONDSs`` of this module are
such policies, ``local_100`` or ``mcts_60s``, by any of :data:`METHODS`. With ``_xN``
behind, as in ``local_60s_x2``, so many compiles run at the same time:

    mlcompiler-gym eval ... --policy mlcompiler_gym.policies.budgeted:local_100
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium

from mlcompiler_gym.envs.pass_ordering import PassOrderingEnv
from mlcompiler_gym.policies import callee_search, episode_search, order_search
from mlcompiler_gym.policies.baselines import PolicyMaker, compiler_of
from mlcompiler_gym.policies.episode_search import EpisodeSearch
from mlcompiler_gym.policies.order_search import OrderSearch

#: Methods by name: of tasks with an end, and of pass ordering, which has none.
METHODS: Mapping[str, tuple[Callable[..., Any] | None, Callable[..., Any] | None]] = {
    "beam": (episode_search.beam, order_search.beam),
    "callees": (callee_search.callees, None),
    "greedy": (episode_search.greedy, order_search.greedy),
    "local": (episode_search.local, order_search.local),
    "mcts": (episode_search.mcts, order_search.mcts),
    "random": (episode_search.random, order_search.random),
}

#: Methods in which what is compiled next depends on each compile.
_ONE_BY_ONE = ("beam", "mcts")

_NAME = re.compile(r"([a-z]+)_([1-9][0-9]*)(s?)(?:_x([1-9][0-9]*))?")


def search(
    env: gymnasium.Env[Any, Any],
    seed: int,
    method: str = "local",
    *,
    compiles: int | None = None,
    seconds: float | None = None,
    parallel: int = 1,
    **settings: Any,
) -> EpisodeSearch | OrderSearch:
    """A policy that searches at the first decision, and plays what it has found.

    It never comes out worse than what it begins with: LLVM's own decisions, if the
    environment shows them, or in pass ordering the passes of ``-Oz``. After an episode
    its ``found`` says what was found, and what was spent on that.

    Args:
        env: An environment of discrete actions.
        seed: Seed of the search; with a number of compiles, the same seed finds the
            same.
        method: One of :data:`METHODS`.
        compiles: Compiles to spend at most, the first included; None: as many as there
            is time for.
        seconds: Wall-clock time; None: as long as there are compiles.
        parallel: How many compiles run at the same time; 1 with beam and mcts. With a
            number of compiles, what is found also depends on this.
        **settings: What to begin with instead: ``prior``, a policy, or in pass
            ordering ``start``, a list of actions.

    Raises:
        ValueError: There is no such method for the task, or no limit; or actions are
            numbers, or several choices at once.
    """
    ordered = isinstance(compiler_of(env), PassOrderingEnv)
    methods = {name: each[ordered] for name, each in METHODS.items() if each[ordered]}
    if (run := methods.get(method)) is None:
        raise ValueError(f"the search is one of {', '.join(methods)}, not {method!r}")
    if compiles is None and seconds is None:
        raise ValueError("say for how many seconds, or compiles")
    if parallel < 1:
        raise ValueError(f"parallel is a number from 1 on, not {parallel}")
    if parallel > 1 and method in _ONE_BY_ONE:
        raise ValueError(f"{method} compiles one thing after the other: parallel is 1")
    kind: Any = OrderSearch if ordered else EpisodeSearch
    made: EpisodeSearch | OrderSearch = kind(
        env,
        seed,
        run,
        compiles=compiles,
        seconds=seconds,
        parallel=parallel,
        **settings,
    )
    return made


def __getattr__(name: str) -> PolicyMaker:
    """The policy of a name, ``local_100`` or ``mcts_60s``."""
    parts = _NAME.fullmatch(name)
    if parts is None or parts[1] not in METHODS:
        raise AttributeError(
            f"there is no search {name!r}. Say METHOD_COMPILES or METHOD_SECONDSs, "
            f"with a method of {', '.join(METHODS)}: local_100, mcts_60s. With _xN "
            "behind it, N compiles run at the same time: local_60s_x2"
        )
    compiles = None if parts[3] else int(parts[2])
    seconds = float(parts[2]) if parts[3] else None
    return functools.partial(
        search,
        method=parts[1],
        compiles=compiles,
        seconds=seconds,
        parallel=int(parts[4] or 1),
    )
