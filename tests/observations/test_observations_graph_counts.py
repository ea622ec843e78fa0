# SPDX-License-Identifier: Apache-2.0
"""Graphs of real programs against the same things counted in printed IR."""

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from support.graphs import (
    CALL,
    CONTROL,
    DATA,
    PrintedFunction,
    edges_of,
    observe,
    printed_functions,
)
from support.toolchain import KERNEL_NAMES, instruction_count, run

from mlcompiler_gym import LocalService, Program, load_programs
from mlcompiler_gym.client import Graph
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

#: `phi` in llvm/IR/Instruction.def.
PHI = 56

CXX = """
#include <functional>
#include <string>
#include <vector>
int apply(const std::vector<std::string> &v, std::function<int(int)> f) {
  int n = 0;
  for (const auto &s : v)
    switch (s.size()) {
    case 0: case 1: case 9: break;
    case 4: throw n;
    default: try { n += f(s[0]); } catch (int e) { n -= e; }
    }
  return n;
}
"""


@pytest.fixture(params=[*(f"kernels/{name}" for name in KERNEL_NAMES), "C++"])
def program(request: pytest.FixtureRequest, tmp_path: Path) -> Program:
    if request.param != "C++":
        return load_programs(request.param)[0]
    path = tmp_path / "many.cpp"
    path.write_text(CXX)
    return load_programs(str(path))[0]


@pytest.mark.parametrize("pipeline", ["no-op-module", "default<O2>"])
def test_counts_are_those_of_the_printed_ir(
    service: LocalService, program: Program, pipeline: str
) -> None:
    with closing(service.open(pb.Open(pipeline=pipeline), program)) as session:
        bitcode = session.observe("bitcode")["bitcode"]
        assert bitcode == session.emit("bitcode")
        graph = observe(session)
        calls = observe(session, "call_graph")
    functions = printed_functions(run("llvm-dis-22", "-o", "-", data=bitcode).decode())
    check_programl(graph, functions)
    in_a_body = (graph.nodes[:, 0] == 0) & (graph.nodes[:, 6] >= 0)
    assert in_a_body.sum() == instruction_count(bitcode)
    assert calls.names[:-2] == [f.name for f in functions]
    check_calls(calls, functions)
    assert recorded(calls) == printed_call_graph(bitcode)


def check_programl(graph: Graph, functions: list[PrintedFunction]) -> None:
    def total(count: Callable[[PrintedFunction], int]) -> int:
        return sum(map(count, functions))

    declared = sum(f.is_declaration for f in functions)
    kinds = Counter(graph.nodes[:, 0].tolist())
    instructions = total(lambda f: f.instructions)
    assert kinds[0] == 1 + declared + instructions
    assert kinds[1] == total(lambda f: f.used_values)
    assert graph.nodes[:, 6].max() + 1 == total(lambda f: f.blocks)
    control = total(lambda f: f.instructions - f.blocks + f.successors)
    assert len(edges_of(graph, CONTROL)) == control
    opcodes = graph.nodes[graph.edge_links[:, 1], 1]
    into_phis = (graph.edges[:, 0] == DATA) & (opcodes == PHI)
    assert into_phis.sum() == total(lambda f: f.incoming)
    exits = {f.name: 1 if f.is_declaration else f.exits for f in functions}
    call = sum(1 + count for count in exits.values())
    call += sum(1 + exits[c] for f in functions for c in f.callees if c in exits)
    assert len(edges_of(graph, CALL)) == call
    # Control stays in its function, and a value has one definition at most.
    inside = graph.edge_links[graph.edges[:, 0] == CONTROL]
    assert np.array_equal(*graph.nodes[inside.T, 5])
    defined = [t for _, _, t in edges_of(graph, DATA) if graph.nodes[t, 0] == 1]
    assert len(defined) == len(set(defined))


def recorded(calls: Graph) -> Counter[tuple[str, str]]:
    links = [(calls.names[s], calls.names[t]) for s, t in calls.edge_links.tolist()]
    assert len(links) == len(set(links))
    return Counter(dict(zip(links, calls.edges.ravel().tolist(), strict=True)))


def check_calls(calls: Graph, functions: list[PrintedFunction]) -> None:
    found = recorded(calls)
    defined = {f.name for f in functions if not f.is_declaration}
    printed = Counter((f.name, callee) for f in functions for callee in f.callees)
    assert printed == {k: n for k, n in found.items() if k[0] in defined}
    for function, row in zip(functions, calls.nodes, strict=False):
        assert (row[0] > 0) == function.is_declaration
        assert tuple(row[1:3]) == (function.instructions, function.blocks)


def printed_call_graph(bitcode: bytes) -> Counter[tuple[str, str]]:
    """What `opt` prints of LLVM's own call graph."""
    printed = run(
        "sh", "-c", "opt-22 -passes=print-callgraph -disable-output 2>&1", data=bitcode
    )
    calls: Counter[tuple[str, str]] = Counter()
    for line in printed.decode().splitlines():
        quoted = line.split("'")[1] if "'" in line else None
        if line.startswith("Call graph node"):
            caller = quoted or "<external caller>"
        elif line.strip():
            calls[caller, quoted or "<unknown callee>"] += 1
    return calls
