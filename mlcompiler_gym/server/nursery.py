# SPDX-License-Identifier: Apache-2.0
"""Whether the process that sessions are forked from still answers."""

from __future__ import annotations

import errno
import select
import socket
from time import monotonic

from mlcompiler_gym.client.local import LocalService
from mlcompiler_gym.errors import MLCompilerGymError
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

#: Seconds between questions, and that an answer may take.
_BETWEEN, _PATIENCE = 2.0, 3.0


class Nursery:
    """Asks the compiler service for nothing, now and then.

    Attributes:
        answers: Whether it has done so in time.
    """

    def __init__(self, service: LocalService) -> None:
        self._service = service
        self._asked: socket.socket | None = None
        self._since = monotonic()
        self.answers = True

    def ask(self) -> bool:
        """See whether it has answered, and ask again if it is time; never waits."""
        now = monotonic()
        if self._asked is None:
            if now > self._since + _BETWEEN:
                self._since = now
                self._send()
        elif _is_readable(self._asked):
            self._asked.close()
            self._asked = None
            self.answers = True
        elif now > self._since + _PATIENCE:
            self.answers = False
        return self.answers

    def _send(self) -> None:
        try:
            self._asked = self._service.connect_socket(wait=False)
        except BlockingIOError:
            self.answers = False  # it takes nothing more
            return
        except (MLCompilerGymError, OSError) as error:
            # If this process has no descriptor left, that tells nothing about the
            # service.
            cause = error if isinstance(error, OSError) else error.__cause__
            if getattr(cause, "errno", None) != errno.EMFILE:
                self.answers = False
            return
        message = pb.Request(close=pb.Close()).SerializeToString()
        self._asked.sendall(len(message).to_bytes(4, "little") + message)


def _is_readable(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
