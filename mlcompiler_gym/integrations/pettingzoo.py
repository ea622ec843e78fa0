# SPDX-License-Identifier: Apache-2.0
"""Loop distribution as a game of two agents, for PettingZoo."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from pettingzoo import AECEnv

from mlcompiler_gym.envs.errors import InvalidActionError, ResetNeededError
from mlcompiler_gym.envs.loop_distribution import LoopDistributionEnv
from mlcompiler_gym.envs.render import RENDER_MODES, RenderMode

#: The agents.
SELECT = "select"
DISTRIBUTE = "distribute"

#: Features that have a row for each node.
_OF_NODES = ("loop", "node", "merged", "node_ir2vec")


class LoopDistributionAEC(AECEnv):  # type: ignore[misc]
    """The two agents of RL-LoopDistribution, who take turns.

    ``select`` says which of the nodes that may come next does: ``Discrete(8)``, a row
    of its observation. ``distribute`` then says whether that node joins the loop that
    is being put together or begins a new one: ``Discrete(2)``. Both are paid what
    :class:`~mlcompiler_gym.LoopDistributionEnv` pays with ``agents=2``, which is
    underneath: nothing before the end of the compile.

    Observations are dicts, as PettingZoo's: ``observation`` (float32: of ``select`` all
    features but the mask; of ``distribute`` those of the node that has been chosen,
    and zeros while there is none) and ``action_mask`` (int8, 1: legal), which is in
    the info of the agent whose turn it is, too.

    Args:
        render_mode: As of the environment underneath.
        **settings: As of :class:`~mlcompiler_gym.LoopDistributionEnv`, but for
            ``agents`` and ``observation``.
    """

    metadata = {  # noqa: RUF012 (PettingZoo)
        "name": "mlcompiler_loop_distribution_v0",
        "render_modes": list(RENDER_MODES),
        "render_fps": 4,
        "is_parallelizable": False,
    }

    def __init__(
        self, *, render_mode: RenderMode | None = None, **settings: Any
    ) -> None:
        super().__init__()
        for name in ("agents", "observation"):
            if name in settings:
                raise TypeError(f"LoopDistributionAEC has no argument {name!r}")
        self.env = LoopDistributionEnv(
            agents=2, observation="dict", render_mode=render_mode, **settings
        )
        self.render_mode = render_mode
        self.possible_agents = [SELECT, DISTRIBUTE]
        self.agents: list[str] = []
        features = self.env.setup.features
        self._names = [name for name in features.names if name != "mask"]
        self._seen: dict[str, NDArray[np.float32]] = features.zero()
        self._masks = np.zeros((len(self._seen["loop"]), 2), np.int8)
        self._row: int | None = None
        actions = {SELECT: len(self._masks), DISTRIBUTE: 2}
        self.action_spaces: dict[str, spaces.Space[Any]] = {
            a: spaces.Discrete(n) for a, n in actions.items()
        }
        self.observation_spaces = {
            agent: spaces.Dict(
                {
                    "observation": self._box(agent),
                    "action_mask": spaces.Box(0, 1, (actions[agent],), np.int8),
                }
            )
            for agent in actions
        }

    def _box(self, agent: str) -> spaces.Box:
        bounds = self.env.observation_space.spaces  # type: ignore[attr-defined]
        low, high = (
            self._features({n: getattr(bounds[n], end) for n in self._names}, agent, 0)
            for end in ("low", "high")
        )
        return spaces.Box(low, high, dtype=np.float32)

    def _features(
        self, seen: dict[str, NDArray[np.float32]], agent: str, row: int
    ) -> NDArray[np.float32]:
        """What an agent sees, in one array."""
        return np.concatenate(
            [
                (
                    seen[name][row]
                    if agent == DISTRIBUTE and name in _OF_NODES
                    else seen[name]
                ).ravel()
                for name in self._names
            ]
        )

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """The same object each time."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """The same object each time."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> None:
        """Begin the compile of a program.

        Args:
            seed: Seeds the choice of programs.
            options: ``{"program": name}`` chooses it; others are ignored, as
                PettingZoo wants it.
        """
        known = {n: v for n, v in (options or {}).items() if n == "program"}
        self._seen, info = self.env.reset(seed=seed, options=known)
        self.agents = list(self.possible_agents)
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos: dict[str, dict[str, Any]] = {}
        self._ask_select(info)

    def _ask_select(self, info: dict[str, Any]) -> None:
        self._row = None
        self._masks = info["action_mask"].reshape(-1, 2)
        self.agent_selection = SELECT
        self._show(info)

    def _show(self, info: dict[str, Any]) -> None:
        for agent in self.agents:
            self.infos[agent] = {**info, "action_mask": self._mask(agent)}

    def _mask(self, agent: str) -> NDArray[np.int8]:
        mask = np.zeros(2, np.int8)
        if agent == SELECT:
            mask = self._masks.max(axis=1)
        elif self._row is not None:
            mask = self._masks[self._row].copy()
        return mask

    def observe(self, agent: str) -> dict[str, NDArray[Any]]:
        """What an agent sees now."""
        if agent == DISTRIBUTE and self._row is None:
            seen = self.env.setup.features.zero()
        else:
            seen = self._seen
        return {
            "observation": self._features(seen, agent, self._row or 0),
            "action_mask": self._mask(agent),
        }

    def step(self, action: Any) -> None:
        """The answer of the agent whose turn it is.

        Raises:
            InvalidActionError: It is not legal; the episode goes on.
            ResetNeededError: There is no episode under way.
        """
        if not self.agents:
            raise ResetNeededError("there is no episode under way; call reset()")
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        mask = self._mask(agent)
        if not self.action_spaces[agent].contains(action) or not mask[int(action)]:
            legal = ", ".join(map(str, np.flatnonzero(mask)))
            raise InvalidActionError(
                f"action {action!r} of {agent!r} is not legal here; legal are: {legal}"
            )
        self._cumulative_rewards[agent] = 0.0
        self._clear_rewards()
        if agent == SELECT:
            self._row = int(action)
            self.agent_selection = DISTRIBUTE
            self._show({})
            return
        assert self._row is not None
        seen, reward, over, cut, info = self.env.step(2 * self._row + int(action))
        self._seen = seen
        for each in self.agents:
            self.rewards[each] = float(reward)
            self.terminations[each] = over
            self.truncations[each] = cut
        self._ask_select(info)
        self._accumulate_rewards()

    def render(self) -> Any:
        """What the environment underneath renders."""
        return self.env.render()

    def close(self) -> None:
        """End the compile that is under way."""
        self.env.close()
