# SPDX-License-Identifier: Apache-2.0
"""The server that sessions on other machines are reached by."""

from mlcompiler_gym.server.limits import Limits
from mlcompiler_gym.server.server import Config, Server

__all__ = ["Config", "Limits", "Server"]
