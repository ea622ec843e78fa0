# SPDX-License-Identifier: Apache-2.0
"""SQLite, zlib and Lua, built with ``CC=mlcg-clang`` by make and by CMake."""

from pathlib import Path

import pytest

from benchmarks.real_builds import PROGRAMS, build, check, code_bytes, prepare
from mlcompiler_gym.programs.pypi.index import Index


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_real_program_works_when_policies_decide(name: str, tmp_path: Path) -> None:
    source = prepare(name, tmp_path, Index())

    def made(tool: str, policy: str | None) -> tuple[str, int]:
        folder = source.with_name(f"{tool}-{policy}")
        build(source, folder, policy, tool)
        return check(name, folder), code_bytes(name, folder)

    printed, size = made("make", None)
    assert made("make", "llvm") == (printed, size)
    for tool in ("make", "cmake"):
        by_rule, smaller = made(tool, "last_use")
        assert by_rule == printed
        assert smaller < size
