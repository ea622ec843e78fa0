# SPDX-License-Identifier: Apache-2.0
"""Programs and targets that cannot be compiled, and instructions that count."""

from __future__ import annotations

import pytest

from mlcompiler_gym import LocalService
from mlcompiler_gym.errors import ServiceError
from mlcompiler_gym.programs import Program
from mlcompiler_gym.testing.samples import ir_program
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

ADD = "define {linkage}i32 @{name}(i32 %x) {{\n  %y = add i32 %x, 1\n  ret i32 %y\n}}\n"


@pytest.mark.parametrize("triple", ["riscv64-linux-gnu", "wasm32-unknown-unknown"])
@pytest.mark.parametrize("asked", [True, False])
def test_unsupported_targets_name_the_supported(
    service: LocalService, triple: str, asked: bool
) -> None:
    text = ADD.format(linkage="", name="f")
    program = ir_program(f'target triple = "{triple}"\n' + text)
    request = pb.Open(pipeline="verify", target_triple=triple if asked else "")
    with pytest.raises(ServiceError, match=f"'{triple.split('-')[0]}") as caught:
        service.open(request, program)
    assert caught.value.code == "INVALID_ARGUMENT"
    assert all(name in caught.value.message for name in service.describe().targets)


@pytest.mark.parametrize("data", [b"\x7fELF\x02\x01\x01" + bytes(64), b"\xff\xfe\xfd"])
def test_bytes_are_not_printed(service: LocalService, data: bytes) -> None:
    with pytest.raises(ServiceError, match="it is not text") as caught:
        service.open(pb.Open(pipeline="verify"), Program("bytes", data))
    assert caught.value.code == "INVALID_PROGRAM"
    assert caught.value.message.isprintable()


def test_text_is_shown_where_it_goes_wrong(service: LocalService) -> None:
    with pytest.raises(ServiceError, match=r"1:1: error: .*\nnonsense"):
        service.open(pb.Open(pipeline="verify"), ir_program("nonsense"))


@pytest.mark.parametrize("linkage", ["", "internal ", "available_externally "])
def test_every_body_counts(service: LocalService, linkage: str) -> None:
    two = ADD.format(linkage="", name="f") + ADD.format(linkage=linkage, name="g")
    request = pb.Open(pipeline="verify", objectives=["ir_instructions"])
    session = service.open(request, ir_program(two + "declare void @h()\n"))
    [measured] = session.opened.state.outcome.measurements
    assert measured.value == 4
