# SPDX-License-Identifier: Apache-2.0
"""Searches over a tree of decisions: beam search, and Monte Carlo tree search.

A node of the tree is a copy of the compile, so both take any task with discrete
actions, whether it has an end or not.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

#: The weight that PUCT gives to actions that were seldom tried, over the best ones.
_EXPLORATION = 0.5
#: Copies that are kept for a tree. Others are made again when they are needed.
_COPIES = 64
#: Depths that a beam goes on for after it has last found something better.
_PATIENCE = 4


class Node(Protocol):
    """A compile at a decision, or at its end."""

    @property
    def own(self) -> int | None:
        """What the prior does here; None if it does nothing more."""

    def priors(self) -> NDArray[np.float64]:
        """How likely the prior takes each action, shape (actions,).

        0 for what is illegal, and for all if there is nothing to decide any more.
        """

    def take(self, action: int) -> Node | None:
        """A node behind this one; None if the compiler does not survive it."""

    def outcome(self) -> float:
        """What it comes to if the prior decides the rest; higher is better.

        It costs a compile, and what is best is remembered.
        """

    def close(self) -> None:
        """End the copy of the compile."""


def beam(root: Node, left: Callable[[], bool], width: int = 4) -> None:
    """Go on from the few best nodes of each depth.

    Args:
        root: Where the search begins. It is closed.
        left: Whether there is another compile to spend.
        width: How many nodes there are of each depth, at most.
    """
    best = root.outcome()
    frontier = [(best, root)]
    idle = 0
    try:
        while frontier and left() and idle < _PATIENCE:
            behind = [each for known in frontier for each in _expand(*known, left)]
            for _, node in frontier:
                node.close()
            behind.sort(key=lambda each: -each[0])
            for _, node in behind[width:]:
                node.close()
            frontier = behind[:width]
            reached = max((value for value, _ in frontier), default=-math.inf)
            idle = 0 if reached >= best else idle + 1
            best = max(best, reached)
    finally:
        for _, node in frontier:
            node.close()


def _expand(
    value: float, node: Node, left: Callable[[], bool]
) -> list[tuple[float, Node]]:
    """The nodes behind a node, the likeliest first, and what each comes to."""
    priors = node.priors()
    found: list[tuple[float, Node]] = []
    for action in np.argsort(-priors, kind="stable")[: np.count_nonzero(priors)]:
        # What the prior does by itself is known, and costs no compile.
        is_own = int(action) == node.own
        if not (is_own or left()):
            break
        if (child := node.take(int(action))) is not None:
            found.append((value if is_own else child.outcome(), child))
    return found


def mcts(root: Node, left: Callable[[], bool]) -> None:
    """Monte Carlo tree search with a policy as prior (PUCT).

    The first compile is the prior's episode. In each further one an action is taken
    that was not tried there before, and the prior decides the rest. A branch is worth
    the best that was found in it, since the compiler does the same each time.

    Args:
        root: Where the search begins. It is closed.
        left: Whether there is another compile to spend.
    """
    tree = _Tree(root)
    try:
        while left() and not tree.root.done:
            tree.visit()
    finally:
        tree.close()


@dataclass
class _Branch:
    """What is known of a node.

    Attributes:
        own: What it comes to by the prior.
        value: The best that was found in it.
        priors: How likely the prior takes each action.
        visits: How often the search was here.
        node: The copy, if it is kept.
        behind: The branches that were begun, by action; None: not survived.
    """

    own: float
    value: float
    priors: NDArray[np.float64]
    node: Node | None = None
    visits: int = 0
    behind: dict[int, _Branch | None] = field(default_factory=dict)
    #: Whether everything in it has been tried.
    done: bool = False

    def update(self, value: float) -> None:
        """Take what came of a visit."""
        self.visits += 1
        self.value = max(self.value, value)
        actions = np.flatnonzero(self.priors).tolist()
        known = [self.behind.get(action) for action in actions]
        self.done = all(
            action in self.behind and (branch is None or branch.done)
            for action, branch in zip(actions, known, strict=True)
        )


class _Tree:
    """Branches, of which some have copies of the compile."""

    def __init__(self, root: Node) -> None:
        own = root.outcome()
        self.root = _Branch(own, own, root.priors(), root)
        self.root.update(own)
        self._kept = [root]
        self._lowest = self._highest = own

    def visit(self) -> None:
        """Go down to what is most promising, and spend a compile there."""
        path, node = [self.root], self._kept[0]
        passing: list[Node] = []
        try:
            while not path[-1].done:
                branch, action = path[-1], self._select(path[-1])
                known = branch.behind.get(action)
                child = known.node if known is not None else node.take(action)
                if child is None and known is not None:
                    child = node.take(action)
                if child is None:
                    branch.behind[action] = None
                    break
                is_new = known is None
                if known is None:
                    # What the prior does by itself is known, and costs no compile.
                    own = branch.own if action == node.own else child.outcome()
                    known = branch.behind[action] = _Branch(own, own, child.priors())
                    known.done = not known.priors.any()
                if known.node is None:
                    self._keep(known, child, passing)
                path.append(known)
                if is_new and action != node.own:
                    break
                node = child
        finally:
            for each in passing:
                each.close()
        self._back_up(path)

    def close(self) -> None:
        """End all copies."""
        for node in self._kept:
            node.close()

    def _keep(self, branch: _Branch, node: Node, passing: list[Node]) -> None:
        """Keep a copy, if there are not too many."""
        if len(self._kept) < _COPIES:
            branch.node = node
            self._kept.append(node)
        else:
            passing.append(node)

    def _back_up(self, path: list[_Branch]) -> None:
        value = path[-1].value
        if math.isfinite(value):
            self._lowest = min(self._lowest, value)
            self._highest = max(self._highest, value)
        for branch in reversed(path):
            branch.update(value)

    def _select(self, branch: _Branch) -> int:
        """The action that PUCT takes, of those in which not everything was tried."""
        span = (self._highest - self._lowest) or 1.0
        scores: dict[int, float] = {}
        for action in np.flatnonzero(branch.priors).tolist():
            value, visits = branch.own, 0
            if action in branch.behind:
                behind = branch.behind[action]
                if behind is None or behind.done:
                    continue
                value, visits = behind.value, behind.visits
            seldom = math.sqrt(branch.visits) / (1 + visits)
            scores[action] = (
                max(value - self._lowest, 0.0) / span
                + _EXPLORATION * float(branch.priors[action]) * seldom
            )
        return max(scores, key=scores.__getitem__)
