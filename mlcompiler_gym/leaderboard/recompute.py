# SPDX-License-Identifier: Apache-2.0
"""Compiling again what a submission says, program by program."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from typing_extensions import override

from mlcompiler_gym.envs.actions import Action
from mlcompiler_gym.envs.config import CompileConfig
from mlcompiler_gym.envs.scoring import values_of
from mlcompiler_gym.envs.trajectory import Replay, Trajectory, replay
from mlcompiler_gym.errors import (
    MLCompilerGymError,
    PolicyError,
    ServiceError,
    TrajectoryError,
)
from mlcompiler_gym.evaluation import EpisodePlayer, Evaluation, Record, Result
from mlcompiler_gym.evaluation.player import make_env
from mlcompiler_gym.evaluation.statistics import ratio_of
from mlcompiler_gym.leaderboard.decider import Decider
from mlcompiler_gym.leaderboard.reduction import reduce
from mlcompiler_gym.leaderboard.symbols import exported, missing
from mlcompiler_gym.leaderboard.tracks import Track
from mlcompiler_gym.leaderboard.walk import Walker
from mlcompiler_gym.measuring import MeasureError, Measuring, measure
from mlcompiler_gym.programs import Program
from mlcompiler_gym.v1 import compiler_service_pb2 as pb
from mlcompiler_gym.validation import reference_object, validate

#: How often a compile is begun if its session is killed from outside.
_TRIES = 3
#: Compiles that looking for the smallest part of a trajectory may take.
_REDUCTIONS = 60
#: The part of the gain that the smaller trajectory must keep.
_KEPT = 0.9
#: Steps of it that a message names.
_NAMED = 10


@dataclass(frozen=True)
class Recomputation(Evaluation):
    """What is compiled again.

    Attributes:
        track: What it is compared by.
        attempts: The actions for each program, by its name.
        policy_file: What decides where there are no attempts.
    """

    track: Track | None = None
    attempts: Mapping[str, Sequence[Action]] = field(default_factory=dict)
    policy_file: bytes | None = None

    @classmethod
    def of(
        cls,
        track: Track,
        attempts: Mapping[str, Sequence[Action]],
        digest: str,
        policy_file: bytes | None = None,
    ) -> Recomputation:
        """The compiler of a track.

        Args:
            track: Environment, objective, programs.
            attempts: The actions for each program.
            digest: What tells these attempts from others.
            policy_file: What decides where there are no attempts.
        """
        return cls(
            track.env,
            f"submission {digest}",
            track.evaluation_settings(),
            track=track,
            attempts=attempts,
            policy_file=policy_file,
        )

    @override
    def make_player(self) -> EpisodePlayer:
        return Recomputer(self)


class Recomputer:
    """Compiles, runs and compares, in one process.

    The record of each program has, beside what an evaluation's has:

    * ``value``, ``baseline``, ``object_sha256``, ``decisions``;
    * ``validation``, as ``Validation.status`` has it, or ``"not run"``;
    * ``seconds`` and ``baseline_seconds``, of the two compiles;
    * ``actions``, what a policy decided, and ``decision_seconds``, of all of that;
    * ``refusals``, what is wrong with the code, by kind;
    * ``smallest``, the part of a suspicious trajectory that does it.
    """

    def __init__(self, what: Recomputation) -> None:
        assert what.track is not None
        self._what = what
        self._track = what.track
        self._env, self._compiler = make_env(what)
        self._service = self._compiler.setup.service
        self._llvm = self._service.describe().llvm_version
        self._walker: Walker | None = None
        self._decider = None
        if what.policy_file is not None:
            self._decider = Decider(what.track, what.policy_file)

    def play(self, program: Program, seed: int) -> Result:
        """Compile one program again, and look at what came of it."""
        record: Record = {
            **self._what.identity(),
            "llvm": self._llvm,
            "program": program.name,
            "program_sha256": program.sha256.hex(),
            "seed": seed,
            "value": None,
            "baseline": None,
            "object_sha256": None,
            "decisions": 0,
            "validation": "not run",
            "seconds": None,
            "baseline_seconds": None,
            "decision_seconds": None,
            "actions": None,
            "refusals": {},
            "smallest": None,
        }
        for remaining in reversed(range(_TRIES)):
            try:
                if self._decider is None:
                    actions = self._what.attempts[program.name]
                else:
                    actions, seconds = self._decider.decide(program)
                    record |= {"actions": actions, "decision_seconds": seconds}
                return Result(record | self._look(program, actions))
            except PolicyError as error:
                return Result(record | {"refusals": {"policy": str(error)}})
            except ServiceError as error:
                if error.code != "SESSION_LOST" or not remaining:
                    found = {"failed": str(error)}
                    return Result(record | {"refusals": found})
        raise AssertionError

    def _look(self, program: Program, actions: Sequence[Action]) -> dict[str, Any]:
        trajectory = self._trajectory(program, actions)
        values, reference, _ = self._heuristic(trajectory.config, program)
        # Once more: the first had to read the program.
        _, _, baseline_seconds = self._heuristic(trajectory.config, program)
        began = perf_counter()
        try:
            done = replay(trajectory, program, service=self._service)
        except TrajectoryError as error:
            return {"refusals": {"actions": str(error)}}
        seconds = perf_counter() - began
        refusals: dict[str, str] = {}
        value, baseline = self._values(program, done, values, reference, refusals)
        found: dict[str, Any] = {
            "value": value,
            "baseline": baseline,
            "object_sha256": hashlib.sha256(done.object_code).hexdigest(),
            "decisions": len(actions),
            "seconds": seconds,
            "baseline_seconds": baseline_seconds,
            "refusals": refusals,
        }
        found["validation"] = self._compare(program, done, reference, refusals)
        if value is None or baseline is None:
            return found
        if 1 - ratio_of(value, baseline) > self._track.suspicious:
            found["smallest"] = self._smallest(trajectory, program, value, baseline)
        return found

    def _trajectory(self, program: Program, actions: Sequence[Action]) -> Trajectory:
        self._compiler.reset(options={"program": program})
        return dataclasses.replace(self._compiler.trajectory, actions=tuple(actions))

    def _heuristic(
        self, config: CompileConfig, program: Program
    ) -> tuple[dict[str, float], bytes, float]:
        """What LLVM by itself comes to: values, object file, seconds."""
        began = perf_counter()
        session = self._service.open(config.baseline_request(), program)
        try:
            values = values_of(session.opened.state.outcome)
            return values, session.emit("object"), perf_counter() - began
        finally:
            session.close()

    def _values(
        self,
        program: Program,
        done: Replay,
        baselines: Mapping[str, float],
        reference: bytes,
        refusals: dict[str, str],
    ) -> tuple[float | None, float | None]:
        """The objective's value and LLVM's."""
        name = self._track.objective
        if name in done.values:
            return done.values[name], baselines[name]
        builds = {"baseline": reference, "ours": done.object_code}
        try:
            samples = measure(program, builds, [name], Measuring())
        except MeasureError as error:
            refusals["not measured"] = str(error)
            return None, None
        return samples["ours"][name].median, samples["baseline"][name].median

    def _compare(
        self,
        program: Program,
        done: Replay,
        heuristic: bytes,
        refusals: dict[str, str],
    ) -> str:
        """Whether it still offers the same and computes the same."""
        config = self._compiler.trajectory.config
        plain = reference_object(program, self._service, config.target, config.cpu)
        ir = str(self._compiler.observe("ir")["ir"])
        if gone := missing(plain, heuristic, done.object_code, ir):
            refusals["symbols"] = (
                "the object file does not define what others may refer to: "
                + ", ".join(sorted(gone))
            )
        if extra := exported(done.object_code) - exported(plain):
            refusals["symbols"] = (
                "the object file defines what the program does not: "
                + ", ".join(sorted(extra))
            )
        if not program.inputs or "symbols" in refusals:
            return "not run"
        try:
            found = validate(
                program,
                done.object_code,
                reference=plain,
                service=self._service,
                target=config.target,
                cpu=config.cpu,
            )
        except MLCompilerGymError as error:
            refusals["not run"] = f"the program cannot be run: {error}"
            return "not run"
        if found.differences:
            refusals["miscompiled"] = found.report()
        return found.status

    def _smallest(
        self, trajectory: Trajectory, program: Program, value: float, baseline: float
    ) -> list[str]:
        """The part of a trajectory that keeps most of its gain, for a person."""
        gain = 1 - ratio_of(value, baseline)

        def keeps(reached: float | None) -> bool:
            if reached is None:
                return False
            return 1 - ratio_of(reached, baseline) >= _KEPT * gain

        config, actions = trajectory.config, trajectory.actions
        if self._track.objective not in config.objectives:
            return []
        if self._compiler.setup.spec.kind == pb.TaskSpec.OPEN_ENDED:
            meaning = self._compiler.setup.actions.meaning

            def value_of(places: Sequence[int]) -> float | None:
                part = tuple(actions[place] for place in places)
                some = dataclasses.replace(trajectory, actions=part)
                try:
                    done = replay(some, program, service=self._service)
                except MLCompilerGymError:
                    return None
                return done.values[self._track.objective]

            kept = reduce(
                range(len(actions)), lambda part: keeps(value_of(part)), _REDUCTIONS
            )
            return _named([meaning(actions[place]) for place in kept])
        if self._walker is None:
            self._walker = Walker(self._what)
        walker, objective = self._walker, self._track.objective
        differing = walker.walk(program, actions, objective).differing
        if not differing:
            return []
        kept = reduce(
            differing,
            lambda part: keeps(
                walker.walk(program, actions, objective, set(part)).value
            ),
            _REDUCTIONS,
        )
        steps = walker.look(program, actions, max(kept) + 1, set(kept))
        return _named([f"decision {p}: {steps[p]}" for p in kept if p < len(steps)])

    def close(self) -> None:
        """End the compile that is under way."""
        self._env.close()
        for other in (self._walker, self._decider):
            if other is not None:
                other.close()


def _named(steps: list[str]) -> list[str]:
    more = len(steps) - _NAMED
    return steps[:_NAMED] + ([f"and {more} more"] if more > 0 else [])
