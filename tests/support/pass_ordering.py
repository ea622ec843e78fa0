# SPDX-License-Identifier: Apache-2.0
"""Pass ordering: environments, and what LLVM's own tools make of the same passes."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gymnasium

from mlcompiler_gym import LocalService, Program
from mlcompiler_gym.envs.pass_ordering import PassOrderingEnv
from mlcompiler_gym.programs.clang import compile_source
from support.toolchain import run

ORDERING = "mlcompiler/PassOrdering-v0"
SETS = ["llvm22", "poset-odg34", "poset-manual15"]

#: A few of LLVM's passes, of which each finds something to do at some time.
FEW = ["mem2reg", "simplifycfg", "instsimplify", "inline", "globaldce", "gvn", "adce"]

# Something for each of FEW: memory, a loop, a call, dead code.
_LOOP_C = """
static int square(int x) { int unused = x + 1; return x * x + 0; }
int sum(const int *p, int n) {
  int total = 0;
  for (int i = 0; i < n; ++i) {
    int y = square(p[i]);
    if (y > 100) total += y; else total += square(p[i]);
  }
  return total;
}
int main(int argc, char **argv) { int a[3] = {argc, 2, 20}; return sum(a, 3) & 63; }
"""


def _compile() -> bytes:
    with TemporaryDirectory() as folder:
        source = Path(folder, "loop.c")
        source.write_text(_LOOP_C)
        return compile_source(source)


#: Small, and it can be run.
LOOP = Program("loop", _compile, inputs=((),))

MakeOrdering = Callable[..., PassOrderingEnv]


@contextmanager
def orderings(service: LocalService) -> Iterator[MakeOrdering]:
    """``make(actions=…)``: an environment on LOOP, closed at the end."""
    made: list[PassOrderingEnv] = []

    def make(**settings: Any) -> PassOrderingEnv:
        settings = {"service": service, "programs": LOOP, **settings}
        env = gymnasium.make(ORDERING, **settings).unwrapped
        assert isinstance(env, PassOrderingEnv)
        made.append(env)
        return env

    yield make
    for env in made:
        env.close()


def text(env: PassOrderingEnv) -> bytes:
    """The module as `llvm-dis` prints it."""
    return run("llvm-dis-22", "-o", "-", data=env.emit("bitcode"))


def run_commandline(env: PassOrderingEnv, folder: Path) -> bytes:
    """The bitcode that the environment's own command line writes."""
    (folder / "input.bc").write_bytes(env.program.bitcode)
    done = subprocess.run(
        shlex.split(env.commandline()),
        cwd=folder,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, f"{env.commandline()}: {done.stderr.decode()}"
    return (folder / "output.bc").read_bytes()


def take(
    env: PassOrderingEnv, actions: list[int], program: str | Program | None = None
) -> tuple[list[float], dict[str, Any]]:
    """A new episode with these actions; rewards, and the last info."""
    _, info = env.reset(options={"program": program} if program else None)
    rewards = []
    for action in actions:
        _, reward, terminated, truncated, info = env.step(action)
        rewards.append(float(reward))
        assert not terminated
        if truncated:
            break
    return rewards, info


def same(one: bytes, other: bytes) -> bool:
    """Equality of files; pytest would print them where they differ."""
    return one == other
