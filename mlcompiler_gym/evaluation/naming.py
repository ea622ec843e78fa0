# SPDX-License-Identifier: Apache-2.0
"""Policies by name."""

from __future__ import annotations

import functools
import importlib
import inspect
from typing import Any

import gymnasium

from mlcompiler_gym.best_sample import samples_of
from mlcompiler_gym.errors import EvaluationError, PolicyError
from mlcompiler_gym.policies import (
    NAMED,
    Policy,
    PolicyMaker,
    PortablePolicy,
    reference,
    sampled,
)
from mlcompiler_gym.reference import REFERENCE, USUAL_TASK, read_reference
from mlcompiler_gym.registration import TASKS, TaskEntry


def find_policy_file(name: str) -> PortablePolicy | None:
    """The policy in a file, or of a task by name.

    Args:
        name: ``"mine.policy"``, ``"regalloc_eviction=llvm"``, or
            ``"pass_ordering_once=reference"``, which is a file of the package.

    Returns:
        None if the name says neither a file nor a task.

    Raises:
        EvaluationError: It cannot be read, or is broken.
    """
    task, _, last = name.rpartition("=")
    if task and last in NAMED:
        return PortablePolicy.named(last, task)
    if task and last == REFERENCE:
        try:
            return PortablePolicy.from_bytes(read_reference(task))
        except PolicyError as error:
            raise EvaluationError(str(error)) from error
    if not name.endswith(".policy"):
        return None
    try:
        return PortablePolicy.load(name)
    except PolicyError as error:
        raise EvaluationError(str(error)) from error


def find_policy(name: str) -> PolicyMaker:
    """What makes a policy.

    Args:
        name: ``"llvm"`` (its own decisions), ``"inactive"`` or ``"never"``,
            ``"always"`` (the task's inactive action, and its opposite), ``"random"``,
            ``"last_use"`` (inlining), ``"best"`` (pass ordering), ``"reference"`` (the
            task's policy that comes with the package), ``"best_of_64"`` (the best of so
            many samples of that), a file, ``"mine.policy"``, or ``"module:object"``.
            The object is a policy itself, ``object(observation, info)``, or makes one
            of an environment, ``object(env)``; the latter is given the episode's seed
            if it has an argument ``seed``.

    Raises:
        EvaluationError: There is no such policy.
    """
    if name == "never":
        return NAMED["inactive"]
    if name in NAMED:
        return NAMED[name]
    if name == REFERENCE:
        return lambda env, seed: policy_maker(reference(env))(env, seed)
    if (samples := samples_of(name)) is not None:
        return functools.partial(sampled.best_of, samples=samples)
    if policy := find_policy_file(name):
        return policy_maker(policy)
    module_name, colon, path = name.partition(":")
    if not colon or not path:
        raise EvaluationError(
            f"no policy {name!r}; there are {', '.join(NAMED)}, {REFERENCE}, "
            "best_of_64 (or another number), and 'mine.policy' or 'module:object' for "
            "one of your own"
        )
    try:
        found: Any = importlib.import_module(module_name)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise EvaluationError(f"policy {name!r}: {error}") from error
    return _as_maker(name, found)


def begin_policy(make: PolicyMaker, env: gymnasium.Env[Any, Any], seed: int) -> Policy:
    """The policy of an episode.

    Args:
        make: What makes it.
        env: Where it is to play.
        seed: The episode's.

    Raises:
        EvaluationError: It is not for such an environment.
    """
    try:
        return make(env, seed)
    except ValueError as error:
        raise EvaluationError(str(error)) from error


def policy_maker(policy: PortablePolicy) -> PolicyMaker:
    """What makes a policy that is data, which may be one by name."""
    return NAMED[policy.builtin] if policy.builtin else lambda env, seed: policy


def portable_policy(name: str) -> PortablePolicy:
    """A policy that is data: in a file, or one by name.

    Args:
        name: ``"mine.policy"``, ``"llvm"``, ``"reference"`` (of inlining),
            ``"task=llvm"`` or ``"task=reference"``.

    Raises:
        EvaluationError: There is no such policy, or its file is broken.
    """
    if policy := find_policy_file(name):
        return policy
    if name == REFERENCE:
        return portable_policy(f"{USUAL_TASK}={REFERENCE}")
    if name not in NAMED:
        raise EvaluationError(
            f"no policy {name!r}; there are {', '.join(NAMED)}, {REFERENCE}, and "
            "files, 'mine.policy'"
        )
    return PortablePolicy.named(name)


def env_of(policy: PortablePolicy) -> str:
    """Id of the environment of a policy's task.

    Raises:
        EvaluationError: It is of no task, or of one that is not known.
    """
    for task in TASKS:
        if _name_of(task) == policy.task:
            return task.env_id
    raise EvaluationError(
        f"there is no environment of the policy's task, {policy.task!r}"
        if policy.task
        else "the policy is of no task; say which environment, or name the task, as in "
        "'inlining=llvm'"
    )


def policy_in(env_id: str, name: str) -> PortablePolicy | None:
    """The policy that is data which a name stands for in an environment.

    Returns:
        None if it is no such policy, as a search, or is not here.
    """
    name = "inactive" if name == "never" else name
    if name in NAMED:
        return PortablePolicy.named(name)
    if name == REFERENCE:
        tasks = [_name_of(task) for task in TASKS if task.env_id == env_id]
        name = f"{tasks[0]}={REFERENCE}" if tasks else name
    try:
        return find_policy_file(name)
    except EvaluationError:
        return None


def _name_of(entry: TaskEntry) -> str:
    """The name of the task in a row of the table of tasks."""
    module = importlib.import_module(f"mlcompiler_gym.envs.{entry.module}")
    name: str = getattr(module, entry.class_name).task
    return name


def _as_maker(name: str, found: Any) -> PolicyMaker:
    try:
        parameters = inspect.signature(found).parameters
    except (TypeError, ValueError) as error:
        raise EvaluationError(f"policy {name!r} cannot be called: {error}") from error
    required = [
        each
        for each in parameters.values()
        if each.default is each.empty
        and each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
        and each.name != "seed"
    ]
    if len(required) == 2:
        return lambda env, seed: found  # type: ignore[no-any-return, unused-ignore]
    if len(required) != 1:
        raise EvaluationError(
            f"policy {name!r} takes {len(required)} arguments; it must be a "
            "function of (observation, info), or make one of (env) or (env, seed)"
        )
    if "seed" in parameters:
        return lambda env, seed: found(env, seed=seed)  # type: ignore[no-any-return, unused-ignore]
    return lambda env, seed: found(env)  # type: ignore[no-any-return, unused-ignore]
