# SPDX-License-Identifier: Apache-2.0
"""What games have in common whose agents put one environment's actions together."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from pettingzoo import AECEnv

from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.envs.errors import InvalidActionError, ResetNeededError
from mlcompiler_gym.envs.render import RENDER_MODES, RenderMode


class TurnsAEC(AECEnv):  # type: ignore[misc]
    """Agents who take turns, and are all paid what the environment underneath pays.

    Observations are dicts, as PettingZoo's: ``observation`` (float32) and
    ``action_mask`` (int8, 1: legal), which is in the info of the agent whose turn it
    is, too.

    Args:
        env: Underneath, with observations by name.
        actions: The agents, the first of whom begins, and how many actions each has.
        render_mode: As of the environment underneath.
    """

    metadata = {  # noqa: RUF012 (PettingZoo)
        "render_modes": list(RENDER_MODES),
        "render_fps": 4,
        "is_parallelizable": False,
    }

    def __init__(
        self,
        env: CompilerEnv,
        actions: Mapping[str, int],
        render_mode: RenderMode | None,
    ) -> None:
        super().__init__()
        self.env = env
        self.render_mode = render_mode
        self.possible_agents = list(actions)
        self.agents: list[str] = []
        self._seen: dict[str, NDArray[np.float32]] = env.setup.features.zero()
        self.action_spaces: dict[str, spaces.Space[Any]] = {
            agent: spaces.Discrete(n) for agent, n in actions.items()
        }
        self.observation_spaces = {
            agent: spaces.Dict(
                {
                    "observation": self._box(agent),
                    "action_mask": spaces.Box(0, 1, (n,), np.int8),
                }
            )
            for agent, n in actions.items()
        }

    @abc.abstractmethod
    def _features(
        self, seen: Mapping[str, NDArray[np.float32]], agent: str
    ) -> NDArray[np.float32]:
        """What an agent is shown of what the environment shows, in one array."""

    @abc.abstractmethod
    def _mask(self, agent: str) -> NDArray[np.int8]:
        """Which of an agent's actions are legal now; none if it is not its turn."""

    @abc.abstractmethod
    def _ask(self, info: dict[str, Any]) -> str:
        """Whose turn it is at a decision of the environment."""

    @abc.abstractmethod
    def _answer(self, agent: str, action: int) -> str | int:
        """Who goes on, or the environment's action, if that was the last turn."""

    def _box(self, agent: str) -> spaces.Box:
        space = self.env.observation_space.spaces  # type: ignore[attr-defined]
        low, high = (
            self._features({n: getattr(box, end) for n, box in space.items()}, agent)
            for end in ("low", "high")
        )
        return spaces.Box(low, high, dtype=np.float32)

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
        self.agent_selection = self._ask(info)
        self._show(info)

    def _show(self, info: dict[str, Any]) -> None:
        for agent in self.agents:
            self.infos[agent] = {**info, "action_mask": self._mask(agent)}

    def observe(self, agent: str) -> dict[str, NDArray[Any]]:
        """What an agent sees now."""
        return {
            "observation": self._features(self._seen, agent),
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
        answer = self._answer(agent, int(action))
        if isinstance(answer, str):
            self.agent_selection = answer
            self._show({})
            return
        self._seen, reward, over, cut, info = self.env.step(answer)
        for each in self.agents:
            self.rewards[each] = float(reward)
            self.terminations[each] = over
            self.truncations[each] = cut
        self.agent_selection = self._ask(info)
        self._show(info)
        self._accumulate_rewards()

    def render(self) -> Any:
        """What the environment underneath renders."""
        return self.env.render()

    def close(self) -> None:
        """End the compile that is under way."""
        self.env.close()


def refuse_settings(name: str, settings: Mapping[str, Any], *fixed: str) -> None:
    """Refuse what a game says itself to the environment underneath.

    Raises:
        TypeError: It is among the settings.
    """
    for each in fixed:
        if each in settings:
            raise TypeError(f"{name} has no argument {each!r}")
