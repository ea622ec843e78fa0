# SPDX-License-Identifier: Apache-2.0
"""Programs and pipelines that reach for what is not theirs.

What is attempted goes through the public protocol, as a stranger would. Each
attempt ends in a typed error or does nothing; other sessions go on.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.samples import (
    CALLS,
    NO_CALLS,
    TRIPLE,
    Sibling,
    calls_ir,
    compile_whole,
    error_of,
    fails,
    finish,
    idle_descriptors,
    inlining,
    ir_program,
    pack,
)

from mlcompiler_gym import LocalService, Program
from mlcompiler_gym.client import Service
from mlcompiler_gym.errors import ServiceError
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(autouse=True)
def bystander(any_service: Service) -> Iterator[Sibling]:
    sibling = Sibling(any_service)
    yield sibling
    sibling.check()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file of the user that the service runs as."""
    path = tmp_path / "token"
    path.write_text("sesame-1234567890")
    return path


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (x.partition(":") for x in lines)}


def limits_of(pid: int) -> dict[str, list[str]]:
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()[1:]
    columns = (re.split(r"\s{2,}", line) for line in lines)
    return {name: values[:2] for name, *values in columns}


# -- What is in force --------------------------------------------------------


def test_the_service_says_what_is_in_force(any_service: Service) -> None:
    sandbox = any_service.describe().sandbox
    # Kernels that lack one of these are not what the tests are run on.
    assert sandbox.no_new_privileges
    assert sandbox.system_calls
    assert sandbox.landlock >= 1
    assert not sandbox.missing


@pytest.mark.parametrize("park", [False, True])
def test_every_session_process_is_confined(any_service: Service, park: bool) -> None:
    for _ in range(2):
        session = any_service.open(inlining(park=park), CALLS)
        copied = session.fork()
        for pid in (session.opened.pid, copied.opened.pid):
            status = status_of(pid)
            assert status["NoNewPrivs"] == "1"
            assert status["Seccomp"] == "2"
            limits = limits_of(pid)
            assert limits["Max core file size"] == ["0", "0"]
            assert limits["Max open files"] == ["64", "64"]
            assert int(limits["Max stack size"][1]) <= 64 << 20
        copied.close()
        session.close()


def test_the_nursery_is_confined_too(service: LocalService) -> None:
    service.describe()
    assert service.pid is not None
    assert status_of(service.pid)["NoNewPrivs"] == "1"
    assert status_of(service.pid)["Seccomp"] == "2"


def test_the_same_bytes_without_a_sandbox(any_service: Service) -> None:
    bare = LocalService("--sandbox=off")
    objects = []
    for service in (any_service, bare):
        session = service.open(inlining(), CALLS)
        objects.append(finish(session, session.opened.state, lambda _: 1))
        session.close()
    assert objects[0] == objects[1]
    sandbox = bare.describe().sandbox
    assert not sandbox.system_calls
    assert list(sandbox.missing) == ["the sandbox is turned off"]
    bare.close()


# -- Files -------------------------------------------------------------------


def assembly(text: str, *, module: bool) -> str:
    """A module with these lines of assembly."""
    if module:
        lines = "".join(f"module asm {quoted(line)}\n" for line in text.splitlines())
        return calls_ir() + lines
    body = f'  call void asm sideeffect {quoted(text)}, ""()\n  ret void\n'
    return calls_ir() + f"define void @f() {{\n{body}}}\n"


def quoted(text: str) -> str:
    escaped = "".join(
        c if c.isalnum() or c in " ./,:-_" else f"\\{ord(c):02X}" for c in text
    )
    return f'"{escaped}"'


@pytest.mark.parametrize("module", [True, False], ids=["module", "inline"])
@pytest.mark.parametrize("directive", [".incbin", ".include"])
def test_assembly_that_reads_files(
    any_service: Service, secret: Path, directive: str, module: bool
) -> None:
    text = f'.section .data\n{directive} "{secret}"\n.text'
    program = ir_program(assembly(text, module=module))
    with fails("INVALID_PROGRAM", str(secret)) as caught:
        session = any_service.open(inlining(), program)
        finish(session, session.opened.state, lambda _: 0)
    assert "sesame" not in str(caught[0])


def test_without_a_sandbox_assembly_reads_files(secret: Path) -> None:
    # Or the test above would show nothing.
    service = LocalService("--sandbox=off")
    text = f'.section .data\n.incbin "{secret}"\n.text'
    session = service.open(inlining(), ir_program(assembly(text, module=True)))
    done = finish(session, session.opened.state, lambda _: 0)
    assert b"sesame-1234567890" in done.object_code
    service.close()


GCOV = """
define void @g() !dbg !5 {
  ret void, !dbg !8
}
!llvm.dbg.cu = !{!0}
!llvm.module.flags = !{!2}
!llvm.gcov = !{!9}
!0 = distinct !DICompileUnit(language: DW_LANG_C99, file: !1, emissionKind: FullDebug)
!1 = !DIFile(filename: "a.c", directory: "FOLDER")
!2 = !{i32 2, !"Debug Info Version", i32 3}
!5 = distinct !DISubprogram(name: "g", file: !1, line: 1, type: !6, unit: !0, \
spFlags: DISPFlagDefinition)
!6 = !DISubroutineType(types: !7)
!7 = !{null}
!8 = !DILocation(line: 1, column: 1, scope: !5)
!9 = !{!"FOLDER/notes.gcno", !"FOLDER/data.gcda", !0}
"""


def ends_in(
    service: Service, program: Program, pipeline: str, says: str | None
) -> None:
    """A compile is refused with this message; None: it comes to its end."""
    error = error_of(lambda: compile_whole(service, program, pipeline=pipeline))
    if says is None:
        assert error is None
        return
    assert error is not None
    unknown = says.startswith("unknown")
    assert error.code == ("INVALID_ARGUMENT" if unknown else "INVALID_PROGRAM")
    assert says in error.message
    assert "sesame" not in error.message


#: Pipelines that write a file, its name, and why the compile ends where it cannot be
#: written. None: LLVM says so and goes on.
WRITING = {
    "insert-gcov-profiling": ("notes.gcno", "Permission denied"),
    "dot-callgraph": ("program.callgraph.dot", None),
    "function(dot-cfg)": (".g.dot", None),
    "function(dot-cfg-only)": (".g.dot", None),
    "function(dot-dom)": ("dom.g.dot", None),
    "function(dot-post-dom)": ("postdom.g.dot", None),
}


def writing(folder: Path) -> Program:
    return ir_program(TRIPLE + GCOV.replace("FOLDER", str(folder)))


@pytest.mark.parametrize("pipeline", WRITING)
def test_passes_that_write_files(
    any_service: Service,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pipeline: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    says = WRITING[pipeline][1]
    with closing(LocalService()) as here:  # where it would write
        for service in (here, any_service):
            ends_in(service, writing(tmp_path), pipeline, says)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("pipeline", WRITING)
def test_without_a_sandbox_passes_write_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pipeline: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with closing(LocalService("--sandbox=off")) as service:
        compile_whole(service, writing(tmp_path), pipeline=pipeline)
    assert [path.name for path in tmp_path.iterdir()] == [WRITING[pipeline][0]]


#: Pipelines that name plugins or files; what comes of them, and what would without
#: a sandbox. None: they read nothing, and the compile goes on.
REACHING = {
    "-load=/tmp/plugin.so": ("unknown pass name", "unknown pass name"),
    "load</tmp/plugin.so>": ("unknown pass name", "unknown pass name"),
    "/tmp/plugin.so": ("unknown pass name", "unknown pass name"),
    "sample-profile": ("Permission denied", "No such file or directory"),
    "pgo-instr-use": ("Permission denied", "No such file or directory"),
    "pgo-icall-prom,memprof-use<profile-filename=SECRET>": (
        "SECRET: Permission denied",
        "SECRET: invalid instrumentation profile data",
    ),
    "function(print<regions>),print-profile-summary": (None, None),
    "lowertypetests,wholeprogramdevirt": (None, None),
    "extract-blocks": (None, None),
    "rewrite-symbols": (None, None),
    "internalize<preserve-gv=SECRET;preserve-gv=top>": (None, None),
}


def reach(service: Service, pipeline: str, says: str | None, secret: Path) -> None:
    pipeline = pipeline.replace("SECRET", str(secret))
    ends_in(service, CALLS, pipeline, says and says.replace("SECRET", str(secret)))


@pytest.mark.parametrize("pipeline", REACHING)
def test_pipelines_that_name_plugins_or_files(
    any_service: Service, secret: Path, pipeline: str
) -> None:
    reach(any_service, pipeline, REACHING[pipeline][0], secret)


@pytest.mark.parametrize("pipeline", REACHING)
def test_what_those_pipelines_would_reach(secret: Path, pipeline: str) -> None:
    """That they are refused above is the sandbox's doing."""
    with closing(LocalService("--sandbox=off")) as bare:
        reach(bare, pipeline, REACHING[pipeline][1], secret)


def test_names_of_files_in_a_program_are_only_names(
    any_service: Service, secret: Path
) -> None:
    text = f"""
source_filename = "{secret}"
define void @f() !dbg !5 {{
  ret void, !dbg !8
}}
!llvm.dbg.cu = !{{!0}}
!llvm.module.flags = !{{!2, !3}}
!llvm.linker.options = !{{!10, !11}}
!llvm.dependent-libraries = !{{!12}}
!0 = distinct !DICompileUnit(language: DW_LANG_C99, file: !1, emissionKind: FullDebug,
 splitDebugFilename: "{secret}.dwo", sysroot: "{secret.parent}")
!1 = !DIFile(filename: "{secret.name}", directory: "{secret.parent}")
!2 = !{{i32 2, !"Debug Info Version", i32 3}}
!3 = !{{i32 1, !"ProfileSummary", i32 7}}
!5 = distinct !DISubprogram(name: "f", file: !1, line: 1, type: !6, unit: !0, \
spFlags: DISPFlagDefinition)
!6 = !DISubroutineType(types: !7)
!7 = !{{null}}
!8 = !DILocation(line: 1, column: 1, scope: !5)
!10 = !{{!"-plugin", !"{secret}"}}
!11 = !{{!"--output", !"{secret}"}}
!12 = !{{!"{secret}"}}
"""
    session = any_service.open(
        pb.Open(pipeline="default<O2>", objectives=["text_size"]),
        ir_program(TRIPLE + text.replace("FullDebug,\n", "FullDebug,")),
    )
    code = session.emit("object") + session.emit("assembly")
    assert b"sesame" not in code
    session.close()
    assert secret.read_text() == "sesame-1234567890"


# -- Standard streams, descriptors, processes --------------------------------


def test_what_programs_print_is_no_line_of_the_servers_log(
    server: object, capfd: pytest.CaptureFixture[str]
) -> None:
    from mlcompiler_gym.client.remote import GrpcService

    forged = '{"event": "forged"}'
    text = NO_CALLS.replace("@only", f"@{quoted(forged)}")
    service = GrpcService(f"grpc://127.0.0.1:{server.port}")  # type: ignore[attr-defined]
    compile_whole(service, ir_program(text), pipeline="print,print<regions>")
    service.close()
    assert "forged" not in "".join(capfd.readouterr())


def test_a_session_has_its_socket_and_the_null_device_only(server: object) -> None:
    from mlcompiler_gym.client.remote import GrpcService

    service = GrpcService(f"grpc://127.0.0.1:{server.port}")  # type: ignore[attr-defined]
    session = service.open(inlining(), CALLS)
    idle_descriptors(session.opened.pid)
    folder = Path(f"/proc/{session.opened.pid}/fd")
    targets = [os.readlink(each) for each in folder.iterdir()]
    sockets = [t for t in targets if t.startswith("socket:")]
    assert len(sockets) == 1
    assert {t for t in targets if t not in sockets} == {"/dev/null"}
    service.close()


def test_a_session_goes_on_after_it_was_refused(any_service: Service) -> None:
    text = '.section .data\n.incbin "/etc/passwd"\n.text'
    session = any_service.open(
        pb.Open(pipeline="verify"), ir_program(assembly(text, module=True))
    )
    with fails("INVALID_PROGRAM", "/etc/passwd", ended=False):
        session.emit("object")
    assert "/etc/passwd" in session.observe("ir")["ir"]
    with pytest.raises(ServiceError):
        session.step(pack(0))
    session.close()
