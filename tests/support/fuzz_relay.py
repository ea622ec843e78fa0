# SPDX-License-Identifier: Apache-2.0
"""Fuzzes the server with atheris: ``python -m support.fuzz_relay -runs=N CORPUS``.

Each input is the bytes of one message on a stream of a real server in this process,
so that libFuzzer sees which of the server's lines it reached. Arguments are
libFuzzer's; the last is a folder to keep inputs in.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import FunctionType

import atheris

from mlcompiler_gym.client import frames
from mlcompiler_gym.server import Config, Server
from mlcompiler_gym.server.relay import Relay
from mlcompiler_gym.server.relayed_session import RelayedSession
from support.samples import wait_until
from support.wire import VALID, Wire


def _watch(*classes: type) -> None:
    """Let libFuzzer see which lines are reached.

    One by one: an editable installation is imported past atheris's own hook.
    """
    for each in classes:
        for name, member in list(vars(each).items()):
            if isinstance(member, FunctionType):
                setattr(each, name, atheris.instrument_func(member))


def main() -> None:
    """Runs until libFuzzer has had enough; it ends the process."""
    _watch(frames.Unpacker, Relay, RelayedSession)
    for number, message in enumerate(VALID):
        (piece,) = frames.pack([(1, message)])
        Path(sys.argv[-1], f"valid-{number}").write_bytes(piece)
    server = Server(Config(log_level="critical"))

    def one_input(data: bytes) -> None:
        wire = Wire(server.port, frames.MANY_SESSIONS)
        wire.send(data)
        _, status = wire.end()
        if status not in ("OK", "INVALID_ARGUMENT"):
            raise RuntimeError(f"the stream ended with {status}")
        wait_until(lambda: not server.hub.accounts.sessions(), "sessions end")

    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
