# SPDX-License-Identifier: Apache-2.0
"""What a compile is asked to be, apart from the program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlcompiler_gym.v1 import compiler_service_pb2 as pb


@dataclass(frozen=True)
class CompileConfig:
    """A task and its options.

    Attributes:
        task: Name of the task.
        pipeline: Pass pipeline as for ``opt -passes=``.
        level: What the program's functions are marked for, ``"Oz"`` or ``"O2"``;
            says which bitcode of a program is meant.
        target: Target triple; empty: the program's.
        cpu: CPU as for ``llc -mcpu``; empty: the target's generic one.
        function: The one function to generate code for; empty: all.
        options: Options of the task.
        objectives: Names of what is measured at the end, or after each step if
            the task has no end.
        measured: Names of what is measured at the end by running the program.
        observations: Names of what is observed of the program at each decision.
        baseline_pipeline: What the heuristic compiler runs; empty: ``pipeline``.
        profile: ``"auto"``: programs have the profile of a run on their first input.
        deadline_ms: Wall-clock milliseconds for each request; 0: no deadline.
        memory_bytes: Private memory that a session may have; 0: no limit.
    """

    task: str
    pipeline: str
    level: str = "Oz"
    target: str = ""
    cpu: str = ""
    function: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    objectives: tuple[str, ...] = ()
    measured: tuple[str, ...] = ()
    observations: tuple[str, ...] = ()
    baseline_pipeline: str = ""
    profile: str = ""
    deadline_ms: int = 0
    memory_bytes: int = 0

    def open_request(self, *, park: bool = True) -> pb.Open:
        """The ``Open`` of an episode."""
        request = self.baseline_request()
        request.pipeline = self.pipeline
        request.task = self.task
        request.observations.extend(self.observations)
        request.park = park
        request.features_as_float32 = True
        for name in sorted(self.options):
            request.options.add(name=name, value=self.options[name])
        return request

    def baseline_request(self) -> pb.Open:
        """The ``Open`` of the same compile by LLVM's own heuristics."""
        return pb.Open(
            pipeline=self.baseline_pipeline or self.pipeline,
            target_triple=self.target,
            cpu=self.cpu,
            function=self.function,
            objectives=self.objectives,
            limits=pb.Limits(
                memory_bytes=self.memory_bytes, deadline_ms=self.deadline_ms
            ),
        )
