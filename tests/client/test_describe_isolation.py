# SPDX-License-Identifier: Apache-2.0
"""What one client asks for changes nothing for another."""

from __future__ import annotations

import hashlib
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcompiler_gym import LocalService
from mlcompiler_gym.client import Service
from mlcompiler_gym.errors import ServiceError
from mlcompiler_gym.programs import Program, load_programs
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

pytestmark = pytest.mark.timeout(120)

#: The first is another object if LLVM is told to distribute loops.
PROGRAMS = ("loops/recur_beside_independent", "kernels/lz")

#: Each option with values that are taken and values that are refused.
VALUES = {
    "inlining": {
        "inlining_default": ["true", "false", "maybe"],
        "size_increase_threshold": ["1.0", "1e9", "2e9", "-1", "nan", "0x1", "big"],
    },
    "loop_distribution": {
        "agents": ["1", "2", "3", "two"],
        "ir2vec": ["true", "no"],
        "llvm_distribution": ["true", "false", "1", ""],
    },
    "pass_ordering": {
        "actions": ["sroa", "poset-odg34", "\n"],
        "repeats": ["true", "false", "2"],
    },
    "regalloc_eviction": {
        "eviction_default": ["true", "False"],
        "interference_weights": ["true", "?"],
    },
    "regalloc_priority": {"priority_default": ["true", "yes"]},
    "nonsense": {"llvm_distribution": ["true"]},
}


@st.composite
def wishes(draw: st.DrawFn) -> tuple[str, dict[str, str], bool]:
    """A task, options that need not fit it, and whether to open a session, too."""
    task = draw(st.sampled_from(sorted(VALUES)))
    options = {
        name: draw(st.sampled_from(values))
        for name, values in VALUES[task].items()
        if draw(st.booleans())
    }
    if draw(st.integers(0, 5)) == 0:
        options["nonsense"] = "true"
    return task, options, draw(st.booleans())


def request(task: str, options: dict[str, str], pipeline: str = "") -> pb.Open:
    opened = pb.Open(task=task, pipeline=pipeline)
    for name, value in options.items():
        opened.options.add(name=name, value=value)
    return opened


def code(service: Service) -> dict[tuple[str, str], str]:
    """Hashes of what LLVM makes of the programs by itself, and what tasks begin with.

    By task and program; the task is empty for LLVM's own compile.
    """
    found = {}
    for program in programs():
        for pipeline in ("default<O3>", "default<Oz>"):
            session = service.open(request("", {}, pipeline), program)
            found[pipeline, program.name] = digest(session.emit("object"))
            session.close()
        for task in sorted(set(VALUES) - {"nonsense"}):
            session = service.open(request(task, {}), program)
            state = session.opened.state
            found[task, program.name] = digest(
                state.features + state.function.encode() + session.emit("bitcode")
            )
            session.close()
    return found


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def programs() -> list[Program]:
    return [load_programs(name, level="O2").named(name) for name in PROGRAMS]


@pytest.fixture(scope="module")
def untouched() -> dict[tuple[str, str], str]:
    """What a service gives that has been asked for nothing else."""
    service = LocalService()
    try:
        return code(service)
    finally:
        service.close()


@pytest.mark.parametrize("examples", [3, pytest.param(40, marks=pytest.mark.slow)])
def test_what_was_asked_before_changes_no_code(
    service: LocalService, untouched: dict[tuple[str, str], str], examples: int
) -> None:
    @settings(max_examples=examples, deadline=None)
    @given(before=st.lists(wishes(), min_size=1, max_size=6))
    def check(before: list[tuple[str, dict[str, str], bool]]) -> None:
        for task, options, opens in before:
            # What is refused is asked for, too.
            with suppress(ServiceError, ValueError):
                service.describe_task(task, options)
                if opens:
                    service.open(request(task, options), programs()[0]).close()
        assert code(service) == untouched

    check()


def test_the_option_that_was_leaked_has_an_effect(service: LocalService) -> None:
    program, _ = programs()
    made = set()
    for value in ("false", "true"):
        options = {"llvm_distribution": value}
        session = service.open(request("loop_distribution", options), program)
        state = session.opened.state
        while state.HasField("features"):
            state = session.step(bytes(8))
        made.add(digest(session.emit("object")))
    assert len(made) == 2
