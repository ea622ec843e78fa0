# SPDX-License-Identifier: Apache-2.0
"""One environment's compiles, from reset to reset, as work that waits."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.client import Work, error_of, opening
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
    ErrorCode,
    MLCompilerGymError,
    PolicyError,
    ProgramError,
    ServiceError,
)
from mlcompiler_gym.programs import Program
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

_FLOAT_BYTES = 4


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
                self._ask_for_rows(request)
                message = pb.Request(play=request).SerializeToString()
                reply = (yield episode.session, (message,)).play
                taken = parts.add(reply, self.setup.actions)
                self.stats.steps += len(taken)
                turn = episode.advance(
                    taken, reply.state, reply.measured, self._rows(reply, request)
                )
                if turn is None:
                    baseline = yield from self._baseline(
                        episode.config, episode.program
                    )
                    turn = yield from episode.end(baseline)
                if reply.stopped:
                    raise _stopped(episode, reply)
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
        parts = RolloutParts(seed=_seeds(request, 1)[0])
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
        count: int = 1,
    ) -> Work[list[Rollout]]:
        """Episodes of one program from their beginning to their end.

        What goes wrong with the program is in the info of its rollouts.

        Args:
            rng: See :meth:`reset`.
            options: See :meth:`reset`.
            request: See :meth:`play`.
            recorded: See :meth:`rollout`.
            count: How many; see :meth:`rollouts`.

        Raises:
            ServiceError: The policy does not fit the session.
        """
        try:
            yield from self.reset(rng, options)
        except (ServiceError, ProgramError) as error:
            self.view.show_nothing()
            name = getattr(options["program"], "name", options["program"])
            turn = 0.0, False, True, _failed(name, error)
            return [
                self._rollout(RolloutParts(seed=seed), recorded, [], turn)
                for seed in _seeds(request, count)
            ]
        if count == 1:
            return [(yield from self._to_the_end(request, recorded))]
        try:
            made = yield from self.rollouts(request, recorded, count)
        except ServiceError as error:
            if error.code is not ErrorCode.RESOURCE_EXHAUSTED:
                raise
        else:
            self.stats.episodes += count - 1
            return made
        # This client has as many sessions as the server allows, so no copies are made.
        # The episodes are played in one session after the other.
        made = []
        for seed in _seeds(request, count):
            play = _alone(request)
            if seed is not None:
                play.seed = seed
            made += yield from self.whole(rng, options, play, recorded)
        return made

    def _to_the_end(self, request: pb.Play, recorded: Recorded) -> Work[Rollout]:
        """:meth:`rollout`, with what stops the policy in the info."""
        episode = self.episode
        assert episode is not None
        first = len(episode.rewards)
        parts = RolloutParts(seed=_seeds(request, 1)[0])
        try:
            turn = yield from self.play(request, parts)
        except PolicyError as error:
            paid = sum(episode.rewards[first:])
            turn = paid, False, True, _failed(episode.program.name, error)
        return self._rollout(parts, recorded, episode.rewards[first:], turn)

    def rollouts(
        self, request: pb.Play, recorded: Recorded, count: int
    ) -> Work[list[Rollout]]:
        """So many times what follows from here, each in a copy of the session.

        The episode must be :meth:`unfinished`, and stays where it is. What goes wrong
        in a copy is in the info of its rollout.

        Args:
            request: See :meth:`play`; its seed is that of the first one.
            recorded: See :meth:`rollout`.
            count: How many.

        Raises:
            ServiceError: The policy does not fit the session.
        """
        episode = self.episode
        assert episode is not None
        seeds = _seeds(request, count)
        made: list[Rollout] = []
        try:
            while len(made) < count:
                if seeds[0] is not None:
                    request.seed = seeds[len(made)]
                if episode.over or episode.config.measured:
                    # Measuring a run takes the object file of a session.
                    made.append((yield from self._apart(request, recorded)))
                    continue
                self._ask_for_rows(request)
                request.episodes = count - len(made)
                message = pb.Request(play=request).SerializeToString()
                reply = (yield episode.session, (message,)).play
                for number, each in enumerate(reply.episodes):
                    late = each.error.code == pb.DEADLINE_EXCEEDED
                    cut = _is_cut(each.played, request)
                    if number and (late or cut):
                        # An episode that is played alone has more time and room.
                        break
                    if cut:
                        made.append((yield from self._apart(request, recorded)))
                        break
                    seed = seeds[len(made)]
                    rows = self._rows(each.played, request)
                    made.append((yield from self._played(each, seed, recorded, rows)))
        except ServiceError as error:
            turn = episode.end_with_error(error)
            self.stats.crashes += 1
            made.extend(
                self._rollout(RolloutParts(seed=seed), recorded, [], turn)
                for seed in seeds[len(made) :]
            )
        except BaseException:
            episode.session.close()
            raise
        return made

    def _apart(self, request: pb.Play, recorded: Recorded) -> Work[Rollout]:
        """What follows from here, in a session of its own."""
        twin = self.fork()
        twin.stats = self.stats
        try:
            return (yield from twin._to_the_end(_alone(request), recorded))
        finally:
            twin.close()

    def _ask_for_rows(self, request: pb.Play) -> None:
        """Have what decisions are made from sent along, if they are paid by that."""
        request.features |= self.setup.decision_reward is not None

    def _rows(
        self, reply: pb.PlayReply, request: pb.Play
    ) -> NDArray[np.float32] | None:
        """What decisions were made from, if they are paid by that."""
        if self.setup.decision_reward is None:
            return None
        parts = RolloutParts()
        parts.add(reply, self.setup.actions)
        wanted: Recorded = "legal" if request.legal_columns else True
        recording = parts.recording(wanted, self.setup.features.columns)
        assert recording is not None
        return recording.rows(parts.masks(self.setup.actions))

    def _played(
        self,
        made: pb.Episode,
        seed: int | None,
        recorded: Recorded,
        rows: NDArray[np.float32] | None,
    ) -> Work[Rollout]:
        """What a copy of the session has told of its episode."""
        twin = self._twin()
        episode = twin.episode
        assert episode is not None
        first = len(episode.rewards)
        parts = RolloutParts(seed=seed)
        if made.HasField("error"):
            turn = episode.end_with_error(error_of(made.error))
            self.stats.crashes += 1
            return twin._rollout(parts, recorded, [], turn)
        taken = parts.add(made.played, self.setup.actions)
        self.stats.steps += len(taken)
        state, measured = made.played.state, made.played.measured
        step = episode.advance(taken, state, measured, rows)
        if step is None:
            baseline = yield from self._baseline(episode.config, episode.program)
            step = yield from episode.end(baseline)
        rewards = episode.rewards[first:]
        turn = sum(rewards), *step[1:]
        if made.played.stopped:
            error = _stopped(episode, made.played)
            turn = turn[0], False, True, _failed(episode.program.name, error)
        return twin._rollout(parts, recorded, rewards, turn)

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
        session = self.running("fork").session.fork()
        twin = self._twin()
        assert twin.episode is not None
        twin.episode.session = session
        return twin

    def _twin(self) -> Engine:
        """A second engine for the episode as it stands, with the same session."""
        episode = self.running("fork")
        twin = Engine(self.setup, Stats(), self.view.copy())
        twin.episode = copy.copy(episode)
        twin.episode.view = twin.view
        twin.episode.actions = list(episode.actions)
        twin.episode.rewards = list(episode.rewards)
        twin.episode.finished = list(episode.finished)
        twin.episode.mask = copy.deepcopy(episode.mask)
        return twin

    def close(self) -> None:
        """End the compile that is under way."""
        if self.episode is not None:
            self.episode.session.close()
            self.episode = None


def _seeds(request: pb.Play, count: int) -> list[Any]:
    """The seeds of so many episodes; None if they do not draw."""
    if not request.HasField("seed"):
        return [None] * count
    return [(request.seed + number) % (1 << 64) for number in range(count)]


def _alone(request: pb.Play) -> pb.Play:
    """The same for a session that plays itself."""
    play = pb.Play()
    play.CopyFrom(request)
    play.episodes = 0
    return play


def _is_cut(played: pb.PlayReply, request: pb.Play) -> bool:
    """Whether it would go on, had its reply more room."""
    if played.stopped or not played.state.HasField("features"):
        return False
    return len(played.log_probabilities) // _FLOAT_BYTES != request.decisions


def _stopped(episode: Episode, reply: pb.PlayReply) -> PolicyError:
    return PolicyError(f"after {len(episode.actions)} decisions: {reply.stopped}")


def _failed(program: str, error: MLCompilerGymError) -> dict[str, Any]:
    """The info of an episode that an error has ended."""
    info: dict[str, Any] = {"program": program, "error": str(error)}
    if isinstance(error, ServiceError):
        info["error_code"] = error.code
    return info
