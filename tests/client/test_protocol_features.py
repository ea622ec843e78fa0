# SPDX-License-Identifier: Apache-2.0
"""A service that sends other features than a client asked for."""

import pytest
from support.regalloc import EVICTION, MakeEnv, two

from mlcompiler_gym import ServiceUnavailableError
from mlcompiler_gym.envs.config import CompileConfig
from mlcompiler_gym.v1 import compiler_service_pb2 as pb


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
