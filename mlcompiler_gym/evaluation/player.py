# SPDX-License-Identifier: Apache-2.0
"""Playing episodes, in one process."""

from __future__ import annotations

import io
import json
from typing import Any

import gymnasium
import numpy as np

import mlcompiler_gym
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.envs.episode import OF_THE_COMPILE
from mlcompiler_gym.errors import ErrorCode, EvaluationError, PolicyError, ServiceError
from mlcompiler_gym.evaluation.naming import (
    begin_policy,
    find_policy,
    find_policy_file,
    policy_maker,
)
from mlcompiler_gym.evaluation.plan import Evaluation, Record, Result
from mlcompiler_gym.policies import (
    Played,
    Policy,
    PortablePolicy,
    complete_settings,
    play,
)
from mlcompiler_gym.programs import Program
from mlcompiler_gym.registration import TASKS
from mlcompiler_gym.suggest import did_you_mean

#: How often an episode is begun if its session is killed from outside.
_TRIES = 3


def make_env(
    evaluation: Evaluation, policy: PortablePolicy | None = None
) -> tuple[gymnasium.Env[Any, Any], CompilerEnv]:
    """The environment of an evaluation, and what is inside of its wrappers.

    Args:
        evaluation: What is evaluated.
        policy: What plays, if it is not what the evaluation names.

    Raises:
        EvaluationError: There is none of that name, or not with such settings.
    """
    gymnasium.register_envs(mlcompiler_gym)
    settings = dict(evaluation.settings)
    env = _make(evaluation.env_id, settings)
    compiler = env.unwrapped
    if not isinstance(compiler, CompilerEnv):
        env.close()
        raise EvaluationError(f"{evaluation.env_id} is no environment of a compiler")
    try:
        file = policy or find_policy_file(evaluation.policy)
        wanted = complete_settings(env, file or evaluation.policy, settings)
    except (PolicyError, ValueError) as error:
        env.close()
        raise EvaluationError(str(error)) from error
    if wanted != settings:
        # The environment is made again to show what the policy decides from.
        env.close()
        return make_env(
            Evaluation(evaluation.env_id, evaluation.policy, wanted), policy
        )
    return env, compiler


def _make(env_id: str, settings: dict[str, Any]) -> gymnasium.Env[Any, Any]:
    try:
        return gymnasium.make(env_id, **settings)
    except gymnasium.error.UnregisteredEnv as error:
        hint = did_you_mean(env_id, [task.env_id for task in TASKS])
        raise EvaluationError(
            f"there is no environment {env_id!r}; {hint}"
            "`mlcompiler-gym envs list` has them all"
        ) from error
    except (gymnasium.error.Error, TypeError, ValueError) as error:
        raise EvaluationError(f"{env_id}: {error}") from error


class Player:
    """An environment and a policy, which play one episode after the other.

    Args:
        evaluation: What is evaluated.
        policy: What plays, if it is not what the evaluation names.

    Raises:
        EvaluationError: There is no such environment or policy.
    """

    def __init__(
        self, evaluation: Evaluation, policy: PortablePolicy | None = None
    ) -> None:
        self.evaluation = evaluation
        self._make_policy = (
            find_policy(evaluation.policy) if policy is None else policy_maker(policy)
        )
        self._env, self._compiler = make_env(evaluation.played, policy)
        #: What plays the latest episode.
        self._playing: Policy | None = None
        self._recorder = None
        if evaluation.save_steps:
            self._recorder = self._env = _Recorder(self._env)
        #: LLVM's version.
        self.llvm = self._compiler.setup.service.describe().llvm_version

    def play(self, program: Program, seed: int) -> Result:
        """Play one episode to its end.

        The compiler's errors are results; others are raised.
        """
        result = self._play_once(program, seed)
        for _ in range(_TRIES - 1):
            # Nothing is known of the policy from that.
            if result.record["error_code"] != ErrorCode.SESSION_LOST:
                break
            result = self._play_once(program, seed)
        return result

    def _play_once(self, program: Program, seed: int) -> Result:
        record = self._blank(program, seed)
        try:
            end = self._episode(program, seed)
        except ServiceError as error:
            if error.code not in OF_THE_COMPILE:
                raise
            # Not even its first decision was reached.
            record |= {"error": error.message, "error_code": error.code}
            return Result(record)
        record |= {"steps": end.steps, "reward": end.reward}
        record |= {k: end.info[k] for k in ("error", "error_code") if k in end.info}
        if (found := getattr(self._playing, "found", None)) is not None:
            spent = {"compiles": found.compiles, "seconds": round(found.seconds, 3)}
            record["search"] = spent
        if "objective" in end.info:
            known = end.info.get("baseline")
            record["objective"] = end.info["objective"]
            record["baseline"] = self._compiler.baseline if known is None else known
            if self.evaluation.by_function:
                functions = self._compiler.functions
                record["functions"] = [vars(function) for function in functions]
        record["trajectory"] = json.loads(self._compiler.trajectory.to_json())
        recorded = None if self._recorder is None else self._recorder.as_file()
        return Result(record, recorded)

    def _blank(self, program: Program, seed: int) -> Record:
        """The record of an episode of which nothing is known yet."""
        return {
            **self.evaluation.identity(),
            "llvm": self.llvm,
            "program": program.name,
            "program_sha256": program.sha256.hex(),
            "seed": seed,
            "steps": 0,
            "reward": 0.0,
            "objective": None,
            "baseline": None,
            "error": None,
            "error_code": None,
            "trajectory": None,
        }

    def _episode(self, program: Program, seed: int) -> Played:
        """Let the policy decide, from a reset to the end."""
        policy = self._playing = begin_policy(self._make_policy, self._env, seed)
        return play(self._env, policy, seed=seed, options={"program": program})

    def close(self) -> None:
        """End the compile that is under way."""
        self._env.close()


class _Recorder(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Keeps what it sees of an episode."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        space = env.observation_space
        parts = space.values() if isinstance(space, gymnasium.spaces.Dict) else (space,)
        if not all(isinstance(p, gymnasium.spaces.Box) for p in parts):
            raise EvaluationError(
                "only observations that are arrays can be saved; leave out graphs"
            )
        self._columns: dict[str, list[Any]] = {}

    def reset(self, **arguments: Any) -> tuple[Any, dict[str, Any]]:
        self._columns = {}
        observation, info = self.env.reset(**arguments)
        self._see(observation, info)
        return observation, info

    def step(self, action: Any) -> Any:
        observation, reward, terminated, truncated, info = self.env.step(action)
        for name, value in (
            ("actions", action),
            ("rewards", float(reward)),
            ("terminated", terminated),
            ("truncated", truncated),
        ):
            self._columns.setdefault(name, []).append(np.asarray(value))
        self._see(observation, info)
        return observation, reward, terminated, truncated, info

    def _see(self, observation: Any, info: dict[str, Any]) -> None:
        if isinstance(observation, dict):
            seen = {f"observations/{k}": v for k, v in observation.items()}
        else:
            seen = {"observations": observation}
        if "action_mask" in info:
            seen["action_masks"] = info["action_mask"]
        for name, value in seen.items():
            self._columns.setdefault(name, []).append(np.array(value))

    def as_file(self) -> bytes:
        """All of it; one row more of observations than of actions."""
        buffer = io.BytesIO()
        stacked = {name: np.stack(rows) for name, rows in self._columns.items()}
        np.savez_compressed(buffer, **stacked)  # type: ignore[arg-type]
        return buffer.getvalue()
