# SPDX-License-Identifier: Apache-2.0
"""clang-22 with a policy in its inliner, against clang-22 as it is.

Processor time of `clang++-22 -Oz -c` of a file with nlohmann/json, in pairs,
one after the other. What is inlined otherwise is compiled otherwise; so what the
network answers is what LLVM does.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import gymnasium

from benchmarks.resident import CASES, network
from mlcompiler_gym import PortablePolicy
from mlcompiler_gym.policies import plugin_path

PAIRS = 9


def processor_time(source: Path, *flags: str, policy: str = "") -> float:
    """Seconds of one compile."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        ["clang++-22", "-Oz", *flags, "-c", source, "-o", source.with_suffix(".o")],
        env={**os.environ, "MLCOMPILER_GYM_POLICY": policy},
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def as_llvm(source: Path, env_id: str, settings: dict[str, Any]) -> PortablePolicy:
    """A network of two layers of 64 that answers as LLVM does."""
    env: Any = gymnasium.make(env_id, programs=source, **settings).unwrapped
    policy = network(env)
    env.close()
    return policy


def run() -> None:
    env_id, settings, text, suffix = CASES["inlining, nlohmann/json"]
    plugin = f"-fpass-plugin={plugin_path()}"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, f"benchmark{suffix}")
        source.write_text(text)
        path = Path(folder, "network.policy")
        as_llvm(source, env_id, settings).save(path)
        made = source.with_suffix(".o")
        processor_time(source)
        plain = made.read_bytes()
        for name, policy in {
            "no policy": "",
            "llvm": "llvm",
            "a network with LLVM's answers": str(path),
        }.items():
            pairs = [
                (
                    processor_time(source),
                    processor_time(source, plugin, policy=policy),
                )
                for _ in range(PAIRS)
            ]
            ratios = [mine / theirs for theirs, mine in pairs]
            low, middle, high = statistics.quantiles(ratios, n=4)
            same = "the same object" if made.read_bytes() == plain else "another object"
            print(
                f"{name}: {middle:.3f} ({low:.3f} to {high:.3f}) of "
                f"{statistics.median(theirs for theirs, _ in pairs):.2f} s, {same}"
            )
