# SPDX-License-Identifier: Apache-2.0
"""The Python end of a session's stream."""

import time
from collections.abc import Callable

import pytest

from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.v1 import compiler_service_pb2 as pb


def request(name: str) -> bytes:
    return pb.Request(observe=pb.Observe(names=[name])).SerializeToString()


@pytest.mark.parametrize("names", [["decision"] * 3, ["decision", "ir", "decision"]])
def test_replies_that_arrive_together_are_taken_apart(
    make: Callable[..., CompilerEnv], names: list[str]
) -> None:
    """Requests may be sent ahead (as an upload and the open that needs it are)."""
    env = make(programs="kernels/lz")
    env.reset()
    expected = [env.observe(name) for name in names]
    for name in names:
        env.session.send(request(name))
    # Both replies lie in the socket before the first is taken.
    time.sleep(0.2)
    received = [env.session.receive().observe.observations for _ in names]
    assert [{o.name: o.text for o in reply} for reply in received] == expected
    assert env.step(0)[4].keys() == {"decision"}
