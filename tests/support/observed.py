# SPDX-License-Identifier: Apache-2.0
"""What the service sees of a module, with the columns' names."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mlcompiler_gym import Program
from mlcompiler_gym.client import Service, Session
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

Named = dict[str, int]


def columns(service: Service, observation: str) -> list[str]:
    """The columns of a vector of counts, as its description has them."""
    [spec] = [s for s in service.describe().observations if s.name == observation]
    [tensor] = spec.tensors
    names = tensor.doc.partition("columns: ")[2].split(", ")
    assert list(tensor.shape) == [len(names)]
    assert len(set(names)) == len(names)
    return names


@dataclass(frozen=True)
class Look:
    """A session that shows a module."""

    service: Service
    session: Session

    def vector(self, name: str) -> Named:
        """A vector of the module by column."""
        values = self.session.observe(name)[name]
        assert values.dtype == "int64"
        names = columns(self.service, name)
        return dict(zip(names, values.tolist(), strict=True))

    def rows(self, name: str) -> dict[str, Named]:
        """Vectors of its pieces by name and column."""
        found = self.session.observe(name)[name]
        assert found.values.dtype == "int64"
        names = columns(self.service, name.partition("@")[0])
        rows = {
            row: dict(zip(names, values.tolist(), strict=True))
            for row, values in zip(found.names, found.values, strict=True)
        }
        assert len(rows) == len(found.names)
        return rows

    def bitcode(self) -> bytes:
        return self.session.emit("bitcode")

    def close(self) -> None:
        self.session.close()


def look(service: Service, program: Program, pipeline: str = "verify") -> Look:
    """A module as it is, or as a pipeline leaves it."""
    return Look(service, service.open(pb.Open(pipeline=pipeline), program))


#: In the order that published policies expect.
AUTOPHASE = re.findall(
    r"\w+",
    """
BBNumArgsHi BBNumArgsLo onePred onePredOneSuc onePredTwoSuc oneSuccessor twoPred
twoPredOneSuc twoEach twoSuccessor morePreds BB03Phi BBHiPhi BBNoPhi BeginPhi
BranchCount returnInt CriticalCount NumEdges const32Bit const64Bit numConstZeroes
numConstOnes UncondBranches binaryConstArg NumAShrInst NumAddInst NumAllocaInst
NumAndInst BlockMid BlockLow NumBitCastInst NumBrInst NumCallInst NumGetElementPtrInst
NumICmpInst NumLShrInst NumLoadInst NumMulInst NumOrInst NumPHIInst NumRetInst
NumSExtInst NumSelectInst NumShlInst NumStoreInst NumSubInst NumTruncInst NumXorInst
NumZExtInst TotalBlocks TotalInsts TotalMemInst TotalFuncs ArgsPhi testUnary
""",
)

DECLARATIONS = """
declare i32 @int()
declare i1 @bit()
declare void @nothing()
declare ptr @pointer()
declare <2 x i32> @vector()
declare i64 @llvm.cttz.i64(i64, i1)
declare i32 @personality(...)
"""


def autophase_of(service: Service, body: str) -> dict[str, int]:
    """Features that are not 0, of ``f`` with this body."""
    head = "define i32 @f(i32 %x, i1 %c, ptr %p, i64 %w) personality ptr @personality"
    text = f"{DECLARATIONS}{head} {{\n{body}\n}}\n"
    session = look(service, Program("small", text.encode()))
    counts = session.vector("autophase")
    session.close()
    return {name: value for name, value in counts.items() if value}


#: What every function of one block of fewer than 15 instructions has.
ONE_BLOCK = {"BBNoPhi": 1, "BlockLow": 1, "NumRetInst": 1, "TotalBlocks": 1}
ONE_BLOCK |= {"TotalFuncs": 1}
