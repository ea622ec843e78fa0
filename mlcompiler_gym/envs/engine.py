# SPDX-License-Identifier: Apache-2.0
"""One environment's compiles, from reset to reset, as work that waits."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from mlcompiler_gym.client import Work, opening
from mlcompiler_gym.envs.actions import Action
from mlcompiler_gym.envs.choice import choose
from mlcompiler_gym.envs.config import CompileConfig
from mlcompiler_gym.envs.episode import Episode, Turn, make_episode
from mlcompiler_gym.envs.errors import ResetNeededError
from mlcompiler_gym.envs.observer import View
from mlcompiler_gym.envs.rollout import Recorded, Rollout, RolloutParts
from mlcompiler_gym.envs.scoring import Baseline, find_baseline
from mlcompiler_gym.envs.setup import Setup
from mlcompiler_gym.errors import (
    MLCompilerGymError,
    PolicyError,
    ProgramError,
    ServiceError,
)
from mlcompiler_gym.programs import Program
from mlcompiler_gym.v1 import compiler_service_pb2 as pb


@dataclass
class Stats:
    """What an environment has done so far.

    Here and not in ``info``, which must not differ between two equal runs. A vector
    environment counts what all of its environments have done.

    Attributes:
        episodes: Episodes begun.
        parked: How many of them began as a fork of a parked session.
        steps: Decisions answered.
        crashes: Episodes that ended with an error.
        reset_seconds: Wall-clock time spent in ``reset``.
        step_seconds: Wall-clock time spent in ``step`` (of a vector environment
            also in ``send`` and ``recv``), baselines included.
        baseline_seconds: Wall-clock time from asking for baselines to having them.
            Environments of one vector environment wait for theirs at the same
            time, so that the sum may be more than the time that has passed.
    """

    episodes: int = 0
    parked: int = 0
    steps: int = 0
    crashes: int = 0
    reset_seconds: float = 0.0
    step_seconds: float = 0.0
    baseline_seconds: float = 0.0


class Engine:
    """The one place that says what an episode consists of.

    It does no I/O of its own: :meth:`reset` and :meth:`step` are
    :data:`~mlcompiler_gym.client.waiting.Work`, which an environment blocks on and a
    vector environment polls for. One piece of work is under way at a time; if it is
    closed before its end, so is the session.

    Args:
        setup: What the environment was made with.
        stats: Where to count; environments of a vector share it.
        view: Where observations are shown.
    """

    def __init__(self, setup: Setup, stats: Stats, view: View) -> None:
        self.setup = setup
        self.stats = stats
        self.view = view
        self.episode: Episode | None = None

    def reset(
        self, rng: np.random.Generator, options: dict[str, Any] | None = None
    ) -> Work[dict[str, Any]]:
        """Begin an episode; the info that Gymnasium's ``reset`` returns.

        Args:
            rng: Chooses the program.
            options: As for ``reset``.

        Raises:
            ServiceError: The program cannot be compiled.
            ProgramError: There is no program of that name.
        """
        program, config = yield from choose(self.setup, rng, options)
        self.close()
        request = config.open_request()
        session = yield from opening(self.setup.service, request, program)
        try:
            baseline = None
            if self.setup.needs_baseline:
                baseline = yield from self._baseline(config, program)
        except BaseException:
            session.close()
            raise
        episode = make_episode(self.setup, program, config, session, self.view)
        episode.baseline = baseline
        self.episode = episode
        self.stats.episodes += 1
        self.stats.parked += session.opened.from_parked
        return episode.begin()

    def step(self, actions: Sequence[Action], request: bytes) -> Work[Turn]:
        """Answer decisions; what Gymnasium's ``step`` returns beside the observation.

        The episode must be :meth:`unfinished`.

        Args:
            actions: Checked actions.
            request: The serialised ``Step`` of all of them.

        Raises:
            ServiceError: The request was wrong; the episode goes on.
        """
        episode = self.episode
        assert episode is not None
        if episode.over:
            return episode.end_without_decision()
        try:
            reply = yield episode.session, (request,)
            result = episode.advance(actions, reply.step)
            if result is None:
                baseline = yield from self._baseline(episode.config, episode.program)
                result = yield from episode.end(baseline)
        except ServiceError as error:
            result = episode.end_with_error(error)
            self.stats.crashes += 1
        except BaseException:
            # Interrupted between the request and its reply: the next reply would be
            # taken for that of another request.
            episode.session.close()
            raise
        self.stats.steps += len(actions)
        return result

    def play(self, request: pb.Play, parts: RolloutParts) -> Work[Turn]:
        """Let a policy answer decisions, inside the session.

        The episode must be :meth:`unfinished`.

        Args:
            request: Which policy, and how many decisions; 0: to the end.
            parts: Where to put what it answers.

        Raises:
            PolicyError: It could not decide; what it had decided stands.
            ServiceError: The policy does not fit the session; the episode goes on.
        """
        episode = self.episode
        assert episode is not None
        if episode.over:
            return episode.end_without_decision()
        first = len(episode.actions)
        try:
            while True:
                message = pb.Request(play=request).SerializeToString()
                reply = (yield episode.session, (message,)).play
                taken = parts.add(reply, self.setup.actions)
                self.stats.steps += len(taken)
                turn = episode.advance(taken, reply.state, reply.measured)
                if turn is None:
                    baseline = yield from self._baseline(
                        episode.config, episode.program
                    )
                    turn = yield from episode.end(baseline)
                if reply.stopped:
                    raise PolicyError(
                        f"after {len(episode.actions)} decisions: {reply.stopped}"
                    )
                # A reply holds only so much; another goes on.
                left = request.decisions - len(taken) if request.decisions else 0
                if turn[1] or turn[2] or (request.decisions and left == 0):
                    return sum(episode.rewards[first:]), *turn[1:]
                request.decisions = left
                if request.HasField("seed"):
                    request.seed = reply.seed
        except ServiceError as error:
            turn = episode.end_with_error(error)
            self.stats.crashes += 1
            return turn
        except PolicyError:
            raise
        except BaseException:
            episode.session.close()
            raise

    def rollout(self, request: pb.Play, recorded: Recorded) -> Work[Rollout]:
        """:meth:`play`, and everything that came of it in arrays.

        Args:
            request: See :meth:`play`.
            recorded: What of the features it asks for.
        """
        parts = RolloutParts(seed=request.seed if request.HasField("seed") else None)
        begun = self.episode
        assert begun is not None
        first = len(begun.actions)
        turn = yield from self.play(request, parts)
        return self._rollout(parts, recorded, begun.rewards[first:], turn)

    def whole(
        self,
        rng: np.random.Generator,
        options: dict[str, Any],
        request: pb.Play,
        recorded: Recorded,
    ) -> Work[Rollout]:
        """An episode from its beginning to its end.

        What goes wrong with its program is in the info of its rollout.

        Args:
            rng: See :meth:`reset`.
            options: See :meth:`reset`.
            request: See :meth:`play`.
            recorded: See :meth:`rollout`.

        Raises:
            ServiceError: The policy does not fit the session.
        """
        parts = RolloutParts(seed=request.seed if request.HasField("seed") else None)
        info: dict[str, Any] = {}
        rewards: list[float] = []
        try:
            info = yield from self.reset(rng, options)
        except (ServiceError, ProgramError) as error:
            self.view.show_nothing()
            name = getattr(options["program"], "name", options["program"])
            turn = 0.0, False, True, _failed(name, error)
        else:
            assert self.episode is not None
            rewards = self.episode.rewards
            try:
                turn = yield from self.play(request, parts)
            except PolicyError as error:
                turn = sum(rewards), False, True, _failed(info["program"], error)
        return self._rollout(parts, recorded, rewards, turn)

    def _rollout(
        self, parts: RolloutParts, recorded: Recorded, rewards: list[float], turn: Turn
    ) -> Rollout:
        actions = self.setup.actions
        reward, terminated, truncated, info = turn
        return Rollout(
            actions=np.concatenate([actions.decode(b""), *parts.actions]),
            log_probabilities=np.frombuffer(
                b"".join(parts.log_probabilities), np.float32
            ),
            rewards=np.array(rewards, np.float64),
            masks=parts.masks(actions) if recorded else None,
            recording=parts.recording(recorded, self.setup.features.columns),
            reward=reward,
            terminated=terminated,
            truncated=truncated,
            info=info,
            observation=self.view.copy().observation,
            seed=parts.seed,
        )

    def explore(self, request: pb.Explore) -> Work[pb.ExploreReply]:
        """Find out what actions are worth; see :func:`explore_request`.

        The episode must be :meth:`unfinished`.

        Raises:
            ServiceError: It cannot be found out; the episode goes on, unless the
                session has ended.
        """
        episode = self.episode
        assert episode is not None
        message = pb.Request(explore=request).SerializeToString()
        return (yield episode.session, (message,)).explore

    def _baseline(self, config: CompileConfig, program: Program) -> Work[Baseline]:
        began = perf_counter()
        try:
            return (yield from find_baseline(self.setup.service, config, program))
        finally:
            self.stats.baseline_seconds += perf_counter() - began

    def running(self, what: str) -> Episode:
        """The episode, over or not.

        Args:
            what: What it is needed for, for the message.

        Raises:
            ResetNeededError: There is none.
        """
        if self.episode is None:
            raise ResetNeededError(
                f"{what}: no program is being compiled; call reset()"
            )
        return self.episode

    def unfinished(self, what: str) -> Episode:
        """The episode, as long as there is something to decide.

        Raises:
            ResetNeededError: There is none, or it is over.
        """
        episode = self.episode
        if episode is None or episode.done:
            self.running(what)
            raise ResetNeededError("the episode is over; call reset()")
        return episode

    def fork(self) -> Engine:
        """A second engine, whose compile is stopped where this one's is.

        Raises:
            ResetNeededError: There is no episode.
        """
        episode = self.running("fork")
        twin = Engine(self.setup, Stats(), self.view.copy())
        twin.episode = copy.copy(episode)
        twin.episode.view = twin.view
        twin.episode.actions = list(episode.actions)
        twin.episode.rewards = list(episode.rewards)
        twin.episode.mask = copy.deepcopy(episode.mask)
        twin.episode.session = episode.session.fork()
        return twin

    def close(self) -> None:
        """End the compile that is under way."""
        if self.episode is not None:
            self.episode.session.close()
            self.episode = None


def _failed(program: str, error: MLCompilerGymError) -> dict[str, Any]:
    """The info of an episode that an error has ended."""
    info: dict[str, Any] = {"program": program, "error": str(error)}
    if isinstance(error, ServiceError):
        info["error_code"] = error.code
    return info
