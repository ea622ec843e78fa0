# SPDX-License-Identifier: Apache-2.0
"""LLVM's own tools, against which the service is checked, and episode helpers."""

import json
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlcompiler_gym.envs import CompilerEnv

KERNELS = Path(__file__).parents[2] / "mlcompiler_gym" / "programs" / "kernels"
KERNEL_NAMES = sorted(path.stem for path in (KERNELS / "src").glob("*.c"))
#: Where the vocabularies of IR2Vec and MIR2Vec are.
VOCABULARIES = KERNELS.parents[1] / "vocabularies"
#: Folders of the sets whose programs ship with us.
FOLDERS = {"kernels": KERNELS, "loops": KERNELS.with_name("loops")}
#: What these programs are called.
NAMES = sorted(
    f"{name}/{path.stem}"
    for name, folder in FOLDERS.items()
    for path in (folder / "src").glob("*.c")
)
#: One of each kind: strings, numbers, recursion, a stencil, indirect writes.
SOME = [
    "kernels/json",
    "kernels/matrix",
    "kernels/lisp",
    "loops/stencil_five_point",
    "loops/gather_histogram",
]

#: Seconds after which a tool is taken to hang.
_TIMEOUT = 120


def run(*command: str | Path, data: bytes = b"") -> bytes:
    """Standard output of a command that succeeds."""
    done = subprocess.run(
        command, input=data, capture_output=True, check=False, timeout=_TIMEOUT
    )
    assert done.returncode == 0, f"{command}: {done.stderr.decode()}"
    return done.stdout


def heuristic_object(
    bitcode: bytes, pipeline: str = "default<Oz>", cpu: str = ""
) -> bytes:
    """What `opt` and `llc` make of a program, by LLVM's own heuristics."""
    flags = ["-relocation-model=pic"] + ([f"-mcpu={cpu}"] if cpu else [])
    optimized = run("opt-22", *flags, f"-passes={pipeline}", "-o", "-", data=bitcode)
    return run("llc-22", *flags, "-filetype=obj", "-o", "-", data=optimized)


def embeddings(module: bytes, *options: str) -> list[tuple[str, str, list[float]]]:
    """What llvm-ir2vec says: function, what the vector is of, and the vector."""
    text = run("llvm-ir2vec-22", "embeddings", *options, "-", data=module).decode()
    found = []
    function, label = "", ""
    for line in text.splitlines():
        header = re.match(r"(?:Function: |MIR2Vec .* machine function )(.*?):?$", line)
        if header:
            function, label = header[1], ""
            continue
        vector = re.search(r" \[((?: +-?[\d.]+)+) +\]$", line)
        # Some instructions are printed on several lines.
        label += line[: vector.start()] if vector else line
        if vector:
            found.append((function, label, [float(x) for x in vector[1].split()]))
            label = ""
    return found


def executable_bytes(path: Path) -> int:
    """Size of the sections of an object file that hold code."""
    listed = json.loads(
        run("llvm-readelf-22", "-S", "--elf-output-style=JSON", str(path))
    )
    sections = [entry["Section"] for entry in listed[0]["Sections"]]
    return sum(
        section["Size"]
        for section in sections
        if any(flag["Name"] == "SHF_EXECINSTR" for flag in section["Flags"]["Flags"])
    )


def instruction_count(bitcode: bytes) -> int:
    """Instructions in a module, as LLVM's analysis of functions counts them."""
    done = subprocess.run(
        ["opt-22", "-passes=print<func-properties>", "-disable-output"],
        input=bitcode,
        capture_output=True,
        check=True,
        timeout=_TIMEOUT,
    )
    counts = re.findall(rb"^TotalInstructionCount: (\d+)", done.stderr, re.MULTILINE)
    assert counts, "the tool printed no counts"
    return sum(map(int, counts))


#: What an episode ends with: every reward, whether it terminated or was
#: truncated, and the last info.
Ending = tuple[list[float], bool, bool, dict[str, Any]]


def finish(
    env: CompilerEnv, choose: Callable[[Any], int], observation: Any = None
) -> Ending:
    """Go on to the end of the episode under way.

    ``choose`` maps an observation to an action, beginning with the given one.
    """
    rewards: list[float] = []
    while True:
        observation, reward, terminated, truncated, info = env.step(choose(observation))
        rewards.append(float(reward))
        if terminated or truncated:
            return rewards, terminated, truncated, info


def play(
    env: CompilerEnv, choose: Callable[[Any], int], program: str | None = None
) -> Ending:
    """A whole episode, on ``program`` or the one that the environment draws."""
    observation, _ = env.reset(options={"program": program} if program else None)
    return finish(env, choose, observation)


def echo(observation: Any) -> int:
    """What LLVM's heuristic would do; needs ``inlining_default=True``."""
    if isinstance(observation, dict):
        return int(observation["inlining_default"][0])
    return int(observation[-1])


def follow(actions: Sequence[int]) -> Callable[[Any], int]:
    """The given actions in turn, over and over."""
    step = -1

    def choose(_: Any) -> int:
        nonlocal step
        step += 1
        return actions[step % len(actions)]

    return choose


def at_random(seed: int) -> Callable[[Any], int]:
    """Inline or not, each with probability one half."""
    rng = np.random.default_rng(seed)
    return lambda _: int(rng.integers(2))


def always(action: int) -> Callable[[Any], int]:
    """The same action again and again."""
    return lambda _: action
