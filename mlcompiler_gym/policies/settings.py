# SPDX-License-Identifier: Apache-2.0
"""What an environment has to be made with for a policy."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any

import gymnasium

from mlcompiler_gym.best_action import BEST
from mlcompiler_gym.best_sample import samples_of
from mlcompiler_gym.envs.setup import Setup
from mlcompiler_gym.policies.baselines import (
    check_by_function,
    compiler_of,
    heuristic_settings,
    missing_settings,
)
from mlcompiler_gym.policies.policy import PortablePolicy
from mlcompiler_gym.policies.references import reference
from mlcompiler_gym.reference import REFERENCE


def settings_for(
    env: gymnasium.Env[Any, Any], policy: str | PortablePolicy
) -> dict[str, Any]:
    """What an environment also has to be made with, for a policy.

    Args:
        env: Any of the environments.
        policy: One that is data, or the name of one. Other names need nothing.

    Raises:
        PolicyError: The task has no reference policy.
        ValueError: The task has no such policy; or the policy is of another task, or
            was made with an option that the task does not have.
    """
    setup = compiler_of(env).setup
    task = setup.config.task
    if isinstance(policy, str) and samples_of(policy) is not None:
        # It draws from the reference policy, and LLVM's own compile is one of several.
        wanted = settings_for(env, REFERENCE)
        check_by_function(compiler_of(env))
        return wanted | heuristic_settings(env)
    if policy == REFERENCE:
        policy = reference(env)
    options, name = [], policy
    wanted = {}
    if isinstance(policy, PortablePolicy):
        if policy.task not in ("", task):
            raise ValueError(
                f"the policy decides {policy.task}, and the environment is of {task}"
            )
        options, name = list(policy.message.options), policy.builtin
        wanted = _observations(setup, policy)
    if name == "llvm":
        return wanted | heuristic_settings(env) | missing_settings(setup, options)
    if name == BEST:
        # Each of its actions is a whole compile.
        wanted["max_episode_steps"] = 1
    for rule in setup.spec.rules:
        if rule.name == name:
            options.extend(rule.options)
    return wanted | missing_settings(setup, options)


def complete_settings(
    env: gymnasium.Env[Any, Any], policy: str | PortablePolicy, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Settings of an environment, and what a policy needs beside them.

    Args:
        env: An environment that was made with these settings.
        policy: As for :func:`settings_for`.
        given: The settings.

    Raises:
        PolicyError: See :func:`settings_for`.
        ValueError: See :func:`settings_for`; or the settings say something else than
            the policy needs.
    """
    wanted = settings_for(env, policy)
    # How many decisions an episode may have is not for the policy to say.
    if otherwise := wanted.keys() & given.keys() - {"max_episode_steps"}:
        name = min(otherwise)
        needed, made = reprlib.repr(wanted[name]), reprlib.repr(given[name])
        raise ValueError(
            f"the policy needs {name}={needed}, and the environment is made with "
            f"{name}={made}. Leave {name} out, or take another policy"
        )
    return {**wanted, **given}


def _observations(setup: Setup, policy: PortablePolicy) -> dict[str, Any]:
    """What to observe of the program, in addition to the features of a decision."""
    inputs = [each.feature for each in policy.message.model.inputs]
    known = {each.name for each in setup.service.describe().observations}
    named = [name for name in inputs if name in known]
    if set(named) <= set(setup.config.observations):
        return {}
    return {"observations": named}
