# SPDX-License-Identifier: Apache-2.0
"""`text_size` where functions' code is remembered, against generating it each time.

First, of one module: after a pass that has changed one or a few of its functions, in
pairs, one after the other. Then flips of inlining decisions a second, over whole
episodes in which LLVM decides the rest: the service that remembers is a new one each
time, and begins with nothing.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import perf_counter
from typing import Any

import gymnasium

from benchmarks.modules import module
from mlcompiler_gym import LocalService, PassOrderingEnv
from mlcompiler_gym.programs import ProgramsLike
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

PAIRS = 9
#: Units with the passes that find something to do in one or a few of their functions
#: once `default<Oz>` has been run.
CHANGED = {
    "kernels/forth": ("lower-switch", "sink"),
    "stb_truetype": ("mergereturn", "lower-switch"),
}
FLIPPED = ("kernels/regex", "kernels/sql", "kernels/json", "kernels/forth")
WITHOUT = "--code-cache-bytes=0"


@contextmanager
def services() -> Iterator[tuple[LocalService, LocalService]]:
    """One that remembers, and one that does not."""
    with ExitStack() as stack:
        pair = LocalService(), LocalService(WITHOUT)
        for each in pair:
            stack.callback(each.close)
        yield pair


def generated(service: LocalService) -> pb.CodeCache:
    stream = service.connect()
    try:
        return stream.call(pb.Request(describe=pb.Describe())).describe.code_cache
    finally:
        stream.close()


def seconds(call: Callable[[], object]) -> float:
    began = perf_counter()
    call()
    return perf_counter() - began


def quartiles(values: list[float]) -> str:
    low, median, high = statistics.quantiles(values, n=4)
    return f"{median:.2f} ({low:.2f} to {high:.2f})"


def _ordering(
    service: LocalService, program: ProgramsLike, passes: tuple[str, ...]
) -> PassOrderingEnv:
    env = gymnasium.make(
        "mlcompiler/PassOrdering-v0",
        programs=program,
        actions=["default<Oz>", *passes],
        service=service,
    ).unwrapped
    assert isinstance(env, PassOrderingEnv)
    env.reset()
    env.step(0)
    env.measure("text_size")
    return env


def few_functions_changed(name: str) -> None:
    program: ProgramsLike = name if "/" in name else module(name)
    ratios: dict[tuple[int, int], list[float]] = {}
    times = []
    for _ in range(PAIRS):
        # What has been generated once is known from then on.
        with services() as (remembering, plain):
            ours, theirs = (
                _ordering(each, program, CHANGED[name]) for each in (remembering, plain)
            )
            for action in range(1, 1 + len(CHANGED[name])):
                for env in (ours, theirs):
                    env.step(action)
                before = generated(remembering)
                quick = seconds(lambda: ours.measure("text_size"))  # noqa: B023
                after = generated(remembering)
                slow = seconds(lambda: theirs.measure("text_size"))  # noqa: B023
                if ours.measure("text_size") != theirs.measure("text_size"):
                    raise RuntimeError(f"{name}: the sizes differ")
                changed = after.functions_generated - before.functions_generated
                found = after.functions_found - before.functions_found
                ratios.setdefault((changed, changed + found), []).append(quick / slow)
                times.append(slow)
            ours.close()
            theirs.close()
    print(f"{name}: whole code {statistics.median(times) * 1e3:.0f} ms")
    for (changed, functions), values in sorted(ratios.items()):
        print(f"  {changed} of {functions} generated: {quartiles(values)} of that")


def flips(service: LocalService, name: str) -> tuple[float, Any]:
    """Flips a second, and what they come to."""
    env: Any = gymnasium.make(
        "mlcompiler/Inlining-v0",
        programs=name,
        inlining_default=True,
        objective="text_size",
        service=service,
    ).unwrapped
    try:
        began = perf_counter()
        table = env.counterfactuals(name, policy="llvm")
        return int((~table.own).sum()) / (perf_counter() - began), table
    finally:
        env.close()


def flipped(name: str) -> None:
    ratios, rates, decisions = [], [], 0
    for _ in range(PAIRS // 2 + 1):
        with services() as (remembering, plain):
            quick, found = flips(remembering, name)
            slow, wanted = flips(plain, name)
            decisions = found.decisions
            if list(found.values["text_size"]) != list(wanted.values["text_size"]):
                raise RuntimeError(f"{name}: the sizes differ")
            ratios.append(quick / slow)
            rates.append(quick)
    print(
        f"{name}, {decisions} decisions: {statistics.median(rates):.0f} flips a "
        f"second, {quartiles(ratios)} times as many"
    )


def run() -> None:
    for name in CHANGED:
        few_functions_changed(name)
    for name in FLIPPED:
        flipped(name)
