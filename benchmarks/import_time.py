# SPDX-License-Identifier: Apache-2.0
"""`import mlcompiler_gym` in a fresh interpreter, and with the first environment."""

from __future__ import annotations

import statistics
import subprocess
import sys
from time import perf_counter

RUNS = 15


def _seconds(code: str) -> float:
    began = perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return perf_counter() - began


def run() -> None:
    for label, code in (
        ("nothing", "pass"),
        ("import mlcompiler_gym", "import mlcompiler_gym"),
        ("import gymnasium", "import gymnasium"),
        ("both", "import gymnasium, mlcompiler_gym"),
        (
            "both, and gymnasium.make",
            "import gymnasium, mlcompiler_gym\n"
            "gymnasium.make('mlcompiler/Inlining-v0')",
        ),
    ):
        times = [_seconds(code) for _ in range(RUNS)]
        print(f"{label:26} median {statistics.median(times):.3f} s")
    print("(goal: import mlcompiler_gym under 0.3 s)")
