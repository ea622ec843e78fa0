# SPDX-License-Identifier: Apache-2.0
"""Tasks as games of several agents, for PettingZoo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.envs.full_regalloc import RegAllocEnv
from mlcompiler_gym.envs.loop_distribution import LoopDistributionEnv
from mlcompiler_gym.envs.render import RenderMode
from mlcompiler_gym.integrations.turns import TurnsAEC, refuse_settings

#: The agents of loop distribution; register allocation begins with the first, too.
SELECT = "select"
DISTRIBUTE = "distribute"

#: Features that have a row for each node.
_OF_NODES = ("loop", "node", "merged", "node_ir2vec")

#: The other agents of register allocation.
TASK = "task"
COLOUR = "colour"
SPLIT = "split"

#: Actions of the environment underneath: registers come first, then these.
_SPILL, _BLOCKS, _LOOPS, _ACTIONS = 48, 49, 50, 54
_ROWS = 16


class LoopDistributionAEC(TurnsAEC):
    """The two agents of RL-LoopDistribution, who take turns.

    ``select`` says which of the nodes that may come next does: ``Discrete(8)``, a row
    of its observation. ``distribute`` then says whether that node joins the loop that
    is being put together or begins a new one: ``Discrete(2)``. Both are paid what
    :class:`~mlcompiler_gym.LoopDistributionEnv` pays with ``agents=2``, which is
    underneath: nothing before the end of the compile.

    ``observation`` is, of ``select``, all features but the mask; of ``distribute``
    those of the node that has been chosen, and zeros while there is none.

    Args:
        render_mode: As of the environment underneath.
        **settings: As of :class:`~mlcompiler_gym.LoopDistributionEnv`, except
            ``agents`` and ``observation``.
    """

    metadata = TurnsAEC.metadata | {"name": "mlcompiler_loop_distribution_v0"}

    def __init__(
        self, *, render_mode: RenderMode | None = None, **settings: Any
    ) -> None:
        refuse_settings("LoopDistributionAEC", settings, "agents", "observation")
        env = LoopDistributionEnv(
            agents=2, observation="dict", render_mode=render_mode, **settings
        )
        rows = len(env.setup.features.zero()["loop"])
        self._masks = np.zeros((rows, 2), np.int8)
        # While spaces are made, node 0 stands for the chosen one.
        self._row: int | None = 0
        super().__init__(env, {SELECT: rows, DISTRIBUTE: 2}, render_mode)

    def _features(
        self, seen: Mapping[str, NDArray[np.float32]], agent: str
    ) -> NDArray[np.float32]:
        if agent == DISTRIBUTE and self._row is None:
            seen = self.env.setup.features.zero()
        return np.concatenate(
            [
                (
                    seen[name][self._row or 0]
                    if agent == DISTRIBUTE and name in _OF_NODES
                    else seen[name]
                ).ravel()
                for name in self.env.setup.features.names
                if name != "mask"
            ]
        )

    def _mask(self, agent: str) -> NDArray[np.int8]:
        mask = np.zeros(2, np.int8)
        if agent == SELECT:
            mask = self._masks.max(axis=1)
        elif self._row is not None:
            mask = self._masks[self._row].copy()
        return mask

    def _ask(self, info: dict[str, Any]) -> str:
        self._row = None
        self._masks = info["action_mask"].reshape(-1, 2)
        return SELECT

    def _answer(self, agent: str, action: int) -> str | int:
        if agent == SELECT:
            self._row = action
            return DISTRIBUTE
        assert self._row is not None
        return 2 * self._row + action


class RegAllocAEC(TurnsAEC):
    """The four agents of RL4ReAl, who take turns.

    ``select`` says which live range comes next: ``Discrete(16)``, a row. ``task`` then
    says what happens to it, ``Discrete(4)``: it gets a register, is spilled, is split
    at blocks, or is split around a loop. ``colour`` chooses the register, a
    column of ``Discrete(48)``, and ``split`` the loop, ``Discrete(4)``. An agent may be
    asked although its mask has one action only. All are paid what
    :class:`~mlcompiler_gym.RegAllocEnv` pays, which is underneath.

    ``observation`` has all features but the mask.

    Args:
        render_mode: As of the environment underneath.
        **settings: As of :class:`~mlcompiler_gym.RegAllocEnv`, except ``order``,
            ``allocator`` and ``observation``.
    """

    metadata = TurnsAEC.metadata | {"name": "mlcompiler_regalloc_v0"}

    def __init__(
        self, *, render_mode: RenderMode | None = None, **settings: Any
    ) -> None:
        refuse_settings("RegAllocAEC", settings, "order", "allocator", "observation")
        env = RegAllocEnv(observation="dict", render_mode=render_mode, **settings)
        self._legal = np.zeros(_ACTIONS, np.int8)
        self._turn = SELECT
        actions = {SELECT: _ROWS, TASK: 4, COLOUR: _SPILL, SPLIT: _ACTIONS - _LOOPS}
        super().__init__(env, actions, render_mode)

    def _features(
        self, seen: Mapping[str, NDArray[np.float32]], agent: str
    ) -> NDArray[np.float32]:
        names = self.env.setup.features.names
        return np.concatenate([seen[name].ravel() for name in names if name != "mask"])

    def _mask(self, agent: str) -> NDArray[np.int8]:
        kinds = np.split(self._legal, [_SPILL, _BLOCKS, _LOOPS])
        masks = {
            SELECT: self._legal[:_ROWS],
            TASK: np.array([kind.any() for kind in kinds], np.int8),
            COLOUR: kinds[0],
            SPLIT: kinds[-1],
        }
        mask: NDArray[np.int8] = masks[agent] * np.int8(agent == self._turn)
        return mask

    def _ask(self, info: dict[str, Any]) -> str:
        self._legal = info["action_mask"]
        self._turn = TASK if self._seen["phase"][0] else SELECT
        return self._turn

    def _answer(self, agent: str, action: int) -> str | int:
        if agent == TASK and action in (0, 3):
            self._turn = SPLIT if action else COLOUR
            return self._turn
        first = {SELECT: 0, TASK: _SPILL - 1, COLOUR: 0, SPLIT: _LOOPS}[agent]
        return first + action
