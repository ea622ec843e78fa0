# SPDX-License-Identifier: Apache-2.0
"""Pass ordering: which pass, or sequence of passes, runs next."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from typing_extensions import override

from mlcompiler_gym.best_action import BEST, WORK, affordable
from mlcompiler_gym.envs.core import CompilerEnv
from mlcompiler_gym.envs.episode import OpenEndedEpisode, StepResult
from mlcompiler_gym.envs.rollout import (
    PolicyData,
    Recorded,
    Rollout,
    is_best,
    policy_content,
)
from mlcompiler_gym.envs.scoring import baseline
from mlcompiler_gym.envs.setup import Setup, make_setup
from mlcompiler_gym.envs.step_reward import POSET_RL, StepReward
from mlcompiler_gym.envs.vector import vector_maker
from mlcompiler_gym.errors import PolicyError
from mlcompiler_gym.policy_file import decode_policy
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

#: Optimisation levels that there are baselines of.
LEVELS = ("O0", "O1", "O2", "O3", "Os", "Oz")


class PassOrderingEnv(CompilerEnv):
    """``mlcompiler/PassOrdering-v0``: which pass runs next, on the whole module.

    A decision is the next action; there is no last one. Episodes are truncated
    after 50 steps unless ``max_episode_steps`` says otherwise. The program has
    been through ``default<O0>`` when the first decision comes, since inlining that
    is mandatory counts for every compiler.

    Action: ``Discrete(n)``, an index into the chosen set of pipelines.

    Observation: Autophase's 56 counts of the module unless ``observations`` says
    otherwise (``docs/observations.md``).

    Objective: ``ir_instructions`` unless told otherwise; any of them, and weighted
    sums.

    Reward: at each step ``(v_prev - v) / max(b0 - b, 1)``, where ``b0`` is the
    value of the program as the episode finds it and ``b`` that of the baseline: a
    sum of 1 is as good as ``-Oz``. ``reward="poset-rl"`` is POSET-RL's.

    Info: beside :class:`~mlcompiler_gym.envs.core.CompilerEnv`'s, ``objective``, the
    values after each step, and ``no_effect``, whether the step left the module as
    it was. A pass that crashes, runs into the deadline or breaks the module ends
    the episode, truncated, with ``error`` and ``error_code``.

    Args:
        baseline: The level that rewards are relative to.
        reward: ``"gain"``, ``"poset-rl"`` or a :class:`StepReward`.
    """

    task = "pass_ordering"

    @override
    @classmethod
    def make_setup(
        cls, settings: Mapping[str, Any], beside: Iterable[str] = ()
    ) -> Setup:
        given = dict(settings)
        level = given.pop("baseline", "Oz")
        if level not in LEVELS:
            raise ValueError(f"baseline is one of {', '.join(LEVELS)}, not {level!r}")
        reward = given.pop("reward", "gain")
        if reward == "poset-rl":
            reward = POSET_RL
        if isinstance(reward, StepReward):
            if given.get("objective") is not None:
                raise TypeError(
                    "a StepReward has the weights of its objectives; leave out "
                    "objective"
                )
            given["objective"] = dict(reward.weights)
        elif reward != "gain":
            raise ValueError(
                f"reward is 'gain', 'poset-rl' or a StepReward, not {reward!r}"
            )
        given.setdefault("observations", ("autophase",))
        setup = make_setup(
            cls.task,
            given,
            beside=(*beside, "baseline", "reward"),
            step_reward=StepReward({}),
            baseline_pipeline=f"default<{level}>",
        )
        if not isinstance(reward, StepReward):
            reward = StepReward(setup.scoring.weights)
        return dataclasses.replace(setup, step_reward=reward)

    @property
    def action_names(self) -> list[str]:
        """What each action runs, as for ``opt -passes=``."""
        return list(self.setup.actions.meanings)

    def multistep(self, actions: Sequence[Any]) -> StepResult:
        """Take several actions in one request; what the last of them leads to.

        The reward is that of getting from the state before the first to the one
        behind the last. Steps taken so are not counted by ``TimeLimit``.

        Raises:
            InvalidActionError: One of them is no action.
        """
        self._engine.unfinished("multistep")
        codec = self.setup.actions
        checked = [codec.check(action) for action in actions]
        step = pb.Step(actions=codec.encode(checked))
        request = pb.Request(step=step).SerializeToString()
        return self._answer(checked, request)

    def action_rewards(
        self, actions: Sequence[int] | None = None, *, parallel: int | None = None
    ) -> dict[int, float]:
        """What a step would pay, by action.

        Each action is tried in a copy of the compile; see :meth:`action_values`.

        Args:
            actions: Which; None: all that are legal.
            parallel: How many copies compute at the same time; None: one for each
                processor.

        Returns:
            The rewards of the actions that the compiler survives.

        Raises:
            InvalidActionError: An action is not legal.
            ResetNeededError: There is no episode under way.
            ServiceError: The session has ended.
        """
        values = self.action_values(actions=actions, parallel=parallel)
        episode = self._running("action_rewards")
        assert isinstance(episode, OpenEndedEpisode)
        return {
            action: episode.worth(reached)
            for action, reached in values.items()
            if isinstance(action, int) and action not in values.errors
        }

    def best_action(self, *, work: int = WORK) -> tuple[int, int]:
        """The action that pays most, when the first are tried in copies.

        Args:
            work: IR instructions to compile at most, the program's once for each
                action; two actions are tried in any case.

        Returns:
            The action, the first of several that are as good, and how many were
            tried. If only one is legal, it is not tried.

        Raises:
            ResetNeededError: There is no episode under way.
            ServiceError: The session has ended.
        """
        legal = [int(each) for each in np.flatnonzero(self.action_masks())]
        if len(legal) == 1:
            return legal[0], 0
        size = self.measure("ir_instructions")["ir_instructions"]
        tried = legal[: affordable(size, work)]
        rewards = self.action_rewards(tried)
        best = max(rewards, key=rewards.__getitem__, default=legal[0])
        return best, len(tried)

    @override
    def rollout(
        self,
        policy: PolicyData,
        *,
        seed: int | None = None,
        decisions: int | None = None,
        features: Recorded = False,
    ) -> Rollout:
        """As :meth:`CompilerEnv.rollout`, and by the policy ``best``, too.

        ``best`` tries the actions in copies of the compile before each step, and draws
        nothing, so that a seed makes no difference. ``"reference"`` is such a policy.

        Args:
            policy: See :meth:`finish`.
            seed: See :meth:`finish`.
            decisions: How many.
            features: Also return what each decision was made from; not by ``best``.

        Raises:
            InvalidRequestError: See :meth:`finish`.
            PolicyError: See :meth:`finish`; or the environment has other actions than
                the policy, or ``best`` is asked for features.
            ResetNeededError: There is no episode under way.
            ValueError: ``decisions`` is not a number from 1 on.
        """
        content = policy_content(self.task, policy)
        if not is_best(content) or decisions is None or decisions < 1:
            return super().rollout(
                policy, seed=seed, decisions=decisions, features=features
            )
        if features:
            raise PolicyError(f"{BEST!r} goes by no features; leave them out")
        options = self.setup.config.options
        for each in decode_policy(content).options:
            if options.get(each.name) != each.value:
                raise PolicyError(
                    f"the policy chooses from other {each.name} than the environment "
                    "has; make it with what settings_for(env, policy) says"
                )
        self._running("rollout")
        taken, rewards = [], []
        for _ in range(decisions):
            action, _ = self.best_action()
            observation, reward, terminated, truncated, info = self.step(action)
            taken.append(action)
            rewards.append(reward)
            if terminated or truncated:
                break
        return Rollout(
            actions=np.array(taken, np.int64),
            log_probabilities=np.zeros(len(taken), np.float32),
            rewards=np.array(rewards, np.float64),
            masks=None,
            recording=None,
            reward=sum(rewards),
            terminated=terminated,
            truncated=truncated,
            info=info,
            observation=observation,
            seed=None,
        )

    def commandline(self, source: str = "input.bc", output: str = "output.bc") -> str:
        """The ``opt-22`` call that gives ``emit("bitcode")``, to the byte.

        Args:
            source: Name of a file that holds ``program.bitcode``.
            output: Name of the file to write.
        """
        arguments = json.loads(self.observe("opt_arguments")["opt_arguments"])
        return shlex.join(["opt-22", *arguments, source, "-o", output])

    def baselines(self, *levels: str) -> dict[str, dict[str, float]]:
        """What LLVM's own levels reach on this program.

        Args:
            *levels: Any of O0, O1, O2, O3, Os, Oz; all by default. The program is the
                same for each, functions marked as it has them.

        Returns:
            Values by level and objective.
        """
        config = self._running("baselines").config
        return {
            level: dict(
                baseline(
                    self.setup.service,
                    dataclasses.replace(config, baseline_pipeline=f"default<{level}>"),
                    self.program,
                ).values
            )
            for level in levels or LEVELS
        }


#: ``gymnasium.make_vec("mlcompiler/PassOrdering-v0", num_envs, ...)``.
make_vector = vector_maker(PassOrderingEnv)
