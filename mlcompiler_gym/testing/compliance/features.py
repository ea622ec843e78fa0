# SPDX-License-Identifier: Apache-2.0
"""The features of a decision, as LLVM lays them out and as networks take them."""

from contextlib import closing
from typing import Any

import numpy as np
import pytest

from mlcompiler_gym.client import Service
from mlcompiler_gym.client.observation import DTYPES
from mlcompiler_gym.programs import Program, load_programs
from mlcompiler_gym.testing.samples import CALLS, TRIPLE, ir_program, pressure
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

#: Raises decisions in two of its functions, and none in the third.
TWO = ir_program(
    TRIPLE
    + pressure("first", 26)
    + "define i32 @quiet(i32 %x) {\n  ret i32 %x\n}\n"
    + pressure("second", 30),
    "two",
)

[LOOPS] = load_programs("loops/recur_split_tail", level="O2")


def tensors(task: pb.TaskSpec, data: bytes, options: dict[str, str]) -> dict[str, Any]:
    """The features of a decision, by name, as the service describes them."""
    found = {}
    for spec in task.features:
        if spec.option and options.get(spec.option) != "true":
            continue
        dtype, count = DTYPES[spec.dtype], int(np.prod(spec.shape))
        found[spec.name] = np.frombuffer(data, dtype, count)
        data = data[count * dtype.itemsize :]
    assert not data
    return found


def action_at(task: pb.TaskSpec, state: pb.State) -> bytes:
    """Another one at each decision, and a legal one."""
    if choices := task.action.choices:
        counts = [len(choice.meanings) for choice in choices]
        legal = np.ones(sum(counts), np.bool_)
        if state.HasField("legal"):
            legal = np.frombuffer(state.legal, np.bool_)
        each = [
            values[state.decisions % len(values)]
            for values in map(np.flatnonzero, np.split(legal, np.cumsum(counts)[:-1]))
        ]
        return np.array(each, "<i8").tobytes()
    if not task.action.meanings:
        return np.array([1000 + 37 * state.decisions], "<f4").tobytes()
    every = np.arange(len(task.action.meanings), dtype="<i8")
    if state.HasField("legal"):
        every = every[np.frombuffer(state.legal, np.bool_)]
    return np.array(every[state.decisions % len(every)], "<i8").tobytes()


@pytest.mark.parametrize(
    ("name", "program", "options"),
    [
        ("inlining", CALLS, {}),
        ("inlining", CALLS, {"inlining_default": "true"}),
        ("loop_distribution", LOOPS, {}),
        ("loop_factors", LOOPS, {"cost_model": "true", "ir2vec": "true"}),
        ("loop_factors", LOOPS, {"flat": "false"}),
        ("pass_ordering", CALLS, {"repeats": "false"}),
        ("regalloc_eviction", TWO, {}),
        (
            "regalloc_eviction",
            TWO,
            {"eviction_default": "true", "interference_weights": "true"},
        ),
        ("regalloc_priority", TWO, {"priority_default": "true"}),
    ],
)
def test_features_as_float32(
    service_under_test: Service, name: str, program: Program, options: dict[str, str]
) -> None:
    assert compare_with_floats(service_under_test, name, program, options) > 0


def test_features_of_every_task(service_under_test: Service) -> None:
    for task in service_under_test.describe().tasks:
        decisions = [
            compare_with_floats(service_under_test, task.name, program, {})
            for program in (CALLS, TWO, LOOPS)
        ]
        assert any(decisions), f"no sample raises a decision of {task.name}"


def compare_with_floats(
    service: Service, name: str, program: Program, options: dict[str, str]
) -> int:
    """Open twice, and compare what is sent; the number of decisions."""
    task = service.describe_task(name, options)
    request = pb.Open(task=name)
    for option, value in options.items():
        request.options.add(name=option, value=value)
    as_floats = pb.Open()
    as_floats.CopyFrom(request)
    as_floats.features_as_float32 = True
    with (
        closing(service.open(request, program)) as session,
        closing(service.open(as_floats, program)) as other,
    ):
        state, twin = session.opened.state, other.opened.state
        for _ in range(30):
            if not state.HasField("features"):
                break
            features = tensors(task, state.features, options)
            floats = np.frombuffer(twin.features, "<f4")
            expected = [each.astype(np.float32) for each in features.values()]
            expected.append(np.empty(0, np.float32))
            np.testing.assert_array_equal(floats, np.concatenate(expected))
            assert state.legal == twin.legal
            if mask := task.action.mask:
                assert state.legal == features[mask].astype(np.int8).tobytes()
            else:
                assert not state.HasField("legal")
            action = action_at(task, state)
            state, twin = session.step(action), other.step(action)
        assert twin.decisions == state.decisions
        if not state.HasField("features"):
            assert not state.HasField("legal")
            assert not twin.HasField("features")
        return int(state.decisions)
