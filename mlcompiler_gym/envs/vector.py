# SPDX-License-Identifier: Apache-2.0
"""Many compiles at once, from one thread."""

from __future__ import annotations

import math
import select
from collections.abc import Callable, Sequence
from time import monotonic, perf_counter
from typing import Any

import numpy as np
from gymnasium.spaces import Discrete
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray
from typing_extensions import override

from mlcompiler_gym.client import Session, Wait, Work
from mlcompiler_gym.envs.actions import Action
from mlcompiler_gym.envs.core import CompilerEnv
from mlcompiler_gym.envs.engine import Engine, Stats
from mlcompiler_gym.envs.episode import Episode, Turn
from mlcompiler_gym.envs.observer import Row, View
from mlcompiler_gym.envs.remake import Remade
from mlcompiler_gym.envs.render import RENDER_MODES, RenderMode, check_mode, render
from mlcompiler_gym.envs.setup import Setup
from mlcompiler_gym.errors import InvalidActionError, ResetNeededError
from mlcompiler_gym.registration import TASKS

Info = dict[str, Any]

#: What ``step`` and ``recv`` return, each with one row per environment.
VectorResult = tuple[
    Any, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]
]

#: What a vector environment takes that one environment does not.
_OWN_ARGUMENTS = (
    "num_envs",
    "autoreset_mode",
    "batch_size",
    "max_episode_steps",
    "render_mode",
)


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


class _Slot:
    """One environment: its engine, the work under way, and what came of it.

    Work that is under way waits for a reply on the descriptor ``waiting``. When
    ``waiting`` is None, the turn is there to be taken.
    """

    def __init__(self, setup: Setup, stats: Stats, row: Row) -> None:
        self.engine = Engine(setup, stats, View(setup.features, row))
        self.rng, _ = seeding.np_random(None)
        self.turn: Turn | None = None
        self.waiting: int | None = None
        #: When to wait no longer, in seconds of the monotonic clock.
        self.until = math.inf
        self._work: Work[Turn] | None = None
        self._session: Session | None = None

    @property
    def over(self) -> bool:
        """Whether the episode has ended and the next has not begun."""
        return self.engine.episode is None or self.engine.episode.done

    def start(self, work: Work[Turn]) -> None:
        """Do some work, up to where it waits first."""
        self._work = work
        self._go_on(work.send, None)

    def advance(self) -> None:
        """Take the reply that has arrived, and go on to where the work waits next."""
        assert self._session is not None
        assert self._work is not None
        try:
            reply = self._session.receive()
        except Exception as error:
            self._go_on(self._work.throw, error)
        else:
            self._go_on(self._work.send, reply)

    def give_up(self) -> None:
        """Wait no longer: ``until`` has passed."""
        assert self._session is not None
        assert self._work is not None
        self._go_on(self._work.throw, self._session.overdue())

    def _go_on(self, go_on: Callable[[Any], Wait], what: Any) -> None:
        try:
            while True:
                session, requests = go_on(what)
                try:
                    self._wait_on(session)
                    for request in requests:
                        session.send(request)
                    return
                except Exception as error:
                    assert self._work is not None
                    go_on, what = self._work.throw, error
        except StopIteration as end:
            self._work = self._session = self.waiting = None
            self.turn = end.value
        except BaseException:
            self._end()
            raise

    def _wait_on(self, session: Session) -> None:
        self._session = session
        self.waiting = session.fileno()
        patience = session.patience
        self.until = math.inf if patience is None else monotonic() + patience

    def _end(self) -> None:
        if self._work is not None:
            self._work.close()
        self._work = self._session = self.waiting = None

    def take_turn(self) -> Turn:
        """What came of the work, once."""
        assert self.turn is not None
        turn, self.turn = self.turn, None
        return turn

    def close(self) -> None:
        """End whatever is under way."""
        self._end()
        self.engine.close()
        self.turn = None


class CompilerVectorEnv(Remade, VectorEnv[Any, Any, Any]):
    """``num_envs`` compiles, each a process of the service, and one poll loop.

    There is no Python process or thread per environment. ``step`` and ``reset``
    behave as Gymnasium's ``SyncVectorEnv`` of the same environments does. Beside
    them, ``send`` and ``recv`` let the agent go on with those that are ready,
    so that one slow compile holds up no other: its baseline and its list of
    functions are waited for as its steps are. Objectives that are measured by
    running the program are the exception; nothing else is done meanwhile, since
    that would be measured, too.

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
        # Gymnasium closes what goes, also one that is refused here.
        self._slots: list[_Slot] = []
        #: Environments that an action has been sent to and no result taken from.
        self._busy: set[int] = set()
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
        self._max_episode_steps = max_episode_steps
        #: The latest observations, one row for each environment.
        self._rows = np.zeros((num_envs, setup.features.size), np.float32)
        self._slots = [_Slot(setup, self.stats, row) for row in self._rows]
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
            slot.engine.view.show_nothing()
            if (single := seeds[index]) is not None:
                slot.rng, _ = seeding.np_random(single)
            slot.start(self._reset(slot, options))
        self._finish(chosen, len(chosen))
        infos: list[Info] = [{}] * self.num_envs
        for index in chosen:
            infos[index] = self._slots[index].take_turn()[3]
        everyone = list(range(self.num_envs))
        result = self._batch(everyone), _InfoBatch(self.num_envs).merge(infos)
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
        if isinstance(actions, np.ndarray) and actions.dtype.kind in "iu":
            actions = actions.tolist()  # plain integers are checked faster
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
                or self._slots[index].engine.episode is None
            ):
                raise ResetNeededError(
                    f"the episode of environment {index} is over; reset it with "
                    "options={'reset_mask': ...}"
                )
            episode = self._slots[index].engine.episode
            mask = None if episode is None or episode.done else episode.mask
            checked.append(self.setup.actions.check_legal(action, mask))
        began = perf_counter()
        for index, action in zip(ids, checked, strict=True):
            slot = self._slots[index]
            self._busy.add(index)
            if slot.over:
                slot.start(self._reset(slot))
            else:
                slot.start(self._step(slot, action))
        self.stats.step_seconds += perf_counter() - began

    def _reset(self, slot: _Slot, options: dict[str, Any] | None = None) -> Work[Turn]:
        """Begin an episode, as a turn that pays nothing."""
        info = yield from slot.engine.reset(slot.rng, options)
        return 0.0, False, False, info

    def _step(self, slot: _Slot, action: Action) -> Work[Turn]:
        """Answer a decision and, if that ends the episode, begin the next."""
        engine = slot.engine
        request = self.setup.actions.request(action)
        turn = yield from engine.step((action,), request)
        reward, terminated, truncated, info = turn
        episode = engine.running("step")
        if len(episode.actions) == self._max_episode_steps and not terminated:
            episode.done = truncated = True
            turn = reward, terminated, truncated, info
        if self.autoreset_mode != AutoresetMode.SAME_STEP or not episode.done:
            return turn
        final = engine.view.copy()
        first = yield from engine.reset(slot.rng)
        ended = {"final_obs": final.observation, "final_info": info}
        return reward, terminated, truncated, {**first, **ended}

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
        turns = [self._slots[index].take_turn() for index in ready]
        infos = _InfoBatch(len(ready)).merge([info for _, _, _, info in turns])
        infos["env_id"] = np.array(ready, np.int64)
        return (
            self._batch(ready),
            np.array([reward for reward, _, _, _ in turns], np.float64),
            np.array([terminated for _, terminated, _, _ in turns], np.bool_),
            np.array([truncated for _, _, truncated, _ in turns], np.bool_),
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

    def _batch(self, indices: list[int]) -> Any:
        # To index with a list copies.
        graphs = [self._slots[index].engine.view.graphs for index in indices]
        return self.setup.features.batch(self._rows[indices], graphs)

    def action_masks(self) -> NDArray[np.bool_]:
        """Which actions are legal now, bool array of shape ``(num_envs, n)``."""
        space = self.single_action_space
        if not isinstance(space, Discrete):
            raise TypeError(f"the actions are a {space}, which has no mask")
        masks = np.ones((self.num_envs, int(space.n)), np.bool_)
        for index, episode in enumerate(self._episodes):
            if episode is not None and episode.mask is not None:
                masks[index] = episode.mask
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
        episodes = [each for each in self._episodes if each is not None]
        if len(episodes) < self.num_envs:
            raise ResetNeededError(
                "render: not every environment has begun an episode; call reset()"
            )
        return tuple(render(self.render_mode, episode) for episode in episodes)

    @property
    @override
    def running(self) -> bool:
        return any(each is not None for each in self._episodes)

    @property
    def programs(self) -> list[str]:
        """Name of the program of each environment; ``""`` before the first reset."""
        return [e.program.name if e is not None else "" for e in self._episodes]

    @property
    def sessions(self) -> list[Session | None]:
        """The session of each environment."""
        return [e.session if e is not None else None for e in self._episodes]

    @property
    def _episodes(self) -> list[Episode | None]:
        return [slot.engine.episode for slot in self._slots]

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


def vector_maker(env_class: type[CompilerEnv]) -> Callable[..., CompilerVectorEnv]:
    """What Gymnasium's ``make_vec`` calls for a task.

    Args:
        env_class: The task's environment. What Gymnasium has registered of it as
            ``max_episode_steps`` it applies to single environments only.
    """
    limit = next(
        (t.max_episode_steps for t in TASKS if t.class_name == env_class.__name__), None
    )

    def make_vector(
        num_envs: int,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        batch_size: int | None = None,
        max_episode_steps: int | None = limit,
        render_mode: RenderMode | None = None,
        **settings: Any,
    ) -> CompilerVectorEnv:
        return CompilerVectorEnv(
            env_class.make_setup(settings, _OWN_ARGUMENTS),
            num_envs,
            autoreset_mode=autoreset_mode,
            batch_size=batch_size,
            max_episode_steps=max_episode_steps,
            render_mode=render_mode,
        )

    return make_vector
