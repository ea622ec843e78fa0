# SPDX-License-Identifier: Apache-2.0
"""Servers as users run them: processes that are started, asked and killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from mlcompiler_gym.client.remote import GrpcService

_COMMAND = [sys.executable, "-c", "from mlcompiler_gym.cli import main; main()"]


def cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``mlcompiler-gym`` to its end."""
    return subprocess.run(
        [*_COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


class ServerProcess:
    """``mlcompiler-gym serve``; ended with the ``with`` block."""

    def __init__(self, folder: Path, *arguments: str, port: int = 0) -> None:
        self._arguments = (
            *(f"--port={port}", "--metrics-port=0"),
            *(f"--programs={folder / 'programs'}", *arguments),
        )
        self._log = folder / f"server-{time.monotonic_ns()}.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*_COMMAND, "serve", *self._arguments], stderr=log, stdout=log
            )
        self.serving = self._wait_for("serving")
        self.port: int = self.serving["port"]
        self.url = f"grpc://127.0.0.1:{self.port}"

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.terminate()
            # Two signals at once are one.
            self._wait_for("draining")
            self.terminate()
            self.process.wait(timeout=30)

    def events(self) -> list[dict[str, Any]]:
        """The log, line by line."""
        events = []
        for line in self._log.read_text().splitlines():
            if line.startswith("{"):
                events.append(json.loads(line))
        return events

    def _wait_for(self, name: str, seconds: float = 60.0) -> dict[str, Any]:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for event in self.events():
                if event["event"] == name:
                    return event
            assert self.process.poll() is None, self._log.read_text()
            time.sleep(0.02)
        raise AssertionError(f"no {name!r} in {self._log.read_text()}")

    def wait_for_log(self, name: str) -> dict[str, Any]:
        """Wait until it has logged this."""
        return self._wait_for(name)

    def metrics(self) -> dict[str, float]:
        """What Prometheus would read, by name and labels."""
        url = f"http://127.0.0.1:{self.serving['metrics_port']}/metrics"
        with urllib.request.urlopen(url, timeout=10) as response:
            text = response.read().decode()
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        return {k: float(v) for k, _, v in (line.rpartition(" ") for line in lines)}

    def service(self, **settings: Any) -> GrpcService:
        """A client of its own."""
        return GrpcService(self.url, **settings)

    def nursery(self) -> psutil.Process:
        """The compiler service behind it."""
        (child,) = psutil.Process(self.process.pid).children()
        return child

    def terminate(self) -> None:
        """As a service manager asks a server to end."""
        self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the server without a chance to clean up."""
        self.process.kill()
        self.process.wait()
