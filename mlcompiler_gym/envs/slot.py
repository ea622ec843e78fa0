# SPDX-License-Identifier: Apache-2.0
"""One environment of a vector environment, driven by replies as they arrive."""

from __future__ import annotations

import math
from time import monotonic
from typing import Any

import numpy as np
from gymnasium.utils import seeding

from mlcompiler_gym.client.session import Opening, Session
from mlcompiler_gym.envs.actions import Action
from mlcompiler_gym.envs.choice import choose
from mlcompiler_gym.envs.config import CompileConfig
from mlcompiler_gym.envs.episode import Episode, Stats, StepResult
from mlcompiler_gym.envs.open_ended import episode_class
from mlcompiler_gym.envs.scoring import baseline, baseline_key, take_baseline
from mlcompiler_gym.envs.setup import Setup
from mlcompiler_gym.errors import ResetNeededError, ServiceError
from mlcompiler_gym.programs import Program


class Slot:
    """A state machine: what it waits for, and the result when it has come.

    It waits for the reply of a step, for the baseline of a program that has
    none yet, or for the session of the next episode. ``waiting`` is the
    descriptor to poll; when it is None, ``result`` is there to be taken.
    """

    def __init__(
        self,
        setup: Setup,
        stats: Stats,
        *,
        same_step: bool,
        max_episode_steps: int | None = None,
    ) -> None:
        self._setup = setup
        self._stats = stats
        self._same_step = same_step
        self._max_episode_steps = max_episode_steps
        self._rng, _ = seeding.np_random(None)
        self._opening: Opening | None = None
        self._next: tuple[Program, CompileConfig] | None = None
        self._final: StepResult | None = None
        self._action: Action = 0
        self.episode: Episode | None = None
        self.waiting: int | None = None
        #: When to wait no longer, in seconds of the monotonic clock.
        self.until = math.inf
        self.result: StepResult | None = None

    @property
    def over(self) -> bool:
        """Whether the episode has ended and the next has not begun."""
        return self.episode is None or self.episode.done

    def seed(self, seed: int) -> None:
        """Seed the choice of programs."""
        self._rng, _ = seeding.np_random(seed)

    @property
    def rng(self) -> np.random.Generator:
        """Generator that chooses the programs."""
        return self._rng

    def start_reset(self, options: dict[str, Any] | None = None) -> None:
        """Begin an episode, on what the options of ``reset`` say or chance."""
        program, config = choose(self._setup, self._rng, options)
        if self.episode is not None:
            self.episode.session.close()
            self.episode = None
        self._stats.episodes += 1
        self._next = program, config
        self._wait_for(Opening(self._setup.service, config.open_request(), program))

    def start_step(self, action: Action) -> None:
        """Answer a decision with a checked action."""
        if self.episode is None or self.episode.done:
            raise ResetNeededError("this environment's episode is over; reset it")
        if self.episode.over:
            self._finish(self.episode.end_without_decision())
            return
        self._stats.steps += 1
        self._action = action
        session = self.episode.session
        try:
            self._wait_on(session)
            session.send(self._setup.actions.request(action))
        except ServiceError as error:
            self._fail(error)

    def advance(self) -> None:
        """Take the reply that has arrived."""
        if self._opening is not None:
            self._advance_opening(self._opening)
            return
        assert self.episode is not None
        try:
            reply = self.episode.session.receive()
            result = self.episode.advance([self._action], reply.step)
        except ServiceError as error:
            self._fail(error)
            return
        if result is not None:
            if len(self.episode.actions) == self._max_episode_steps and not result[2]:
                self.episode.done = True
                result = (*result[:3], True, result[4])
            self._finish(result)
            return
        episode = self.episode
        key = baseline_key(episode.config, episode.program)
        known = self._setup.service.baselines.get(key)
        if known is not None:
            self._finish(episode.end(known))
        else:
            request = episode.config.baseline_request()
            self._wait_for(Opening(self._setup.service, request, episode.program))

    def _wait_for(self, opening: Opening) -> None:
        self._opening = opening
        self._wait_on(opening.session)

    def _wait_on(self, session: Session) -> None:
        self.waiting = session.fileno()
        patience = session.patience
        self.until = math.inf if patience is None else monotonic() + patience

    def give_up(self) -> None:
        """Wait no longer: ``until`` has passed."""
        opening, self._opening = self._opening, None
        self.waiting = None
        if opening is not None:
            error = opening.session.overdue()
            if self.episode is None:
                raise error
        else:
            assert self.episode is not None
            error = self.episode.session.overdue()
        self._fail(error)

    def _advance_opening(self, opening: Opening) -> None:
        try:
            if not opening.advance():
                self._wait_on(opening.session)
                return
        except ServiceError as error:
            self._opening = None
            self.waiting = None
            if self.episode is None:
                raise  # a reset, as in the environment that is not vectorised
            self._fail(error)
            return
        self._opening = None
        if self.episode is not None:
            values = take_baseline(
                self._setup.service,
                self.episode.config,
                self.episode.program,
                opening.session,
            )
            self._finish(self.episode.end(values))
            return
        assert self._next is not None
        self.episode = episode_class(self._setup)(
            self._setup, *self._next, opening.session
        )
        if self._setup.needs_baseline:
            program, config = self._next
            self.episode.baseline = baseline(self._setup.service, config, program)
        self._stats.parked += opening.session.opened.from_parked
        observation, info = self.episode.begin()
        self.waiting = None
        if self._final is None:
            self.result = (observation, 0.0, False, False, info)
            return
        final_obs, reward, terminated, truncated, final_info = self._final
        self._final = None
        info = {**info, "final_obs": final_obs, "final_info": final_info}
        self.result = (observation, reward, terminated, truncated, info)

    def _fail(self, error: ServiceError) -> None:
        assert self.episode is not None
        self.waiting = None
        self._stats.crashes += 1
        self._finish(self.episode.end_with_error(error))

    def _finish(self, result: StepResult) -> None:
        if self._same_step and (result[2] or result[3]):
            self._final = result
            self.start_reset()
            return
        self.waiting = None
        self.result = result

    def take_result(self) -> StepResult:
        """The result, once."""
        assert self.result is not None
        result, self.result = self.result, None
        return result

    def close(self) -> None:
        """End whatever is under way."""
        if self._opening is not None:
            self._opening.session.close()
            self._opening = None
        if self.episode is not None:
            self.episode.session.close()
            self.episode = None
        self.waiting = None
        self.result = None
        self._final = None
