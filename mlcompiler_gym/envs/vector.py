# SPDX-License-Identifier: Apache-2.0
"""Many compiles at once, from one thread."""

from __future__ import annotations

import dataclasses
import math
import select
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from time import monotonic, perf_counter
from typing import Any

import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space, iterate
from numpy.typing import NDArray
from typing_extensions import override

from mlcompiler_gym.client import Session, Work
from mlcompiler_gym.envs.actions import Action
from mlcompiler_gym.envs.core import CompilerEnv
from mlcompiler_gym.envs.counterfactuals import (
    Counterfactuals,
    Question,
    check_listed,
    each_counterfactuals,
)
from mlcompiler_gym.envs.engine import Stats
from mlcompiler_gym.envs.episode import Episode, Turn
from mlcompiler_gym.envs.errors import InvalidActionError, ResetNeededError
from mlcompiler_gym.envs.remake import Remade
from mlcompiler_gym.envs.render import RENDER_MODES, RenderMode, check_mode, render
from mlcompiler_gym.envs.rollout import PolicyData, Recorded, Rollout, play_request
from mlcompiler_gym.envs.setup import Setup
from mlcompiler_gym.envs.slot import Slot
from mlcompiler_gym.errors import ProgramError
from mlcompiler_gym.programs import Program, ProgramSet
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


#: So many episodes in a row without a decision mean that something is wrong.
_BARREN = 100

#: Into how many requests the episodes of an environment are divided.
_SHARES = 4


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
    behave as Gymnasium's ``SyncVectorEnv`` of the same environments does. In
    addition, ``send`` and ``recv`` let the agent go on with environments that are
    ready. So a slow compile holds up no other. Its baseline and its list of
    functions are waited for as its steps are. Objectives that are measured by
    running the program are the exception: nothing else is done meanwhile, because
    it would disturb the measurement.

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
        # Gymnasium also closes an environment that is refused here, so this must exist.
        self._slots: list[Slot] = []
        #: Environments that have been sent an action and whose result has not been
        #: taken.
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
        self._slots = [Slot(setup, self.stats, row) for row in self._rows]
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
            Observations of all environments, and infos of the environments
            that were reset.
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
            infos[index] = self._slots[index].take_result()[3]
        everyone = list(range(self.num_envs))
        result = self._batch(everyone), _InfoBatch(self.num_envs).merge(infos)
        self.stats.reset_seconds += perf_counter() - began
        return result

    def step(self, actions: Any) -> VectorResult:
        """Answer one decision in every environment, and wait for all."""
        self._check_idle("step")
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
        if isinstance(actions, dict):
            actions = list(iterate(self.action_space, actions))
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

    def _reset(self, slot: Slot, options: dict[str, Any] | None = None) -> Work[Turn]:
        """Begin an episode, as a turn that pays nothing."""
        info = yield from slot.engine.reset(slot.rng, options)
        return 0.0, False, False, info

    def _step(self, slot: Slot, action: Action) -> Work[Turn]:
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
        # If more are ready than asked for, the ones that returned a result longest ago
        # come first. Otherwise the last of them might never have a turn.
        ready = sorted(self._finish(candidates, count), key=self._heard.__getitem__)
        ready = sorted(ready[:count])
        self._turn += 1
        for index in ready:
            self._heard[index] = self._turn
        self.stats.step_seconds += perf_counter() - began
        self._busy.difference_update(ready)
        turns = [self._slots[index].take_result() for index in ready]
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
                    # The others stay busy, so that another call can go on with them.
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

    def rollouts(
        self,
        policy: PolicyData,
        programs: Iterable[str | Program | Mapping[str, Any]] | None = None,
        n: int = 1,
        *,
        seed: int | None = None,
        decisions: int | None = None,
        features: Recorded = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[Rollout]:
        """Whole episodes by a policy, without a crossing for each decision.

        Every environment takes the next episode as soon as it is done with one. What
        comes back does not depend on which is done first. Episodes that were under way
        are given up, and ``reset`` is needed to step again.

        Args:
            policy: See :meth:`CompilerEnv.finish`.
            programs: Programs or their names, or dicts as ``reset(options=...)`` takes
                them, to name a function, too; None: all of the environment's own.
            n: Episodes of each.
            seed: Episode ``i`` draws its actions, and with ``function="each"`` its
                function, with the seed ``seed + i``. None: the likeliest actions are
                taken, and functions are drawn as by 0.
            decisions: Steps after which an episode is left. None: as
                ``max_episode_steps`` says, or at the end.
            features: See :meth:`CompilerEnv.rollout`.
            progress: Called with the number of episodes that are done, and of all.

        Returns:
            ``n`` rollouts of the first program, then ``n`` of the next one, and so
            on. Where an episode failed, it is truncated, and its info has ``error``
            and, from the compiler, ``error_code``.

        Raises:
            InvalidRequestError: The policy is not for this task, or for features that
                the environments were not made with.
            ProgramError: There is no program of that name.
            ResetNeededError: Environments have been sent actions.
            ValueError: There is no end of the programs.
        """
        self._check_idle("rollouts")
        if n < 1:
            raise ValueError(f"n is a number from 1 on, not {n}")
        request = play_request(
            self.setup.config.task,
            policy,
            seed,
            decisions or self._max_episode_steps,
            features,
        )
        chosen = self._options(programs)
        total, done = n * len(chosen), 0
        tell = progress or (lambda _done, _total: None)
        # Several episodes of one program take one request. Requests are small enough
        # that all environments finish at about the same time.
        most = -(-total // (_SHARES * self.num_envs))
        if self.setup.each_function:
            most = 1
        batches = [
            (number * n + first, options, min(most, n - first))
            for number, options in enumerate(chosen)
            for first in range(0, n, most)
        ]

        def job(
            first: int, options: dict[str, Any], count: int
        ) -> Callable[[Slot], Work[list[Rollout]]]:
            own = (first if seed is None else seed + first) % (1 << 64)

            def work(slot: Slot) -> Work[list[Rollout]]:
                nonlocal done
                play = type(request)()
                play.CopyFrom(request)
                play.parallel = 1
                if seed is not None:
                    play.seed = own
                rng, _ = seeding.np_random(own)
                made = yield from slot.engine.whole(rng, options, play, features, count)
                for _ in made:
                    done += 1
                    tell(done, total)
                return [self._limit(each, len(each.actions)) for each in made]

            return work

        try:
            made = self._do_all([job(*batch) for batch in batches])
            return [each for batch in made for each in batch]
        finally:
            self.close_extras()

    def collect(
        self,
        policy: PolicyData,
        decisions: int,
        *,
        seeds: Sequence[int] | None = None,
        features: Recorded = False,
    ) -> list[list[Rollout]]:
        """As many decisions by a policy in every environment, as a learner needs them.

        Episodes go on from where they are, and the next one begins where one ends, as
        in ``autoreset_mode="SameStep"``; the last one may be left in its middle, where
        it goes on with the next call. Programs without decisions are passed over.

        Args:
            policy: See :meth:`CompilerEnv.finish`.
            decisions: How many in each environment.
            seeds: With which each environment draws its actions; None: the likeliest
                are taken. To draw on, give each the ``seed`` of its last rollout.
            features: See :meth:`CompilerEnv.rollout`.

        Returns:
            For each environment, episodes or parts of them, in order.

        Raises:
            InvalidRequestError: See :meth:`rollouts`.
            PolicyError: The policy could not decide.
            ProgramError: Nothing but programs without decisions came up.
            ResetNeededError: An environment has not begun an episode, or has been sent
                an action.
            ServiceError: A program cannot be compiled.
        """
        self._check_idle("collect")
        if seeds is not None and len(seeds) != self.num_envs:
            raise ValueError(f"{len(seeds)} seeds for {self.num_envs} environments")
        # A mistake is reported before anything begins.
        play_request(self.setup.config.task, policy, None, decisions, features)
        for slot in self._slots:
            slot.engine.running("collect")

        def job(index: int) -> Callable[[Slot], Work[list[Rollout]]]:
            seed = None if seeds is None else seeds[index]
            return lambda slot: self._collect_in(
                slot, policy, decisions, seed, features
            )

        return self._do_all([job(index) for index in range(self.num_envs)])

    def _collect_in(
        self,
        slot: Slot,
        policy: PolicyData,
        left: int,
        seed: int | None,
        features: Recorded,
    ) -> Work[list[Rollout]]:
        """What one environment collects."""
        made: list[Rollout] = []
        barren = 0
        while left:
            if slot.over:
                yield from slot.engine.reset(slot.rng)
            episode = slot.engine.running("collect")
            before = len(episode.actions)
            if episode.over:
                episode.done = True
            else:
                room = left
                if self._max_episode_steps is not None:
                    room = min(left, self._max_episode_steps - before)
                request = play_request(
                    self.setup.config.task, policy, seed, room, features
                )
                one = yield from slot.engine.rollout(request, features)
                one = self._limit(one, before + len(one.actions))
                episode.done = episode.done or one.truncated
                seed, left = one.seed, left - len(one.actions)
                made.append(one)
            barren = 0 if len(episode.actions) > before else barren + 1
            if barren == _BARREN:
                raise ProgramError(
                    f"no decision came up in {_BARREN} episodes one after the other, "
                    f"the last of them of {episode.program.name}"
                )
        return made

    def _limit(self, made: Rollout, steps: int) -> Rollout:
        """The rollout, truncated if its episode has as many steps as it may have."""
        if steps != self._max_episode_steps or made.terminated:
            return made
        return dataclasses.replace(made, truncated=True)

    def _options(
        self, programs: Iterable[str | Program | Mapping[str, Any]] | None
    ) -> list[dict[str, Any]]:
        """What ``reset`` is told to compile each of some programs."""
        if programs is None or isinstance(programs, str | Program):
            return [{"program": each} for each in self._choose(programs)]
        options = []
        for each in programs:
            given = dict(each) if isinstance(each, Mapping) else {"program": each}
            if "program" not in given:
                raise ValueError(f"{given} names no program")
            [program] = self._choose([given["program"]])
            options.append(given | {"program": program})
        return options

    def _choose(self, programs: Iterable[str | Program] | None) -> list[Program]:
        own = self.setup.programs
        if programs is None:
            if not isinstance(own, ProgramSet):
                raise ValueError(f"there is no end of {own}; say which programs")
            return list(own)
        if isinstance(programs, str | Program):
            raise TypeError(f"programs is a list of them, not {programs!r}")
        return [
            each if isinstance(each, Program) else own.named(each) for each in programs
        ]

    def _do_all(
        self,
        jobs: Sequence[Callable[[Slot], Work[Any]]],
    ) -> list[Any]:
        """The results of jobs, each done by the next environment that is free."""
        began = perf_counter()
        results: list[Any] = [None] * len(jobs)
        running: dict[int, int] = {}
        free = list(range(self.num_envs))
        begun = done = 0
        try:
            while done < len(jobs):
                for index in free[: len(jobs) - begun]:
                    self._slots[index].start(jobs[begun](self._slots[index]))
                    running[index] = begun
                    begun += 1
                free = sorted(self._finish(list(running), 1))
                for index in free:
                    results[running.pop(index)] = self._slots[index].take_result()
                    done += 1
        except BaseException:
            self.close_extras()
            raise
        self.stats.step_seconds += perf_counter() - began
        return results

    def _check_idle(self, what: str) -> None:
        if self._busy:
            raise ResetNeededError(
                f"environments {sorted(self._busy)} have been sent actions; call "
                f"recv() until all are back before {what}()"
            )

    def action_masks(self) -> NDArray[np.bool_]:
        """Which actions are legal now, bool array of shape ``(num_envs, n)``."""
        flags = self.setup.actions.flags
        if not flags:
            raise TypeError(
                f"the actions are a {self.single_action_space}, which has no mask"
            )
        masks = np.ones((self.num_envs, flags), np.bool_)
        for index, episode in enumerate(self._episodes):
            if episode is not None and episode.mask is not None:
                masks[index] = episode.mask
        return masks

    def counterfactuals(
        self,
        policy: PolicyData = "llvm",
        programs: Iterable[str | Program] | None = None,
        decisions: int | Sequence[int] | None = None,
        actions: Sequence[int] | None = None,
        *,
        sample_seed: int = 0,
        seed: int | None = None,
    ) -> Iterator[Counterfactuals]:
        """The table of :meth:`CompilerEnv.counterfactuals` of many programs.

        As many are worked on at the same time as there are environments, whose own
        episodes are left alone, with one copy of a session computing for each. The
        same programs, policy and seeds give the same tables.

        Args:
            policy: As of one environment, and so are the others.
            programs: Names, or themselves; None: all that the environments have.
            decisions: Decisions of each program.
            actions: Which to try.
            sample_seed: Seed of the decisions that are drawn, for each program.
            seed: Seed of the actions that the policy draws, for each program.

        Yields:
            A table for each program, in their order. Where something is wrong with
            one, its table is empty and has ``error``.

        Raises:
            ProgramError: There is no program of that name.
            TypeError: There are too many actions to try.
            ValueError: There is no end of the programs.
        """
        check_listed(self.setup)
        chosen = self._choose(programs)
        asked = Question(policy, decisions, actions, sample_seed, seed, parallel=1)
        return each_counterfactuals(self.setup, chosen, asked, self.num_envs)

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
