# SPDX-License-Identifier: Apache-2.0
"""The compiler service: sessions, and where they come from."""

from mlcompiler_gym.service.local import LocalService, LocalSession
from mlcompiler_gym.service.observation import Graph, Observed, Rows
from mlcompiler_gym.service.session import Service, Session

__all__ = [
    "Graph",
    "LocalService",
    "LocalSession",
    "Observed",
    "Rows",
    "Service",
    "Session",
]
