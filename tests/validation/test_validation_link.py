# SPDX-License-Identifier: Apache-2.0
"""From object files to programs, and objects that do not become one."""

import os
import shutil
from pathlib import Path

import pytest
from support import toolchain

from mlcompiler_gym import ProgramError
from mlcompiler_gym.validation import LinkError, MachineError, Run, link, run

_TARGETS = {"x86_64": "aarch64-linux-gnu", "aarch64": "x86_64-linux-gnu"}


def object_of(source: str, *flags: str) -> bytes:
    command = ("clang-22", "-O1", "-fPIE", *flags, "-x", "c", "-c", "-o", "-", "-")
    return toolchain.run(*command, data=source.encode())


HELLO = 'int puts(const char *); int main(void) { puts("hello"); return 0; }'


def test_with_libm(tmp_path: Path) -> None:
    source = """
        double sin(double); int printf(const char *, ...);
        int main(int argc, char **argv) { printf("%.3f", sin(argc)); return 0; }
    """
    link(object_of(source), tmp_path / "program")
    assert run(tmp_path / "program") == Run(b"0.841", status=0)
    assert [path.name for path in tmp_path.iterdir()] == ["program"]


@pytest.mark.parametrize("name", ["clang-22", "cc", "gcc"])
def test_other_linkers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"there is no {name} here")
    monkeypatch.setenv("MLCOMPILER_GYM_LINKER", name)
    link(object_of(HELLO), tmp_path / "program")
    assert run(tmp_path / "program") == Run(b"hello\n", status=0)


CXX = """
    #include <cstdio>
    #include <stdexcept>
    #include <string>
    #include <vector>
    struct D { int &x; ~D() { x++; } };
    static int thrower(int i) {
      if (i % 3 == 0) throw std::runtime_error("a" + std::to_string(i));
      return i;
    }
    int main() {
      int ended = 0, sum = 0;
      for (int i = 0; i < 20; i++) {
        try { D d{ended}; sum += thrower(i); } catch (const std::exception &e) {
          sum += e.what()[1];
        }
      }
      thread_local static int t = 3;
      std::printf("%d %d %d\\n", ended, sum, t);
    }
"""


def cxx_object(*flags: str) -> bytes:
    command = ("clang++-22", "-O1", "-fPIE", *flags, "-x", "c++", "-c", "-o", "-", "-")
    return toolchain.run(*command, data=CXX.encode())


@pytest.mark.parametrize("flags", [(), ("-fno-pic", "-fno-pie")])
def test_cxx(tmp_path: Path, flags: tuple[str, ...]) -> None:
    link(cxx_object(*flags), tmp_path / "program")
    assert run(tmp_path / "program") == Run(b"20 484 3\n", status=0)


def test_c_has_nothing_of_cxx(tmp_path: Path) -> None:
    link(object_of(HELLO), tmp_path / "program")
    needed = toolchain.run("llvm-readelf-22", "--needed-libs", tmp_path / "program")
    assert b"libc.so" in needed
    assert b"libstdc++" not in needed


def test_no_cxx_linker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = cxx_object()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        LinkError, match=r"none of clang\+\+-22, .*g\+\+ is there.*C\+\+"
    ):
        link(code, tmp_path / "program")


def kind(program: Path) -> bytes:
    header = toolchain.run("llvm-readelf-22", "-h", program)
    (line,) = (line for line in header.splitlines() if b"Type:" in line)
    return line.split()[1]


def test_code_that_has_to_be_where_it_was_linked_to(tmp_path: Path) -> None:
    source = """
        int puts(const char *);
        const char *const texts[] = {"one", "two"};
        int main(int argc, char **argv) { puts(texts[argc]); return 0; }
    """
    link(object_of(source), tmp_path / "moving")
    assert kind(tmp_path / "moving") == b"DYN"
    link(object_of(source, "-fno-pic", "-fno-pie"), tmp_path / "fixed")
    assert kind(tmp_path / "fixed") == b"EXEC"
    assert (
        run(tmp_path / "moving") == run(tmp_path / "fixed") == Run(b"two\n", status=0)
    )


def test_no_linker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = object_of(HELLO)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LinkError, match="none of clang-22, clang, cc, gcc is there"):
        link(code, tmp_path / "program")
    monkeypatch.setenv("MLCOMPILER_GYM_LINKER", "nonsuch")
    with pytest.raises(LinkError, match="MLCOMPILER_GYM_LINKER=nonsuch is not"):
        link(code, tmp_path / "program")


def test_no_main(tmp_path: Path) -> None:
    code = object_of("int missing(void); int other(void) { return missing(); }")
    with pytest.raises(LinkError, match=r"\n    .*missing") as caught:
        link(code, tmp_path / "program")
    assert isinstance(caught.value, ProgramError)
    assert "main" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_another_machine(tmp_path: Path) -> None:
    host = os.uname().machine
    if host not in _TARGETS:
        pytest.skip(f"nothing is known of {host}")
    code = object_of("int main(void) { return 0; }", "-target", _TARGETS[host])
    other = _TARGETS[host].partition("-")[0]
    with pytest.raises(MachineError, match=f"for {other} .* is {host}"):
        link(code, tmp_path / "program")


@pytest.mark.parametrize("code", [b"", b"\x7fELF", b"BC\xc0\xde" * 10])
def test_no_object(tmp_path: Path, code: bytes) -> None:
    with pytest.raises(MachineError, match="not an object file"):
        link(code, tmp_path / "program")
