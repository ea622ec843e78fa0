# SPDX-License-Identifier: Apache-2.0
"""Policies inside of the compiler, as in a real build, against LLVM by itself."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from mlcompiler_gym.envs.episode import OF_THE_COMPILE
from mlcompiler_gym.envs.rollout import play_request
from mlcompiler_gym.errors import (
    EvaluationError,
    InvalidRequestError,
    PolicyError,
    ServiceError,
)
from mlcompiler_gym.evaluation.naming import env_of, portable_policy
from mlcompiler_gym.evaluation.plan import EpisodePlayer, Evaluation, Record, Result
from mlcompiler_gym.evaluation.player import Player
from mlcompiler_gym.policies import Played, PortablePolicy
from mlcompiler_gym.programs import Program
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

#: ``error_code`` of an episode that the policy could not decide to the end.
POLICY_FAILED = "POLICY"


@dataclass(frozen=True)
class Deployment(Evaluation):
    """A policy that decides inside of the compiler.

    The record of each program has, beside what an evaluation's has:

    * ``seconds`` and ``baseline_seconds``: of the compile with the policy and of
      LLVM's own, the shortest of several, taken in turn;
    * ``seen``: of each element of the policy's inputs how many decisions lay in each
      bin of its card, or null if the card has none.

    Attributes:
        policy_file: Contents of the policy's file.
        repeats: How often the compiles are timed.
    """

    policy_file: bytes = b""
    repeats: int = 1

    @classmethod
    def of(
        cls,
        policy: str,
        settings: Mapping[str, Any],
        env_id: str | None = None,
        repeats: int = 1,
    ) -> Deployment:
        """The deployment of a policy in a file, or of one by name.

        Args:
            policy: ``"mine.policy"``, ``"llvm"`` and so on.
            settings: Further arguments of ``gym.make``.
            env_id: The environment; None: the one of the policy's task.
            repeats: How often the compiles are timed.

        Raises:
            EvaluationError: There is no such policy, or no environment of its task.
        """
        found = portable_policy(policy)
        content = found.to_bytes()
        # A policy that has changed under the same name is another one.
        digest = hashlib.sha256(content).hexdigest()[:12]
        return cls(
            env_id or env_of(found),
            f"{policy} {digest}",
            settings,
            policy_file=content,
            repeats=repeats,
        )

    @override
    def make_player(self) -> EpisodePlayer:
        return DeployedPlayer(self)


class DeployedPlayer(Player):
    """Compiles programs with a policy inside, one after the other.

    Raises:
        EvaluationError: There is no such environment.
    """

    def __init__(self, what: Deployment) -> None:
        self._policy = PortablePolicy.from_bytes(what.policy_file)
        super().__init__(what, self._policy)
        self._repeats = what.repeats
        self._histograms = self._policy.seen
        self._counts: list[NDArray[np.int64]] = []
        #: Decisions of a task that has no end of its own; None: it has one.
        self._decisions = None
        if self._compiler.setup.spec.kind == pb.TaskSpec.OPEN_ENDED:
            assert self._env.spec is not None
            self._decisions = self._env.spec.max_episode_steps

    @override
    def _episode(self, program: Program, seed: int) -> Played:
        self._compiler.reset(seed=seed, options={"program": program})
        made = self._compiler.rollout(
            self._policy,
            seed=self._seed(seed),
            decisions=self._decisions,
            features=bool(self._histograms),
        )
        self._counts = [
            np.zeros(len(each.counts), np.int64) for each in self._histograms
        ]
        if made.features is not None:
            self._count(made.features)
        return Played(made.info, made.reward, len(self._compiler.trajectory.actions))

    @override
    def _play_once(self, program: Program, seed: int) -> Result:
        try:
            record = super()._play_once(program, seed).record
        except PolicyError as error:
            record = self._blank(program, seed) | {
                "error": str(error),
                "error_code": POLICY_FAILED,
            }
        except InvalidRequestError as error:
            raise EvaluationError(f"{self.evaluation.policy}: {error.message}") from (
                error
            )
        record |= {"seconds": None, "baseline_seconds": None, "seen": None}
        if record["error_code"] is not None:
            return Result(record)
        if self._histograms:
            record["seen"] = [each.tolist() for each in self._counts]
        try:
            record |= self._timed(seed)
        except ServiceError as error:
            if error.code not in OF_THE_COMPILE:
                raise
            record |= {"error": error.message, "error_code": error.code}
        return Result(record)

    def _timed(self, seed: int) -> Record:
        """What the compiles take; they and nothing else are in a session of their own.

        Sessions that wait at their first decision, as those of episodes do, would have
        done half of it already.
        """
        program = self._compiler.program
        config = self._compiler.trajectory.config
        play = pb.Request(
            play=play_request(
                config.task,
                self._policy,
                self._seed(seed),
                self._decisions,
                features=False,
            )
        )

        def compile_once(opening: pb.Open, then: pb.Request | None) -> float:
            began = perf_counter()
            session = self._compiler.setup.service.open(opening, program)
            try:
                if then is not None and session.opened.state.HasField("features"):
                    session.call(then)
                session.emit("object")
                return perf_counter() - began
            finally:
                session.close()

        pairs = [
            (
                compile_once(config.baseline_request(), None),
                compile_once(config.open_request(park=False), play),
            )
            for _ in range(self._repeats)
        ]
        llvm, ours = (min(each) for each in zip(*pairs, strict=True))
        return {"seconds": ours, "baseline_seconds": llvm}

    def _seed(self, seed: int) -> int | None:
        """What actions are drawn with, by a policy that can do nothing else."""
        return seed if self._policy.builtin == "random" else None

    def _count(self, rows: NDArray[np.float32]) -> None:
        observer = self._compiler.setup.features
        inputs = self._policy.message.model.inputs
        if not observer.is_row:
            rows = observer.present(rows, {})
        columns = [
            column
            for each in inputs
            for column in observer.pick(rows, each.feature).reshape(len(rows), -1).T
        ]
        for histogram, counts, column in zip(
            self._histograms, self._counts, columns, strict=True
        ):
            counts += histogram.count(column)
