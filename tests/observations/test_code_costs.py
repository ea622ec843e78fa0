# SPDX-License-Identifier: Apache-2.0
"""What the code costs in a run, against valgrind and by hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlcompiler_gym import LocalService, Program, load_programs
from mlcompiler_gym.measuring import Measuring, measure, profile
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

Write = Callable[[str, str], Path]


def names(service: LocalService) -> list[str]:
    for spec in service.describe().observations:
        if spec.name == "code_costs":
            return re.findall(r"(\w+) \(", spec.tensors[0].doc)
    raise AssertionError("there is no such observation")


def costs(
    service: LocalService, program: Program, pipeline: str
) -> tuple[Mapping[str, float], bytes]:
    """What one call costs, by name, and the object file."""
    session = service.open(pb.Open(pipeline=pipeline), program)
    found = session.observe("code_costs")["code_costs"]
    code = session.emit("object")
    session.close()
    assert isinstance(found, np.ndarray)
    return dict(zip(names(service), found.tolist(), strict=True)), code


def test_straight_code_is_counted(service: LocalService, write_file: Write) -> None:
    path = write_file(
        "straight.c",
        "void g(void); int f(int *a, int b) { g(); g(); a[1] = a[0] / b; return b; }",
    )
    found, _ = costs(service, load_programs(path, level="O2")[0], "default<O2>")
    assert found["calls"] == found["external_calls"] == 2
    assert found["returns"] == found["blocks"] == 1
    assert found["conditional"] == found["taken"] == found["unpredictable"] == 0
    assert found["slow"] >= 15  # the division
    assert found["stores"] >= 1 <= found["loads"]
    assert found["micro_ops"] >= found["instructions"] > 8
    assert found["latency"] > found["throughput"] > 0


def test_unoptimised_code_waits_for_its_stores(
    service: LocalService, write_file: Write
) -> None:
    path = write_file(
        "sum.c",
        "long f(long *a, long n) { long s = 0;"
        " for (long i = 0; i < n; i++) s += a[i]; return s; }",
    )
    program = load_programs(path, level="O2")[0]
    plain, _ = costs(service, program, "default<O0>")
    kept, _ = costs(service, program, "mem2reg")
    assert plain["forwarded"] > 20 > kept["forwarded"]
    assert plain["repeated_latency"] > 3 * kept["repeated_latency"]


@pytest.mark.parametrize("target", ["aarch64-linux-gnu", "x86_64-linux-gnu"])
def test_calls_are_followed(
    service: LocalService, write_file: Write, target: str
) -> None:
    path = write_file(
        "calls.c",
        "static __attribute__((noinline)) int g(int a, int b) { return a / b; }\n"
        "int f(int n, int b) { int s = 0; for (int i = 0; i < n; i++) s += g(i, b);"
        " return s; }\n",
    )
    program = load_programs(path, target=target, level="O2")[0]
    found, _ = costs(service, program, "default<O1>")
    # LLVM takes a loop to be run twenty or thirty times.
    assert 10 < found["calls"] < 40
    assert found["returns"] == pytest.approx(found["calls"] + 1, rel=0.2)


@pytest.mark.parametrize("pipeline", ["default<O0>", "default<Oz>"])
def test_counts_of_a_profile_are_those_of_the_run(
    service: LocalService, pipeline: str
) -> None:
    """Functions that are left by conditional tail calls among them."""
    program = load_programs("kernels/aes")[0]
    found, code = costs(service, profile(program), pipeline)
    assert program.inputs is not None
    ran = replace(program, inputs=program.inputs[:1])
    how = Measuring(counter="valgrind")
    counted = measure(ran, {"": code}, ["instructions"], how)[""]["instructions"]
    assert found["instructions"] == pytest.approx(counted.median, rel=0.02)
