# SPDX-License-Identifier: Apache-2.0
"""What holds for every task of the table, whatever it decides."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import RescaleAction
from stable_baselines3.common.env_checker import check_env as sb3_check_env
from support.tasks import ALL, entry, make_task

import mlcompiler_gym
from mlcompiler_gym.registration import TASKS

ROOT = Path(__file__).parents[2]

#: Actions that need no scaling.
CHOICES = (spaces.Discrete, spaces.MultiDiscrete)

LOW, HIGH = np.float32(-1), np.float32(1)


@contextmanager
def warnings_are_errors() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Gymnasium's makes environments for the render check and leaves them open.
        warnings.simplefilter("ignore", ResourceWarning)
        yield


@pytest.mark.parametrize("observation", ["flat", "dict"])
@pytest.mark.parametrize("env_id", ALL)
def test_checkers_have_nothing_to_say(env_id: str, observation: str) -> None:
    env = make_task(env_id, observation=observation)
    if isinstance(env.action_space, CHOICES):
        with warnings_are_errors():
            check_env(env)
            sb3_check_env(env)
        return
    # A number in its own unit is not normalised, and that is all there is to say. What
    # the docs tell users of Stable-Baselines3 to wrap it in is.
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", ResourceWarning)
        check_env(env)
    assert [str(each.message).count("symmetric and normalized") for each in said] == [1]
    with warnings_are_errors():
        sb3_check_env(RescaleAction(env, LOW, HIGH))


@pytest.mark.parametrize("env_id", ALL)
def test_rescaled_actions_reach_the_bounds(env_id: str) -> None:
    env = make_task(env_id)
    space = env.action_space
    if not isinstance(space, spaces.Box):
        assert isinstance(space, CHOICES)
        return
    rescaled: Any = RescaleAction(env, LOW, HIGH)
    rescaled.reset()
    for action in (LOW, np.float32(0.25), HIGH):
        rescaled.step(np.full(space.shape, action))
    taken = env.trajectory.actions
    # To the last bit but one of a float.
    assert (taken[0], taken[-1]) == pytest.approx((space.low.item(), space.high.item()))


@pytest.mark.parametrize("env_id", ALL)
def test_two_at_once(env_id: str) -> None:
    env = make_task(env_id)
    envs: Any = gym.make_vec(env_id, num_envs=2, programs=env.setup.programs)
    assert envs.single_action_space == env.action_space
    seen, _ = envs.reset(seed=0)
    alone, info = env.reset(seed=0)
    np.testing.assert_array_equal(seen, np.stack([alone] * 2))
    mask = info.get("action_mask")
    action = env.action_space.sample(mask) if mask is not None else None
    action = env.action_space.sample() if action is None else action
    seen, rewards, *_ = envs.step(np.array([action] * 2))
    alone, reward, *_ = env.step(action)
    np.testing.assert_array_equal(seen, np.stack([alone] * 2))
    assert rewards.tolist() == [reward] * 2
    envs.close()
    env.close()


def exported() -> tuple[set[str], dict[str, str]]:
    """What ``__all__`` spells out, and where type checkers find names."""
    tree = ast.parse(Path(mlcompiler_gym.__file__).read_text())
    names: set[str] = set()
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            modules |= {alias.name: node.module or "" for alias in node.names}
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names = set(ast.literal_eval(node.value))
    return names, modules


@pytest.mark.parametrize("env_id", ALL)
def test_is_exported(env_id: str) -> None:
    task = entry(env_id)
    assert getattr(mlcompiler_gym, task.class_name).__module__.endswith(task.module)
    assert task.class_name in dir(mlcompiler_gym)


def test_the_table_is_spelled_out_for_readers_and_type_checkers() -> None:
    names, modules = exported()
    readme = (ROOT / "README.md").read_text()
    missing = []
    for task in TASKS:
        module = f"mlcompiler_gym.envs.{task.module}"
        if modules.get(task.class_name) != module:
            missing.append(f"__init__.py: from {module} import {task.class_name}")
        if task.class_name not in names:
            missing.append(f'__init__.py: "{task.class_name}" in __all__')
        if f"| [`{task.env_id}`](docs/" not in readme:
            missing.append(f"README.md: | [`{task.env_id}`](docs/...) | ... |")
    assert missing == []


@pytest.mark.parametrize("env_id", ALL)
def test_the_first_resets_come_to_decisions(env_id: str) -> None:
    env = gym.make(env_id)
    for seed in range(3):
        _, info = env.reset(seed=seed)
        assert "no_decision" not in info, info["program"]
    env.close()


@pytest.mark.slow
@pytest.mark.parametrize("env_id", ALL)
def test_every_default_program_raises_decisions(env_id: str) -> None:
    env: Any = gym.make(env_id).unwrapped
    without = [
        name
        for name in env.setup.programs.names
        if "no_decision" in env.reset(options={"program": name})[1]
    ]
    env.close()
    assert without == []
