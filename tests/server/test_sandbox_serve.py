# SPDX-License-Identifier: Apache-2.0
"""What is said of the sandbox, and kernels that have none."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.samples import CALLS, finish, inlining
from support.servers import ServerProcess, cli

from mlcompiler_gym import LocalService
from mlcompiler_gym.client.executable import find_executable
from mlcompiler_gym.errors import ServiceUnavailableError
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

pytestmark = pytest.mark.timeout(120)

# As a container does that forbids these calls: libseccomp's defaults, and each of
# them answered as by a kernel that does not know it (38 is ENOSYS).
WITHOUT = """#!{python}
import ctypes, os, sys
lib = ctypes.CDLL("libseccomp.so.2")
lib.seccomp_init.restype = ctypes.c_void_p
context = ctypes.c_void_p(lib.seccomp_init(0x7FFF0000))
for name in {calls}:
    call = lib.seccomp_syscall_resolve_name(name)
    assert lib.seccomp_rule_add(context, 0x00050000 | 38, call, 0) == 0
class Argument(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int),
                ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]
if b"seccomp" in {calls}:
    # prctl(PR_SET_SECCOMP, ...), the older way.
    call = lib.seccomp_syscall_resolve_name(b"prctl")
    lib.seccomp_rule_add_array.argtypes = [
        ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p
    ]
    first = Argument(0, 4, 22, 0)
    assert lib.seccomp_rule_add_array(
        context, 0x00050000 | 38, call, 1, ctypes.byref(first)) == 0
assert lib.seccomp_load(context) == 0
os.execv({executable!r}, [{executable!r}, *sys.argv[1:]])
"""

Without = Callable[[tuple[bytes, ...]], None]

LANDLOCK = (b"landlock_create_ruleset",)
SECCOMP = (b"seccomp",)


@pytest.fixture
def without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Without:
    """``without(calls)``: the service of a kernel that lacks these calls."""

    def lacking(calls: tuple[bytes, ...]) -> None:
        path = tmp_path / "service"
        path.write_text(
            WITHOUT.format(
                python=sys.executable, calls=calls, executable=str(find_executable())
            )
        )
        path.chmod(0o755)
        monkeypatch.setenv("MLCOMPILER_GYM_SERVICE", str(path))

    return lacking


def compile_and_describe(*arguments: str) -> pb.Sandbox:
    service = LocalService(*arguments)
    try:
        session = service.open(inlining(park=True), CALLS)
        assert finish(session, session.opened.state, lambda _: 1).object_code
        return service.describe().sandbox
    finally:
        service.close()


def test_without_landlock_the_filter_does(without: Without) -> None:
    without(LANDLOCK)
    sandbox = compile_and_describe("--sandbox=require")
    assert sandbox.system_calls
    assert sandbox.landlock == 0
    (why,) = sandbox.missing
    assert "Landlock" in why


def test_without_filters_landlock_does_what_it_can(without: Without) -> None:
    without(SECCOMP)
    sandbox = compile_and_describe()
    assert not sandbox.system_calls
    assert sandbox.landlock >= 1
    (why,) = sandbox.missing
    assert "seccomp" in why


def test_without_either_everything_works(without: Without) -> None:
    without(LANDLOCK + SECCOMP)
    sandbox = compile_and_describe()
    assert not sandbox.system_calls
    assert not sandbox.landlock
    assert len(sandbox.missing) == 2


def test_what_is_required_and_cannot_be(without: Without) -> None:
    without(SECCOMP)
    service = LocalService("--sandbox=require")
    with pytest.raises(ServiceUnavailableError, match="--sandbox=auto"):
        service.open(inlining(), CALLS)
    service.close()


def test_other_machines_are_not_served_without(
    without: Without, tmp_path: Path
) -> None:
    without(SECCOMP)
    options = ("--host=0.0.0.0", "--insecure")
    done = cli("serve", "--port=0", *options)
    assert done.returncode == 1
    assert "--sandbox=auto" in done.stderr
    with ServerProcess(tmp_path, *options, "--sandbox=auto") as server:
        warnings = [e for e in server.events() if e["level"] == "warning"]
        assert any("seccomp" in str(e.get("missing")) for e in warnings)
        assert "seccomp" not in server.serving["sandbox"]
    with ServerProcess(tmp_path) as server:
        assert any("seccomp" in str(e.get("missing")) for e in server.events())


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_the_server_says_what_is_in_force(tmp_path: Path, host: str) -> None:
    with ServerProcess(tmp_path, f"--host={host}", "--insecure") as server:
        said = server.serving["sandbox"]
        assert said[:2] == ["no_new_privs", "seccomp"]
        assert said[2].startswith("landlock ")
        required = "--sandbox=require" in server.nursery().cmdline()
        assert required == (host == "0.0.0.0")
    with ServerProcess(tmp_path, "--sandbox=off") as server:
        assert server.serving["sandbox"] == []
