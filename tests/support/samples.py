# SPDX-License-Identifier: Apache-2.0
"""Small programs with known properties, and calls that many tests make."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from mlcompiler_gym.client import Service
from mlcompiler_gym.errors import ServiceError
from mlcompiler_gym.programs import Program
from mlcompiler_gym.testing.samples import (
    CALLS as CALLS,
)
from mlcompiler_gym.testing.samples import (
    ENDLESS as ENDLESS,
)
from mlcompiler_gym.testing.samples import (
    ENDLESS_PASS as ENDLESS_PASS,
)
from mlcompiler_gym.testing.samples import (
    NO_CALLS as NO_CALLS,
)
from mlcompiler_gym.testing.samples import (
    SLOW as SLOW,
)
from mlcompiler_gym.testing.samples import (
    TRIPLE as TRIPLE,
)
from mlcompiler_gym.testing.samples import (
    Run as Run,
)
from mlcompiler_gym.testing.samples import (
    alternate as alternate,
)
from mlcompiler_gym.testing.samples import (
    assert_over as assert_over,
)
from mlcompiler_gym.testing.samples import (
    calls_ir as calls_ir,
)
from mlcompiler_gym.testing.samples import (
    fails as fails,
)
from mlcompiler_gym.testing.samples import (
    finish as finish,
)
from mlcompiler_gym.testing.samples import (
    inlining as inlining,
)
from mlcompiler_gym.testing.samples import (
    ir_program as ir_program,
)
from mlcompiler_gym.testing.samples import (
    pack as pack,
)
from mlcompiler_gym.testing.samples import (
    receive_within as receive_within,
)
from mlcompiler_gym.testing.samples import (
    run as run,
)
from mlcompiler_gym.testing.samples import (
    slow_ir as slow_ir,
)
from mlcompiler_gym.testing.samples import (
    upload as upload,
)
from mlcompiler_gym.testing.samples import (
    wait_until as wait_until,
)

#: Real programs: Debian's packages libstb-dev and nlohmann-json3-dev.
REAL = {
    "stb_truetype.c": """
#define STB_TRUETYPE_IMPLEMENTATION
#include <stb/stb_truetype.h>
""",
    "stb_image.c": """
#define STB_IMAGE_IMPLEMENTATION
#include <stb/stb_image.h>
""",
    "json.cpp": """
#include <nlohmann/json.hpp>
int main(int argc, char **argv) {
  auto value = nlohmann::json::parse(argc > 1 ? argv[1] : "[1]");
  value.push_back(argc);
  return static_cast<int>(value.dump().size());
}
""",
}


def compile_whole(service: Service, program: Program, **fields: object) -> None:
    """A compile that takes whatever decisions it is asked for."""
    session = service.open(inlining(**fields), program)
    try:
        if session.opened.state.HasField("features"):
            session.step(pack(*[0] * 1000))
    finally:
        session.close()


def error_of(action: Callable[[], object]) -> ServiceError | None:
    """The error that it ends in, if it does."""
    try:
        action()
    except ServiceError as error:
        return error
    return None


def idle_descriptors(pid: int) -> int:
    """How many descriptors a process has open once it has caught up."""
    process = psutil.Process(pid)
    counts: list[int] = []
    while len(counts) < 5 or len(set(counts[-5:])) > 1:
        counts.append(process.num_fds())
        time.sleep(0.02)
    return counts[-1]


def run_script(
    folder: Path, text: str, stderr: int = subprocess.PIPE
) -> subprocess.CompletedProcess[str]:
    """Run a Python script that may import what the tests do."""
    path = folder / "script.py"
    path.write_text(text)
    return subprocess.run(
        [sys.executable, path],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        timeout=50,
        # A process group of its own, for signals as a terminal sends them.
        start_new_session=True,
        check=False,
    )


class Sibling:
    """A session that stands in the middle of a compile while others fail."""

    def __init__(self, service: Service, policy: Sequence[int] = (1, 0, 0)) -> None:
        self._policy = policy
        self._expected = run(service, policy=self._choose)
        self.session = service.open(inlining(), CALLS)
        self._state = self.session.step(pack(self._choose(0), self._choose(1)))

    def _choose(self, index: int) -> int:
        return self._policy[index % len(self._policy)]

    def check(self) -> None:
        """Finish it; it must not have noticed anything."""
        rest = finish(self.session, self._state, self._choose)
        self.session.close()
        assert rest.object_code == self._expected.object_code
        assert rest.features == self._expected.features[2:]
