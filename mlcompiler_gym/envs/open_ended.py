# SPDX-License-Identifier: Apache-2.0
"""Episodes of tasks that have no end of their own: each step is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from typing_extensions import override

from mlcompiler_gym.envs.actions import Action
from mlcompiler_gym.envs.episode import Episode, StepResult
from mlcompiler_gym.envs.scoring import values_of
from mlcompiler_gym.envs.setup import Setup
from mlcompiler_gym.v1 import compiler_service_pb2 as pb


@dataclass
class OpenEndedEpisode(Episode):
    """A program under compilation for as long as the agent likes."""

    #: Values of the objectives before the first step.
    initial: dict[str, float] = field(default_factory=dict)

    @override
    def begin(self) -> tuple[Any, dict[str, Any]]:
        self.values = self.initial = values_of(self.session.opened.state)
        observation, info = super().begin()
        return observation, {**info, "objective": dict(self.initial)}

    @override
    def advance(self, actions: Sequence[Action], state: pb.State) -> StepResult:
        assert self.values is not None
        assert self.setup.step_reward is not None
        self.actions.extend(actions)
        before, self.values = self.values, values_of(state)
        reward = self.setup.step_reward(
            before,
            self.values,
            self.initial,
            None if self.baseline is None else self.baseline.values,
        )
        self.paid += reward
        info = self._observe(state)
        info["no_effect"] = state.no_effect
        info["objective"] = dict(self.values)
        return self.observation, reward, False, False, info


def episode_class(setup: Setup) -> type[Episode]:
    """What the episodes of a task are."""
    return Episode if setup.step_reward is None else OpenEndedEpisode
