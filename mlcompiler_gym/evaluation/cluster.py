# SPDX-License-Identifier: Apache-2.0
"""Joining a cluster of Ray."""

from __future__ import annotations

import os
import socket
from types import ModuleType
from typing import Any

from mlcompiler_gym.errors import EvaluationError

#: Ray's own switch for clusters of one machine that listen on loopback only. It is
#: read when Ray is imported.
_LOOPBACK_ONLY = ("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")


def connect(address: str | None = None) -> ModuleType:
    """Join a cluster, unless this process has joined one.

    Args:
        address: ``host:port`` of its head. ``None``: the one that ``RAY_ADDRESS``
            names or that runs on this machine. ``"local"``: one of this machine
            only, on loopback unless Ray has been imported before, is started; it
            ends with this process.

    Returns:
        Ray.

    Raises:
        EvaluationError: It cannot be reached, or Ray is not installed.
    """
    # Ray must report to no machine outside the cluster.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if address == "local":
        os.environ.setdefault(*_LOOPBACK_ONLY)
    try:
        import ray
    except ModuleNotFoundError as missing:
        raise EvaluationError(
            f"{missing.name} is not installed; `pip install 'mlcompiler_gym[ray]'`"
        ) from missing
    if ray.is_initialized():
        return ray
    settings: dict[str, Any] = {"log_to_driver": False, "logging_level": "warning"}
    if address == "local":
        settings |= {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    _check_reachable(address)
    try:
        ray.init(address or "auto", **settings)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise EvaluationError(
            f"no cluster of Ray: {error}\nStart one (`ray start --head`), name one, or "
            "let one of this machine be started with the address 'local'"
        ) from error
    return ray


def _check_reachable(address: str | None) -> None:
    """Ray by itself tries for minutes, and then ends the process."""
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise EvaluationError(f"no cluster of Ray at {address}: {error}") from error
