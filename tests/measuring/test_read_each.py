# SPDX-License-Identifier: Apache-2.0
"""Several programs, run one after the other in one sandbox."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import toolchain

from mlcompiler_gym.measuring import harness
from mlcompiler_gym.validation import Limits
from mlcompiler_gym.validation.sandbox import scratch_folder

BODIES = {
    "prints": 'printf("%s no newline", argv[1]); return 3;',
    "crashes": 'printf("before"); fflush(stdout); *(volatile int *)0 = 1; return 0;',
    "leaves": "_exit(4);",
    "hangs": "for (volatile int i = 0;; i++) {} return 0;",
    "again": 'puts("end"); return 0;',
}


@pytest.fixture
def paths() -> Iterator[dict[str, Path]]:
    with scratch_folder() as scratch:
        folder = Path(scratch)
        folder.chmod(0o755)
        yield link_all(folder)


def link_all(folder: Path) -> dict[str, Path]:
    made = {}
    for name, body in BODIES.items():
        source = "#include <stdio.h>\n#include <unistd.h>\n"
        source += f"int main(int argc, char **argv) {{ {body} }}\n"
        code = toolchain.run(
            *("clang-22", "-O1", "-fPIE", "-x", "c", "-c", "-o", "-", "-"),
            data=source.encode(),
        )
        made[name] = folder / f"{name} it's"
        harness.link_measured(code, made[name])
    return made


def test_each_is_as_it_is_alone(paths: dict[str, Path]) -> None:
    limits = Limits(cpu_seconds=1)
    found = harness.read_each(list(paths.values()), ["one $HOME"], limits)
    first, crashed, left, hung, last = found
    assert first is not None
    assert (first.output, first.status) == (b"one $HOME no newline", 3)
    assert first.cpu_seconds >= 0
    assert crashed is None
    assert left is None
    assert hung is None
    assert last is not None
    assert (last.output, last.status) == (b"end\n", 0)
    alone = harness.read(paths["prints"], ["one $HOME"], limits)
    assert (alone.output, alone.status) == (first.output, first.status)
