# SPDX-License-Identifier: Apache-2.0
"""What a server counts, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

#: Seconds; a step takes microseconds, or as long as a pass does.
_BUCKETS = (
    *(0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05),
    *(0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0, 300.0),
)


class Metrics:
    """Counters of one server, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        name = "mlcompiler_gym_"
        self.sessions = self._gauge("sessions", "Sessions that clients have")
        self.parked = self._gauge(
            "parked_sessions", "Processes that sessions are forked from"
        )
        self.streams = self._gauge("streams", "gRPC streams that carry sessions")
        self.program_bytes = self._gauge("program_bytes", "Bytes of stored programs")
        self.opened = Counter(
            f"{name}sessions_opened",
            "Sessions that have reached their first decision, by where from",
            ["source"],
            registry=self.registry,
        )
        self.steps = Counter(f"{name}steps", "Steps answered", registry=self.registry)
        self.step_seconds = Histogram(
            f"{name}step_seconds",
            "Time from a step's request to its reply, in the server",
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.errors = Counter(
            f"{name}errors",
            "Error replies, by code",
            ["code"],
            registry=self.registry,
        )
        self.crashes = Counter(
            f"{name}session_crashes",
            "Sessions that the compiler did not survive, by cause: a signal, or an "
            "error code; KILLED if the process said nothing",
            ["cause"],
            registry=self.registry,
        )
        self.uploads = Counter(
            f"{name}upload_bytes", "Bytes of programs taken", registry=self.registry
        )

    def _gauge(self, name: str, doc: str) -> Gauge:
        return Gauge(f"mlcompiler_gym_{name}", doc, registry=self.registry)

    def watch(
        self,
        sessions: Callable[[], int],
        parked: Callable[[], int],
        streams: Callable[[], int],
        program_bytes: Callable[[], int],
    ) -> None:
        """Ask these for each scrape."""
        self.sessions.set_function(sessions)
        self.parked.set_function(parked)
        self.streams.set_function(streams)
        self.program_bytes.set_function(program_bytes)
