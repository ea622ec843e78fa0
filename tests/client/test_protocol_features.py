# SPDX-License-Identifier: Apache-2.0
"""The features of a decision, as LLVM lays them out and as networks take them."""

from contextlib import closing
from typing import Any

import numpy as np
import pytest
from support.regalloc import EVICTION, MakeEnv, two
from support.samples import CALLS

from mlcompiler_gym import Program, ServiceUnavailableError
from mlcompiler_gym.client import Service
from mlcompiler_gym.client.observation import DTYPES
from mlcompiler_gym.envs.config import CompileConfig
from mlcompiler_gym.programs import load_programs
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

pytestmark = pytest.mark.timeout(60)

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
        ("pass_ordering", CALLS, {"repeats": "false"}),
        ("regalloc_eviction", two(), {}),
        (
            "regalloc_eviction",
            two(),
            {"eviction_default": "true", "interference_weights": "true"},
        ),
        ("regalloc_priority", two(), {"priority_default": "true"}),
    ],
)
def test_features_as_float32(
    any_service: Service, name: str, program: Program, options: dict[str, str]
) -> None:
    task = any_service.describe_task(name, options)
    request = pb.Open(task=name)
    for option, value in options.items():
        request.options.add(name=option, value=value)
    as_floats = pb.Open()
    as_floats.CopyFrom(request)
    as_floats.features_as_float32 = True
    with (
        closing(any_service.open(request, program)) as session,
        closing(any_service.open(as_floats, program)) as other,
    ):
        state, twin = session.opened.state, other.opened.state
        for _ in range(30):
            if not state.HasField("features"):
                break
            features = tensors(task, state.features, options)
            floats = np.frombuffer(twin.features, "<f4")
            expected = [each.astype(np.float32) for each in features.values()]
            np.testing.assert_array_equal(floats, np.concatenate(expected))
            assert state.legal == twin.legal
            if mask := task.action.mask:
                assert state.legal == features[mask].astype(np.int8).tobytes()
            else:
                assert not state.HasField("legal")
            action = action_at(task, state)
            state, twin = session.step(action), other.step(action)
        assert state.decisions > 0
        assert twin.decisions == state.decisions
        if not state.HasField("features"):
            assert not state.HasField("legal")
            assert not twin.HasField("features")


def test_a_service_that_does_not_know_of_float32(
    make_env: MakeEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = CompileConfig.open_request

    def as_an_older_one_reads_it(
        config: CompileConfig, *, park: bool = True
    ) -> pb.Open:
        request = made(config, park=park)
        request.ClearField("features_as_float32")
        return request

    monkeypatch.setattr(CompileConfig, "open_request", as_an_older_one_reads_it)
    env = make_env(EVICTION, programs=two())
    with pytest.raises(ServiceUnavailableError, match="of another version"):
        env.reset()
