# SPDX-License-Identifier: Apache-2.0
"""The environment of loop distribution."""

import json
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from support.regalloc import MakeEnv

import mlcompiler_gym
from mlcompiler_gym.envs.errors import InvalidActionError
from mlcompiler_gym.policies import (
    active,
    exhaustive_search,
    inactive,
    play,
)
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

ID = "mlcompiler/LoopDistribution-v0"
PROGRAM = "loops/recur_split_tail"


def test_gymnasium_checks_it(make_env: MakeEnv) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        check_env(make_env(ID, programs=PROGRAM), skip_render_check=True)


def test_the_default_is_the_cost_of_the_shipped_loops(make_env: MakeEnv) -> None:
    env = make_env(ID)
    _, info = env.reset(seed=0)
    assert info["program"].startswith("loops/")
    assert set(env.measure()) == {"loop_cost"}


def test_merging_always_is_o3_by_itself(make_env: MakeEnv) -> None:
    env = make_env(ID, programs=PROGRAM)
    played = play(env, inactive(env))
    assert played.reward == 0
    stock = env.setup.service.open(pb.Open(pipeline="default<O3>"), env.program)
    assert env.emit() == stock.emit("object")
    stock.close()


def test_distributing_makes_a_loop_of_each_node(make_env: MakeEnv) -> None:
    env = make_env(ID, programs=PROGRAM)
    played = play(env, active(env))
    split = [
        loop
        for loop in json.loads(env.observe("loops")["loops"])
        if "skipped" not in loop
    ]
    assert sum(loop["nodes"] - 1 for loop in split) == played.steps
    assert all(loop["groups"] == list(range(loop["nodes"])) for loop in split)
    assert env.validate().ok


def test_a_trajectory_replays_to_the_same_object(make_env: MakeEnv) -> None:
    env = make_env(ID, programs=PROGRAM)
    play(env, active(env))
    trajectory = env.trajectory
    again = mlcompiler_gym.replay(trajectory, service=env.setup.service)
    assert again.object_code == env.emit()


def test_the_flat_observation_is_the_dict_in_a_row(make_env: MakeEnv) -> None:
    flat, _ = make_env(ID, programs=PROGRAM).reset()
    named, _ = make_env(ID, programs=PROGRAM, observation="dict").reset()
    assert list(named) == ["mask", "loop", "node", "group", "merged"]
    assert np.array_equal(flat, np.concatenate(list(named.values()), axis=None))
    assert named["mask"].tolist() == [1, 1]
    assert named["group"][0] > 0


def test_arrays_are_counted(make_env: MakeEnv, tmp_path: Path) -> None:
    source = tmp_path / "four.c"
    source.write_text("""
        void four(int *restrict a, int *restrict b, const int *c, long n) {
          for (long i = 0; i < n; i++) { a[i] = c[i] + 1; b[i] = c[n + i] * c[i]; }
        }
    """)
    env = make_env(ID, programs=str(source), observation="dict")
    seen, _ = env.reset()
    [doc] = [each.doc for each in env.setup.spec.features if each.name == "group"]
    numbers = re.findall(r"[:;] ([a-z_]+): ", doc)
    assert len(numbers) == len(seen["group"])
    at = numbers.index("arrays")
    assert [seen[name][at] for name in ("group", "node", "merged")] == [2, 2, 3]


def test_the_exhaustive_search_finds_the_best(make_env: MakeEnv) -> None:
    env = make_env(ID, programs=PROGRAM)
    env.reset()
    found = exhaustive_search(env)
    assert found.tried == 2 ** len(found.actions)
    rewards = [play(env, policy(env)).reward for policy in (inactive, active)]
    assert found.reward >= max(rewards)
    actions = iter(found.actions)
    assert play(env, lambda *_: next(actions)).reward == found.reward
    env.reset()
    with pytest.raises(ValueError, match="more than 3 episodes"):
        exhaustive_search(env, limit=3)


SWAP = """
void swap(int *restrict a, int *restrict b, long n) {
  for (long i = 0; i < n; i++) { int t = a[i]; a[i] = b[i]; b[i] = t; }
}
"""


def test_an_illegal_split_is_refused(make_env: MakeEnv, tmp_path: Path) -> None:
    source = tmp_path / "swap.c"
    source.write_text(SWAP)
    env = make_env(ID, programs=str(source))
    _, info = env.reset()
    assert info["action_mask"].tolist() == [1, 0]
    with pytest.raises(InvalidActionError, match="not legal here; legal are: 0"):
        env.step(1)
    _, _, terminated, _, _ = env.step(0)
    assert terminated


def test_llvms_own_distribution(make_env: MakeEnv) -> None:
    objects = set()
    for llvm in (False, True):
        env = make_env(
            ID, programs="loops/recur_beside_independent", llvm_distribution=llvm
        )
        play(env, inactive(env))
        objects.add(env.emit())
    assert len(objects) == 2


def test_loops_have_no_function_of_their_own(make_env: MakeEnv) -> None:
    with pytest.raises(TypeError, match="no argument 'function'"):
        make_env(ID, programs=PROGRAM, function="each")


MULTIPLY = """
void multiply(float *restrict a, const float *restrict b, long n) {
  for (long i = 0; i < n; i++) a[i] = a[i] * b[i] + 1;
}
"""


def test_a_vectorised_loop_costs_less(make_env: MakeEnv, tmp_path: Path) -> None:
    source = tmp_path / "multiply.c"
    source.write_text(MULTIPLY)
    costs = {}
    for pipeline in ("default<O1>", "default<O3>"):
        env = make_env(ID, programs=str(source), pipeline=pipeline)
        env.reset()
        costs[pipeline] = env.baseline["loop_cost"]
    assert 0 < costs["default<O3>"] < costs["default<O1>"] / 1.5


#: The iterations are the difference of two numbers that are loaded.
ROWS = """
void rows(long n, const int *restrict start, float *restrict a, float *restrict b) {
  for (long i = 0; i < n; i++)
    for (long at = start[i]; at < start[i + 1]; at++) {
      a[at] = a[at] * 2;
      b[at] = b[at] + 1;
    }
}
"""


def test_loops_between_unknown_bounds_are_no_shorter_split(
    make_env: MakeEnv, tmp_path: Path
) -> None:
    source = tmp_path / "rows.c"
    source.write_text(ROWS)
    env = make_env(ID, programs=str(source))
    costs = []
    for policy in (inactive, active):
        costs.append(play(env, policy(env)).info["objective"]["loop_cost"])
    # 1024 rows of 1024 numbers, vectorised or not.
    assert min(costs) > 1024 * 1024 / 4
    assert max(costs) < 4 * min(costs)


#: Each loop but the first is entered straight from the exit of the one before.
IN_A_ROW = """
long in_a_row(long n, int *a, int *b, int *c) {
  long s = 0;
  if (n < 1) return s;
  #pragma clang loop unroll(disable)
  for (long i = 0; i < n; i++) s = (s ^ a[i]) * 31;
  #pragma clang loop unroll(disable)
  for (long i = 0; i < n; i++) s = (s ^ b[i]) * 31;
  #pragma clang loop unroll(disable)
  for (long i = 0; i < n; i++) s = (s ^ c[i]) * 31;
  return s;
}
"""


def test_loops_one_after_the_other_cost_their_sum(
    make_env: MakeEnv, tmp_path: Path
) -> None:
    source = tmp_path / "row.c"
    source.write_text(IN_A_ROW)
    env = make_env(ID, programs=str(source))
    env.reset()
    # Three times 1024 iterations of a handful of cycles, not 1024 cubed.
    assert 3 * 1024 < env.baseline["loop_cost"] < 100 * 3 * 1024
