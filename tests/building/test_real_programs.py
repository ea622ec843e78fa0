# SPDX-License-Identifier: Apache-2.0
"""SQLite, zlib and Lua, built with ``CC=mlcg-clang`` by make and by CMake."""

import json
from pathlib import Path

import pytest

from benchmarks.real_builds import PROGRAMS, build, check, code_bytes, prepare
from mlcompiler_gym.programs.pypi.index import Index

#: At -Oz, sessions do without this vectoriser, which clang has.
FLAGS = "-Oz -fno-slp-vectorize"


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_real_program_works_when_policies_decide(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = tmp_path / "report"
    monkeypatch.setenv("MLCOMPILER_GYM_REPORT", str(report))
    with Index() as index:
        source = prepare(name, tmp_path, index)

    def made(tool: str, policy: str | None) -> tuple[str, int]:
        folder = source.with_name(f"{tool}-{policy}")
        build(source, folder, policy, tool, FLAGS)
        return check(name, folder), code_bytes(name, folder)

    printed, size = made("make", None)
    assert not report.exists()
    assert made("make", "llvm") == (printed, size)
    for tool in ("make", "cmake"):
        report.unlink()
        assert made(tool, "last_use")[0] == printed
        units = [json.loads(line) for line in report.read_text().splitlines()]
        assert {unit["kept"] for unit in units} == {"policy"}
        assert sum(unit["decisions"]["inlining"] for unit in units) > 0
