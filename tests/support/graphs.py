# SPDX-License-Identifier: Apache-2.0
"""Graphs in tests: their edges, and the same counted in printed IR."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from mlcompiler_gym.client import Graph, Service, Session
from mlcompiler_gym.programs import Program
from mlcompiler_gym.v1 import compiler_service_pb2 as pb
from support.samples import TRIPLE, ir_program

#: Flows of ``programl``.
CONTROL, DATA, CALL = range(3)

_GLOBAL = r'@(?:"([^"]*)"|([-\w.$]+))'
_LOCAL = r'%(?:"[^"]*"|[-\w.$]+)'
_EXITS = re.compile(r"ret |unreachable|resume |cleanupret .* unwind to caller")
_ENDS = re.compile(r"(ret|unreachable|resume|br|switch|indirectbr) ?|.*\binvoke ")


def edges_of(graph: Graph, flow: int) -> list[tuple[int, int, int]]:
    """Position, source and target of the edges of one flow, in order."""
    of = graph.edges[:, 0] == flow
    return [
        (position, source, target)
        for position, (source, target) in zip(
            graph.edges[of, 1].tolist(), graph.edge_links[of].tolist(), strict=True
        )
    ]


def observe(session: Session, name: str = "programl") -> Graph:
    """A graph, which is well formed."""
    graph = session.observe(name)[name]
    assert isinstance(graph, Graph)
    for array in graph[:3]:
        assert array.dtype == np.int64
    assert graph.edges.shape[0] == len(graph.edge_links)
    assert ((graph.edge_links >= 0) & (graph.edge_links < len(graph.nodes))).all()
    return graph


def same(one: Graph, other: Graph) -> bool:
    """Whether two graphs are equal to the last number."""
    return one.names == other.names and all(
        np.array_equal(a, b) for a, b in zip(one[:3], other[:3], strict=True)
    )


OpenUnchanged = Callable[..., Session]


@contextmanager
def opened(service: Service) -> Iterator[OpenUnchanged]:
    """``begin(program)``: a session of a program that no pass has changed."""
    sessions = []

    def begin(program: Program | str) -> Session:
        if isinstance(program, str):
            program = ir_program(TRIPLE + program)
        sessions.append(service.open(pb.Open(pipeline="no-op-module"), program))
        return sessions[-1]

    yield begin
    for session in sessions:
        session.close()


@dataclass
class PrintedFunction:
    """What can be counted in a function as LLVM prints it."""

    name: str
    is_declaration: bool
    instructions: int = 0
    blocks: int = 0
    #: Blocks that control does not stay in the function after.
    exits: int = 0
    #: How many successors all blocks have together.
    successors: int = 0
    #: Values that phis take.
    incoming: int = 0
    #: Arguments and results that some instruction takes.
    used_values: int = 0
    #: By call site; a call of what is no name calls "<unknown callee>".
    callees: list[str] = field(default_factory=list)


def printed_functions(text: str) -> list[PrintedFunction]:
    """The functions of a module as LLVM prints it, in the module's order."""
    # The printer writes attribute comments and debug records between.
    types = set(re.findall(rf"^({_LOCAL}) = type", text, re.MULTILINE))
    functions = []
    lines = iter(re.sub(r" +; .*$", "", text, flags=re.MULTILINE).splitlines())
    for line in lines:
        if not line.startswith(("declare", "define")):
            continue
        name = "".join(re.search(_GLOBAL + r"\(", line).groups(""))  # type: ignore[union-attr]
        functions.append(PrintedFunction(name, line.startswith("declare")))
        if line.startswith("define"):
            body = list(iter(lambda: next(lines), "}"))
            _count(functions[-1], line, body, types)
    return functions


def _count(
    function: PrintedFunction, head: str, body: list[str], types: set[str]
) -> None:
    body = [line for line in body if not line.strip().startswith("#dbg")]
    code = [line for line in body if re.match(r"  [^ \]]", line)]
    function.instructions = len(code)
    bare = [line.strip() for line in code]
    function.blocks = sum(bool(_ENDS.match(line)) for line in bare)
    function.exits = sum(bool(_EXITS.match(line)) for line in bare)
    joined = "\n".join(line for line in body if line.startswith("  "))
    function.successors = len(re.findall(rf"\blabel {_LOCAL}", joined))
    for line in bare:
        if " = phi " in line:
            function.incoming += len(re.findall(rf", {_LOCAL} \]", line))
        if re.match(rf"({_LOCAL} = )?((must|no)?tail )?(call|invoke) ", line):
            callee = re.search(_GLOBAL + r"\(", line)
            direct = callee and " asm " not in line
            function.callees.append(
                "".join(callee.groups("")) if callee and direct else "<unknown callee>"
            )
    defined = {m[1] for line in code if (m := re.match(rf"  ({_LOCAL}) = ", line))}
    defined |= set(re.findall(rf"({_LOCAL})(?=[,)])", head)) - types
    results = re.compile(rf"^  {_LOCAL} = ", re.MULTILINE)
    used = set(re.findall(_LOCAL, results.sub("", joined)))
    function.used_values = len(defined & used)
