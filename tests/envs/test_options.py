# SPDX-License-Identifier: Apache-2.0
"""Options of tasks, which the service alone declares."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import mlcompiler_gym
from mlcompiler_gym.client import LocalService
from mlcompiler_gym.envs.options import accepted, decode, default, encode_options
from mlcompiler_gym.envs.setup import make_setup
from mlcompiler_gym.registration import TASKS
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

Spec = pb.OptionSpec

FLAG = Spec(name="flag", type=Spec.BOOL, default_value="false")
COUNT = Spec(name="count", type=Spec.INT, default_value="3", low=1, high=8)
FACTOR = Spec(name="factor", type=Spec.FLOAT, default_value="100", low=0, high=1e9)
KIND = Spec(name="kind", type=Spec.ENUM, default_value="a", values=["a", "b"])
TEXT = Spec(name="text", type=Spec.TEXT, default_value="set", values=["set"])

ENVS = [getattr(mlcompiler_gym, task.class_name) for task in TASKS]


@pytest.mark.parametrize(
    ("option", "value", "text"),
    [
        (FLAG, True, "true"),
        (FLAG, np.False_, "false"),
        (COUNT, 8, "8"),
        (COUNT, np.int64(1), "1"),
        (FACTOR, 2, "2.0"),
        (FACTOR, np.float32(0.5), "0.5"),
        (FACTOR, 1e9, "1000000000.0"),
        (KIND, "b", "b"),
        (TEXT, "anything", "anything"),
        (TEXT, ["one", "two"], "one\ntwo"),
        (TEXT, (), ""),
    ],
)
def test_values(option: pb.OptionSpec, value: Any, text: str) -> None:
    assert encode_options([option], {option.name: value}) == {option.name: text}
    if not isinstance(value, (list, tuple)):
        assert decode(option, text) == value


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        (FLAG, 1, "flag is True or False, not 1"),
        (FLAG, "true", "flag is True or False, not 'true'"),
        (FLAG, None, "flag is True or False, not None"),
        (COUNT, 0, "count is an integer in 1..8, not 0"),
        (COUNT, 9, "count is an integer in 1..8, not 9"),
        (COUNT, 2.0, "count is an integer in 1..8, not 2.0"),
        (COUNT, True, "count is an integer in 1..8, not True"),
        (COUNT, "2", "count is an integer in 1..8, not '2'"),
        (FACTOR, -0.1, "factor is a number in 0..1e+09, not -0.1"),
        (FACTOR, float("nan"), "factor is a number in 0..1e+09, not nan"),
        (FACTOR, float("inf"), "factor is a number in 0..1e+09, not inf"),
        (FACTOR, False, "factor is a number in 0..1e+09, not False"),
        (KIND, "c", "kind is one of 'a', 'b', not 'c'"),
        (KIND, ["a"], "kind is one of 'a', 'b', not ['a']"),
        (TEXT, 3, "text is one of 'set', or a text, or the list of its lines, not 3"),
        (TEXT, ["a", 3], "or the list of its lines, not ['a', 3]"),
    ],
)
def test_other_values(option: pb.OptionSpec, value: Any, said: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        encode_options([option], {option.name: value})
    assert said in str(caught.value)


def test_all_are_recorded_by_name() -> None:
    given = encode_options([TEXT, COUNT, FACTOR, FLAG, KIND], {"count": 5})
    assert list(given.items()) == [
        ("count", "5"),
        ("factor", "100.0"),
        ("flag", "false"),
        ("kind", "a"),
        ("text", "set"),
    ]


@pytest.mark.parametrize("env_class", ENVS)
def test_each_is_told_as_the_service_declares_it(env_class: Any) -> None:
    service = LocalService.shared()
    declared = service.describe_task(env_class.task, {}).options
    told = env_class.describe_options()
    for option in declared:
        assert f"{option.name}={default(option)!r}" in told
        assert accepted(option).split()[0] in told
        # Its default is one of its values, and means the same spelled out.
        settings = {option.name: default(option)}
        spelled = env_class.make_setup(settings).config
        assert spelled == env_class.make_setup({}).config
        with pytest.raises(ValueError, match=f"^{option.name} is "):
            env_class.make_setup({option.name: object()})


@pytest.mark.parametrize("env_class", ENVS)
def test_none_has_the_name_of_a_setting(env_class: Any) -> None:
    """Which every environment takes."""
    declared = LocalService.shared().describe_task(env_class.task, {}).options
    with pytest.raises(TypeError) as caught:
        make_setup("inlining", {"nonsuch": 0})
    common = set(str(caught.value).partition("It takes ")[2].split(", "))
    inlining = LocalService.shared().describe_task("inlining", {}).options
    common -= {option.name for option in inlining}
    assert {"programs", "service", "deadline"} < common
    assert not {option.name for option in declared} & (common | {"function", "reward"})


@pytest.mark.parametrize("env_class", ENVS)
def test_each_is_in_the_docs(env_class: Any) -> None:
    docs = Path(__file__).parents[2] / "docs"
    page = "".join(
        path.read_text()
        for path in docs.glob("*.md")
        if f"mlcompiler/{env_class.__name__.removesuffix('Env')}-v0" in path.read_text()
    )
    declared = LocalService.shared().describe_task(env_class.task, {}).options
    assert [each.name for each in declared if each.name not in page] == []
    assert inspect.getdoc(env_class)


@pytest.mark.parametrize("task", TASKS)
def test_what_belongs_to_functions(task: Any) -> None:
    """It is refused where decisions are not taken function by function."""
    env: Any = gym.make(task.env_id)
    kind = env.unwrapped.setup.spec.kind
    if kind == pb.TaskSpec.IN_CODEGEN:
        dense: Any = gym.make(task.env_id, reward="dense", function="each")
        assert dense.unwrapped.setup.dense
        return
    with pytest.raises(TypeError, match="has no argument 'function': only in the code"):
        gym.make(task.env_id, function="main")
    with pytest.raises((TypeError, ValueError), match="reward"):
        gym.make(task.env_id, reward="dense")
