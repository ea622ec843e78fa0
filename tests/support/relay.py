# SPDX-License-Identifier: Apache-2.0
"""Bytes between a client and a service, changed on their way."""

from __future__ import annotations

import contextlib
import socket
import threading


def join(client: socket.socket, server: socket.socket, old: bytes, new: bytes) -> None:
    """Pass on what either sends, with ``new`` for ``old`` on the way to the client.

    Until one of them has no more to say; both are shut down then.
    """

    def pump(source: socket.socket, sink: socket.socket, old: bytes) -> None:
        held = b""
        try:
            while piece := source.recv(1 << 16):
                data = (held + piece).replace(old, new) if old else piece
                # What is wanted may lie across two pieces.
                starts = range(min(len(old) - 1, len(data)), 0, -1)
                kept = next((n for n in starts if data.endswith(old[:n])), 0)
                held = data[len(data) - kept :]
                sink.sendall(data[: len(data) - kept])
            sink.sendall(held)
        except OSError:
            pass  # one of them has gone
        finally:
            for each in (source, sink):
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    for arguments in ((client, server, b""), (server, client, old)):
        threading.Thread(target=pump, args=arguments, daemon=True).start()
