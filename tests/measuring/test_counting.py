# SPDX-License-Identifier: Apache-2.0
"""What a run is measured by tells what the run has done."""

import errno
from pathlib import Path

import pytest
from support import toolchain

from mlcompiler_gym.measuring import harness, valgrind
from mlcompiler_gym.validation import Limits, link
from mlcompiler_gym.validation.sandbox import run, scratch_folder

#: Prints its arguments, without a newline at the end.
ARGUMENTS = """
#include <stdio.h>
int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) printf("%d[%s]", i, argv[i]);
  return 9;
}
"""

#: The kernel's part of counting: a descriptor that the count is read from, or an error.
KERNEL = """
#include <errno.h>
#include <unistd.h>
long syscall(long number, ...) {
  unsigned long long seen[] = {123456789, 20, RUNNING};
  int ends[2];
  if (FAILS) { errno = FAILS; return -1; }
  if (pipe(ends) || write(ends[1], seen, sizeof(seen)) < 0) return -1;
  return ends[0];
}
int main(void) {
  for (volatile int i = 0; i < 30000000; i++);
  return usleep(20000);
}
"""


def compiled(source: str) -> bytes:
    command = ("clang-22", "-O1", "-fPIE", "-x", "c", "-c", "-o", "-", "-")
    return toolchain.run(*command, data=source.encode())


@pytest.mark.parametrize(
    ("fails", "running", "expected"),
    [
        ("0", "20", 123456789),
        ("EXDEV", "20", -errno.EXDEV),
        ("0", "19", -errno.EBUSY),
    ],
)
@pytest.mark.parametrize(
    "counted", [[], ["instructions"], ["cycles", "branch_misses", "cache_misses"]]
)
def test_the_kernels_counts_are_passed_on(
    fails: str, running: str, expected: int, counted: list[str]
) -> None:
    with scratch_folder() as folder:
        Path(folder).chmod(0o755)
        program = Path(folder) / "program"
        code = compiled(KERNEL.replace("FAILS", fails).replace("RUNNING", running))
        harness.link_measured(code, program, counted)
        reading = harness.read(program, (), Limits(), counted)
    assert reading.counts == dict.fromkeys(counted, expected)
    assert reading.output == b""
    # The clocks' nanoseconds are seconds by now, of which a run may take a few.
    assert 0 < reading.cpu_seconds < Limits().cpu_seconds
    assert 0.02 <= reading.wall_seconds < Limits().wall_seconds


def test_valgrind_runs_the_program_as_it_is() -> None:
    arguments = ["two words", "", "$HOME", "'\"", "*"]
    with scratch_folder() as folder:
        Path(folder).chmod(0o755)
        program = Path(folder) / "program"
        link(compiled(ARGUMENTS), program)
        plain = run(program, arguments)
        _, output, status = valgrind.count(program, arguments, Limits())
    assert plain.output == b"1[two words]2[]3[$HOME]4['\"]5[*]"
    assert (output, status) == (plain.output, plain.status) == (plain.output, 9)
