# SPDX-License-Identifier: Apache-2.0
"""Every way to split the loops of a program, and what the results compute."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

#: Loops of more nodes are split at random.
EXHAUSTIVE_NODES = 8

_DRIVER = """
int printf(const char *, ...);
int fflush(void *);
{declarations}
int main(int argc, char **argv) {{
  for (int i = 0; i < {count}; i++) {{
    int status = entries[i](argc, argv);
    printf("status %d\\n", status);
  }}
  return fflush(0);
}}
"""


def _loop(env: CompilerEnv) -> str:
    return str(json.loads(env.observe("decision")["decision"])["loop"])


def _finish(env: CompilerEnv, rng: np.random.Generator | None) -> CompilerEnv:
    """Answer what is left, at random or by merging."""
    while env.action_masks().any() and not _is_over(env):
        legal = np.flatnonzero(env.action_masks())
        env.step(int(rng.choice(legal)) if rng is not None else 0)
    return env


def _is_over(env: CompilerEnv) -> bool:
    episode = env._engine.episode
    return episode is None or episode.over


def _of_one_loop(env: CompilerEnv, loop: str) -> Iterator[CompilerEnv]:
    """Each partition of one loop, all others left whole."""
    while not _is_over(env) and _loop(env) != loop:
        env.step(0)
    if _is_over(env):
        yield env
        return
    for action in np.flatnonzero(env.action_masks()):
        twin = env.fork()
        twin.step(int(action))
        if not _is_over(twin) and _loop(twin) == loop:
            yield from _of_one_loop(twin, loop)
        else:
            yield _finish(twin, None)
        twin.close()


def loops_to_split(env: CompilerEnv) -> dict[str, int]:
    """How many decisions each loop raises."""
    found: Counter[str] = Counter()
    walk = env.fork()
    while not _is_over(walk):
        found[_loop(walk)] += 1
        walk.step(0)
    walk.close()
    return dict(found)


def partitions(env: CompilerEnv, random: int, seed: int = 0) -> Iterator[CompilerEnv]:
    """Environments at the end of a compile, each with other loops.

    Args:
        env: Freshly reset.
        random: How many more where all loops are split at random.
        seed: Draws these.
    """
    loops = loops_to_split(env)
    for loop, decisions in loops.items():
        if decisions < EXHAUSTIVE_NODES:
            yield from _of_one_loop(env.fork(), loop)
    yield from random_partitions(env, random if sum(loops.values()) > 1 else 0, seed)


def random_partitions(
    env: CompilerEnv, count: int, seed: int = 0
) -> Iterator[CompilerEnv]:
    """The same, all loops split at random; with two agents, in random orders."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        twin = _finish(env.fork(), rng)
        yield twin
        twin.close()


def unoptimised(env: CompilerEnv) -> str:
    """The program of a freshly reset environment as it is compiled from, as IR."""
    session = env.setup.service.open(pb.Open(pipeline="verify"), env.program)
    text = session.observe("ir")["ir"]
    session.close()
    return str(text)


def check_outputs(
    env: CompilerEnv,
    made: Iterable[CompilerEnv],
    folder: Path,
    *,
    sanitize: bool = False,
) -> int:
    """Compare what partitions print with what the program itself does.

    Args:
        env: Freshly reset, with a program that takes no arguments.
        made: Environments at the end of a compile.
        folder: To work in.
        sanitize: As for `outputs`.

    Returns:
        How many different modules there are among them.
    """
    modules = dict.fromkeys(str(each.observe("ir")["ir"]) for each in made)
    expected, *printed = outputs(
        [unoptimised(env), *modules], [()], folder, sanitize=sanitize
    )
    for text, each in zip(modules, printed, strict=True):
        assert each == expected, text
    return len(modules)


def outputs(
    modules: Sequence[str],
    arguments: Sequence[Sequence[str]],
    folder: Path,
    *,
    sanitize: bool = False,
) -> list[list[str]]:
    """What each of some modules (textual IR with a ``main``) prints.

    They are linked into one executable that calls one ``main`` after the other,
    since to link and run each by itself takes a hundred times as long. It is not
    position-independent: its memory lies low, so that what lies far below it wraps.

    Args:
        modules: What is defined in them, other than ``main``, is local.
        arguments: Command-line arguments of each run.
        folder: To work in.
        sanitize: With the address sanitizer's checks, and those of the
            undefined-behaviour sanitizer that are made in IR (local bounds).
    """
    files = []
    for number, text in enumerate(modules):
        file = folder / f"{number}.ll"
        file.write_text(text.replace("@main(", f"@main_{number}("))
        files.append(str(file))
    names = [f"main_{number}" for number in range(len(modules))]
    declarations = "".join(f"int {name}(int, char **);\n" for name in names)
    table = "{" + ", ".join(names) + "}"
    declarations += f"static int (*entries[])(int, char **) = {table};"
    (folder / "driver.c").write_text(
        _DRIVER.format(declarations=declarations, count=len(modules))
    )
    passes = "forceattrs,bounds-checking,asan" if sanitize else "verify"
    for command in (
        ["llvm-link-22", *files, "-o", "all.bc"],
        [
            "opt-22",
            f"-passes={passes}",
            *(["-force-attribute=sanitize_address"] if sanitize else []),
            *("all.bc", "-o", "checked.bc"),
        ],
        ["llc-22", "-O0", "-relocation-model=pic", "-filetype=obj", "checked.bc"],
        [
            *("clang-22", "-fuse-ld=lld", "-no-pie", "driver.c", "checked.o"),
            *("-o", "all", "-lm"),
            *(["-fsanitize=address"] if sanitize else []),
        ],
    ):
        subprocess.run(command, cwd=folder, check=True, timeout=600)
    printed: list[list[str]] = [[] for _ in modules]
    for each in arguments:
        run = subprocess.run(
            [str(folder / "all"), *each],
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
            env={"ASAN_OPTIONS": "detect_leaks=0"},
        )
        assert run.returncode == 0, run.stderr[:2000]
        parts = re.split(r"^status (\d+)\n", run.stdout, flags=re.MULTILINE)
        # What is printed, and the status behind it, in turn.
        assert len(parts) == 2 * len(modules) + 1
        for number in range(len(modules)):
            printed[number] += parts[2 * number : 2 * number + 2]
    return printed
