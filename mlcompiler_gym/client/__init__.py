# SPDX-License-Identifier: Apache-2.0
"""The compiler service: sessions, and where they come from."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mlcompiler_gym.client.local import LocalService
from mlcompiler_gym.client.local_session import LocalSession
from mlcompiler_gym.client.session import Service, Session, error_of, opening
from mlcompiler_gym.client.waiting import Wait, Work, block, in_order

if TYPE_CHECKING:
    from mlcompiler_gym.client.observation import Graph, Observed, Rows
    from mlcompiler_gym.client.remote import GrpcService

__all__ = [
    "Graph",
    "GrpcService",
    "LocalService",
    "LocalSession",
    "Observed",
    "Rows",
    "Service",
    "Session",
    "Wait",
    "Work",
    "block",
    "error_of",
    "in_order",
    "opening",
]

#: gRPC and NumPy take longer to import than all the rest.
_MODULES = {
    "Graph": "observation",
    "GrpcService": "remote",
    "Observed": "observation",
    "Rows": "observation",
}


def find_service(service: Service | str | None) -> Service:
    """A service as environments take it.

    Args:
        service: ``"grpc://host:port"``, or ``"grpcs://host:port"`` for TLS;
            ``None``: on this machine. Equal addresses share a connection.

    Raises:
        ValueError: It is not such an address.
    """
    if service is None:
        return LocalService.shared()
    if isinstance(service, str):
        from mlcompiler_gym.client.remote import GrpcService

        return GrpcService.shared(service)
    return service


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
