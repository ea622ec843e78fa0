# SPDX-License-Identifier: Apache-2.0
"""Actions that are several choices at once, with a mask over all their values."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium import spaces

from mlcompiler_gym import InvalidActionError
from mlcompiler_gym.envs.actions import ChoiceActions, make_actions
from mlcompiler_gym.v1 import compiler_service_pb2 as pb


def spec(mask: str = "legal") -> pb.TaskSpec:
    """Two choices, of two values and of three."""
    task = pb.TaskSpec(name="made_up")
    task.action.mask = mask
    task.action.tensor.dtype = pb.INT64
    task.action.tensor.shape.append(2)
    task.action.choices.add(name="width", meanings=["LLVM's", "4"])
    task.action.choices.add(name="count", meanings=["LLVM's", "1", "2"])
    return task


def test_the_mask_has_the_flags_of_each_choice_in_turn() -> None:
    actions = make_actions(spec())
    assert isinstance(actions, ChoiceActions)
    assert actions.space == spaces.MultiDiscrete([2, 3])
    mask = actions.mask(b"\1\0\0\1\1")
    assert mask is not None
    assert [part.tolist() for part in actions.split(mask)] == [[1, 0], [0, 1, 1]]
    assert actions.check_legal([0, 2], mask) == (0, 2)
    with pytest.raises(
        InvalidActionError, match=r"width: action 1 \(4\) is not legal here; .* 0$"
    ):
        actions.check_legal([1, 2], mask)
    with pytest.raises(
        InvalidActionError, match=r"count: action 0 .* is not legal here; .* 1, 2$"
    ):
        actions.check_legal(np.array([0, 0]), mask)
    everything = actions.mask(None)
    assert everything is not None
    assert everything.tolist() == [1] * 5


def test_without_a_mask_everything_is_legal() -> None:
    actions = make_actions(spec(mask=""))
    assert actions.mask(None) is None
    assert [part.tolist() for part in actions.split(None)] == [[1, 1], [1, 1, 1]]
    assert actions.check_legal((1, 2), None) == (1, 2)


def test_what_is_sent_comes_back() -> None:
    actions = make_actions(spec())
    data = actions.encode([(1, 2), (0, 1)])
    assert data == np.array([1, 2, 0, 1], "<i8").tobytes()
    assert actions.decode(data).tolist() == [[1, 2], [0, 1]]
    request = pb.Request.FromString(actions.request((1, 2)))
    assert request.step.actions == data[:16]


@pytest.mark.parametrize("by_name", [False, True])
def test_actions_are_of_the_space(by_name: bool) -> None:
    actions = make_actions(spec(), by_name=by_name)
    actions.space.seed(0)
    for _ in range(10):
        drawn = actions.space.sample()
        checked = actions.check(drawn)
        assert isinstance(checked, tuple)
        composed = actions.compose(checked)
        assert actions.space.contains(composed)
        assert actions.check(composed) == checked


def test_meanings_name_what_is_set() -> None:
    actions = make_actions(spec())
    assert actions.meaning((1, 2)) == "width 4, count 2"
    assert actions.meaning((0, 1)) == "count 1"
    assert actions.meaning((0, 0)) == "LLVM's"


def test_one_thing_has_no_names() -> None:
    task = pb.TaskSpec(name="made_up")
    task.action.meanings.extend(["keep", "inline"])
    with pytest.raises(ValueError, match="made_up is one thing, and has no names"):
        make_actions(task, by_name=True)
