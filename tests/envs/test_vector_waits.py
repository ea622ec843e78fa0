# SPDX-License-Identifier: Apache-2.0
"""One slow compile holds up no other environment, whatever is compiled for."""

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest

from mlcompiler_gym import LocalService, Program, ProgramSet
from mlcompiler_gym.envs import CompilerVectorEnv
from mlcompiler_gym.programs.clang import compile_source

#: Turns that the other environment is to get meanwhile, each a millisecond or two.
TURNS = 10


class BySeed(ProgramSet):
    """Draws the second program with seed 1, and the first with others."""

    def sample(self, rng: np.random.Generator) -> Program:
        seed = rng.bit_generator.seed_seq.entropy  # type: ignore[attr-defined]
        program: Program = self[int(seed == 1)]
        return program


def source(statements: int) -> str:
    body = "".join(
        f"x = x * {3 + i % 7} + g({i} + x); if (x & {1 << i % 9}) y[x & 15] += x;\n"
        for i in range(statements)
    )
    return f"extern int g(int); int f(int x, int *y) {{ {body} return x; }}"


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> BySeed:
    """A quick one, and one that takes a second from reset to baseline."""
    folder = tmp_path_factory.mktemp("programs")
    made = []
    for name, statements in (("quick", 2), ("slow", 500)):
        path = folder / f"{name}.c"
        path.write_text(source(statements))
        made.append(Program(name, compile_source(path)))
    return BySeed(made)


@pytest.fixture
def own_service() -> Iterator[LocalService]:
    # What it remembers is forgotten on purpose.
    service = LocalService()
    yield service
    service.close()


def actions(envs: CompilerVectorEnv) -> Any:
    space = envs.single_action_space
    return np.zeros((1, *(space.shape or ())), space.dtype)


@pytest.mark.parametrize(
    ("env_id", "settings", "parked", "mode"),
    [
        # The baseline that rewards are relative to, as the episode begins.
        ("mlcompiler/PassOrdering-v0", {"max_episode_steps": 1}, {}, "NextStep"),
        ("mlcompiler/PassOrdering-v0", {"max_episode_steps": 1}, {}, "SameStep"),
        ("mlcompiler/RegAllocPriority-v0", {"reward": "dense"}, {}, "NextStep"),
        # The functions to draw one of.
        (
            "mlcompiler/RegAllocPriority-v0",
            {"function": "each"},
            {"function": "f"},
            "NextStep",
        ),
    ],
)
def test_the_others_are_served_meanwhile(
    own_service: LocalService,
    programs: BySeed,
    env_id: str,
    settings: dict[str, Any],
    parked: dict[str, str],
    mode: str,
) -> None:
    quick, slow = programs
    envs = gymnasium.make_vec(
        env_id,
        num_envs=2,
        batch_size=1,
        autoreset_mode=mode,
        programs=programs,
        service=own_service,
        **settings,
    ).unwrapped
    assert isinstance(envs, CompilerVectorEnv)
    # The compile itself is parked, so that nothing but the rest takes time.
    only = np.array([False, True])
    envs.reset(options={"program": slow, "reset_mask": only, **parked})
    own_service.baselines.clear()
    own_service.functions.clear()
    envs.reset(seed=[0, 1], options={"program": quick})
    # Environment 1 ends its episode and begins one on the slow program.
    turns = 0
    while envs.programs[1] != "slow":
        idle = [index for index in (0, 1) if index not in envs._busy]
        envs.send(np.concatenate([actions(envs)] * len(idle)), idle)
        [served] = envs.recv()[4]["env_id"]
        between, turns = turns, turns + 1 if served == 0 else 0
    assert between >= TURNS
    if "function" not in settings:
        assert envs.stats.baseline_seconds > 0
    envs.close()
