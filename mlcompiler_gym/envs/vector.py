# SPDX-License-Identifier: Apache-2.0
"""Many compiles at once, from one thread."""

from __future__ import annotations

import math
import select
from collections.abc import Sequence
from time import monotonic, perf_counter
from typing import Any

import numpy as np
from gymnasium.spaces import Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array
from numpy.typing import NDArray
from typing_extensions import override

from mlcompiler_gym.client import Session
from mlcompiler_gym.envs.episode import Stats
from mlcompiler_gym.envs.remake import Remade
from mlcompiler_gym.envs.render import RENDER_MODES, RenderMode, check_mode, render
from mlcompiler_gym.envs.setup import Setup
from mlcompiler_gym.envs.slot import Slot
from mlcompiler_gym.errors import InvalidActionError, ResetNeededError

Info = dict[str, Any]

#: What ``step`` and ``recv`` return, each with one row per environment.
VectorResult = tuple[
    Any, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]
]


class _InfoBatch(VectorEnv[Any, Any, Any]):
    """Gymnasium's own way to merge infos, for a batch of any size."""

    def __init__(self, num_envs: int) -> None:
        self.num_envs = num_envs

    def merge(self, infos: Sequence[Info]) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for index, info in enumerate(infos):
            if info:
                merged = self._add_info(merged, info, index)
        return merged


class CompilerVectorEnv(Remade, VectorEnv[Any, Any, Any]):
    """``num_envs`` compiles, each a process of the service, and one poll loop.

    There is no Python process or thread per environment. ``step`` and ``reset``
    behave as Gymnasium's ``SyncVectorEnv`` of the same environments does. Beside
    them, ``send`` and ``recv`` let the agent go on with those that are ready,
    so that one slow compile holds nobody up.

    Args:
        setup: What the environments share.
        num_envs: How many there are.
        autoreset_mode: ``NEXT_STEP``, ``SAME_STEP`` or ``DISABLED``, as in
            Gymnasium.
        batch_size: How many environments :meth:`recv` waits for. ``None``: all.
        max_episode_steps: Steps after which an episode is truncated, as by
            Gymnasium's ``TimeLimit``. ``None``: it is not.
        render_mode: As of one environment.
    """

    def __init__(
        self,
        setup: Setup,
        num_envs: int,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        batch_size: int | None = None,
        max_episode_steps: int | None = None,
        render_mode: RenderMode | None = None,
    ) -> None:
        check_mode(render_mode)
        if num_envs < 1:
            raise ValueError(f"num_envs must be at least 1, not {num_envs}")
        if batch_size is not None and not 1 <= batch_size <= num_envs:
            raise ValueError(f"batch_size must be in 1..{num_envs}, not {batch_size}")
        if max_episode_steps is not None and max_episode_steps < 1:
            raise ValueError(
                f"max_episode_steps must be at least 1, not {max_episode_steps}"
            )
        self.setup = setup
        self.num_envs = num_envs
        self.batch_size = batch_size or num_envs
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {
            "autoreset_mode": self.autoreset_mode,
            "render_modes": list(RENDER_MODES),
            "render_fps": 4,
        }
        self.render_mode = render_mode
        self.single_observation_space = setup.features.space
        self.single_action_space = setup.actions.space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.stats = Stats()
        self._slots = [
            Slot(
                setup,
                self.stats,
                same_step=self.autoreset_mode == AutoresetMode.SAME_STEP,
                max_episode_steps=max_episode_steps,
            )
            for _ in range(num_envs)
        ]
        #: Environments that an action has been sent to and no result taken from.
        self._busy: set[int] = set()
        #: In which turn each environment was last heard of.
        self._heard = [0] * num_envs
        self._turn = 0

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode in every environment.

        Args:
            seed: Seeds the choice of programs: environment ``i`` gets ``seed + i``.
            options: As for one environment; ``reset_mask`` (bool array) restricts
                the reset to some environments.

        Returns:
            Observations of all environments, and infos of those that were reset.
        """
        began = perf_counter()
        options = dict(options or {})
        mask = _check_mask(options.pop("reset_mask", None), self.num_envs)
        if isinstance(seed, (int, np.integer)):
            seed = [int(seed) + index for index in range(self.num_envs)]
        seeds = list(seed) if seed is not None else [None] * self.num_envs
        if len(seeds) != self.num_envs:
            raise ValueError(f"{len(seeds)} seeds for {self.num_envs} environments")
        chosen = np.flatnonzero(mask).tolist()
        for index in chosen:
            slot = self._slots[index]
            slot.close()
            self._busy.discard(index)
            if (single := seeds[index]) is not None:
                slot.seed(single)
            slot.start_reset(options)
        self._finish(chosen, len(chosen))
        infos: list[Info] = [{}] * self.num_envs
        for index in chosen:
            infos[index] = self._slots[index].take_result()[4]
        observations = [
            self.setup.features.zero()
            if slot.episode is None
            else slot.episode.observation
            for slot in self._slots
        ]
        result = self._batch(observations), _InfoBatch(self.num_envs).merge(infos)
        self.stats.reset_seconds += perf_counter() - began
        return result

    def step(self, actions: Any) -> VectorResult:
        """Answer one decision in every environment, and wait for all."""
        if self._busy:
            raise ResetNeededError(
                f"environments {sorted(self._busy)} have been sent actions; call "
                "recv() until all are back before step()"
            )
        self.send(actions)
        return self._collect(list(range(self.num_envs)), self.num_envs)

    def send(self, actions: Any, env_ids: Sequence[int] | None = None) -> None:
        """Answer decisions without waiting for the compiler.

        Args:
            actions: One for each of ``env_ids``.
            env_ids: Environments; ``None``: all. As :meth:`recv` gave them in
                ``info["env_id"]``.

        Raises:
            InvalidActionError: One of the actions is not legal; none was sent.
        """
        ids = range(self.num_envs) if env_ids is None else [int(i) for i in env_ids]
        if len(set(ids)) < len(ids):
            raise ValueError(f"an environment is named twice in {list(ids)}")
        if len(actions) != len(ids):
            raise InvalidActionError(
                f"{len(actions)} actions for {len(ids)} environments"
            )
        checked = []
        for index, action in zip(ids, actions, strict=True):
            if not 0 <= index < self.num_envs:
                raise ValueError(
                    f"environment {index} is not in 0..{self.num_envs - 1}"
                )
            if index in self._busy:
                raise ResetNeededError(f"environment {index} has an action already")
            if self._slots[index].over and (
                self.autoreset_mode == AutoresetMode.DISABLED
                or self._slots[index].episode is None
            ):
                raise ResetNeededError(
                    f"the episode of environment {index} is over; reset it with "
                    "options={'reset_mask': ...}"
                )
            episode = self._slots[index].episode
            mask = None if episode is None or episode.done else episode.mask
            checked.append(self.setup.actions.check_legal(action, mask))
        began = perf_counter()
        for index, action in zip(ids, checked, strict=True):
            slot = self._slots[index]
            self._busy.add(index)
            if slot.over:
                slot.start_reset()
            else:
                slot.start_step(action)
        self.stats.step_seconds += perf_counter() - began

    def recv(self) -> VectorResult:
        """Wait until ``batch_size`` environments are back.

        Returns:
            What ``step`` returns, with one row for each of them, and their
            numbers in ``info["env_id"]`` (int array), in ascending order.
        """
        if not self._busy:
            raise ResetNeededError("no action has been sent; call send() first")
        return self._collect(sorted(self._busy), min(self.batch_size, len(self._busy)))

    def _collect(self, candidates: list[int], count: int) -> VectorResult:
        began = perf_counter()
        # Where more are ready than asked for, those first that were heard of least
        # recently: otherwise the last of them might never be.
        ready = sorted(self._finish(candidates, count), key=self._heard.__getitem__)
        ready = sorted(ready[:count])
        self._turn += 1
        for index in ready:
            self._heard[index] = self._turn
        self.stats.step_seconds += perf_counter() - began
        self._busy.difference_update(ready)
        results = [self._slots[index].take_result() for index in ready]
        infos = _InfoBatch(len(ready)).merge([result[4] for result in results])
        infos["env_id"] = np.array(ready, np.int64)
        return (
            self._batch([result[0] for result in results]),
            np.array([result[1] for result in results], np.float64),
            np.array([result[2] for result in results], np.bool_),
            np.array([result[3] for result in results], np.bool_),
            infos,
        )

    def _finish(self, candidates: list[int], count: int) -> list[int]:
        """Take replies until ``count`` of the candidates have a result."""
        waiting: dict[int, int] = {}
        poll = select.poll()
        ready = []
        for index in candidates:
            slot = self._slots[index]
            if slot.waiting is None:
                ready.append(index)
            else:
                waiting[slot.waiting] = index
                poll.register(slot.waiting, select.POLLIN)
        while len(ready) < count:
            until = min(self._slots[index].until for index in waiting.values())
            patience = None if until == math.inf else (until - monotonic()) * 1000
            arrived = [descriptor for descriptor, _ in poll.poll(patience)]
            overdue = [] if arrived else self._overdue(waiting)
            for descriptor in arrived or overdue:
                index = waiting.pop(descriptor)
                poll.unregister(descriptor)
                slot = self._slots[index]
                try:
                    if overdue:
                        slot.give_up()
                    else:
                        slot.advance()
                except BaseException:
                    # The others are to be taken up again by another call.
                    self._busy.discard(index)
                    raise
                if slot.waiting is None:
                    ready.append(index)
                else:
                    waiting[slot.waiting] = index
                    poll.register(slot.waiting, select.POLLIN)
        return ready

    def _overdue(self, waiting: dict[int, int]) -> list[int]:
        now = monotonic()
        return [fd for fd, index in waiting.items() if self._slots[index].until <= now]

    def _batch(self, observations: Sequence[Any]) -> Any:
        space = self.single_observation_space
        empty: Any = create_empty_array(space, len(observations))
        return concatenate(space, observations, empty)

    def action_masks(self) -> NDArray[np.bool_]:
        """Which actions are legal now, bool array of shape ``(num_envs, n)``."""
        space = self.single_action_space
        if not isinstance(space, Discrete):
            raise TypeError(f"the actions are a {space}, which has no mask")
        masks = np.ones((self.num_envs, int(space.n)), np.bool_)
        for index, slot in enumerate(self._slots):
            if slot.episode is not None and slot.episode.mask is not None:
                masks[index] = slot.episode.mask
        return masks

    def render(self) -> tuple[Any, ...]:
        """What each environment's own :meth:`~CompilerEnv.render` returns.

        Raises:
            ResetNeededError: One of them has no program under compilation, or has
                been sent an action and not been heard of.
        """
        if self._busy:
            raise ResetNeededError(
                f"environments {sorted(self._busy)} are busy with actions; call recv() "
                "until all are back before render()"
            )
        episodes = [slot.episode for slot in self._slots if slot.episode is not None]
        if len(episodes) < self.num_envs:
            raise ResetNeededError(
                "render: not every environment has begun an episode; call reset()"
            )
        return tuple(render(self.render_mode, episode) for episode in episodes)

    @property
    @override
    def running(self) -> bool:
        return any(slot.episode is not None for slot in self._slots)

    @property
    def programs(self) -> list[str]:
        """Name of the program of each environment; ``""`` before the first reset."""
        return [s.episode.program.name if s.episode else "" for s in self._slots]

    @property
    def sessions(self) -> list[Session | None]:
        """The session of each environment."""
        return [s.episode.session if s.episode else None for s in self._slots]

    @override
    def close_extras(self, **kwargs: Any) -> None:
        for slot in self._slots:
            slot.close()
        self._busy.clear()


def _check_mask(mask: Any, num_envs: int) -> NDArray[np.bool_]:
    if mask is None:
        return np.ones(num_envs, np.bool_)
    mask = np.asarray(mask)
    if mask.shape != (num_envs,) or mask.dtype != np.bool_ or not mask.any():
        raise ValueError(
            f"reset_mask must be a bool array of shape ({num_envs},) with at least "
            "one True"
        )
    return np.asarray(mask, np.bool_)
