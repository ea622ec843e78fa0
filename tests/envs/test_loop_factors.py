# SPDX-License-Identifier: Apache-2.0
"""The environment of loop factors."""

from __future__ import annotations

import itertools
import json
import re
import warnings
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from support.regalloc import MakeEnv

import mlcompiler_gym
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.envs.errors import InvalidActionError
from mlcompiler_gym.policies import heuristic, inactive, play
from mlcompiler_gym.programs import load_programs
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

ID = "mlcompiler/LoopFactors-v0"
PROGRAM = "loops/recur_split_tail"

#: What may be asked for, in the order of the actions; 0 is LLVM's choice.
FACTORS = {
    "width": (0, 1, 2, 4, 8, 16),
    "interleave": (0, 1, 2, 4, 8),
    "unroll": (0, 1, 2, 4, 8),
}
COMBINATIONS = list(itertools.product(*FACTORS.values()))

SUITE = [
    program.name
    for name in ("loops", "kernels")
    for program in load_programs(name, level="O2")
]
#: Loops of every kind, and kernels with many.
QUICK = [
    "loops/recur_split_tail",
    "loops/cond_clipping",
    "loops/gather_histogram",
    "loops/alias_shift",
    "loops/split_diamond",
    "kernels/lz",
]

ADD = """
void add(int *restrict a, const int *restrict b, long n) {
  for (long i = 0; i < n; i++) a[i] += 3 * b[i];
}
"""


@pytest.fixture
def compile_c(make_env: MakeEnv, tmp_path: Path) -> Any:
    """Make an environment of a C program."""

    def make(text: str, **settings: Any) -> CompilerEnv:
        source = tmp_path / "source.c"
        source.write_text(text)
        return make_env(ID, programs=str(source), **settings)

    return make


def ask(env: CompilerEnv, **factors: int) -> dict[str, Any]:
    """Ask for the same at each loop where that is legal; the last info."""
    wanted = tuple(factors.get(name, 0) for name in FACTORS)
    action = COMBINATIONS.index(wanted)

    def choose(_: Any, info: dict[str, Any]) -> int:
        return action if info["action_mask"][action] else 0

    return play(env, choose).info


def legal(env: CompilerEnv) -> dict[str, set[int]]:
    """What may be asked for at the decision at hand."""
    mask = env.action_masks()
    return {
        name: {
            each[at]
            for each, allowed in zip(COMBINATIONS, mask, strict=True)
            if allowed
        }
        for at, name in enumerate(FACTORS)
    }


def is_stock(env: CompilerEnv) -> bool:
    config = env.setup.config
    request = pb.Open(pipeline=config.pipeline, cpu=config.cpu)
    stock = env.setup.service.open(request, env.program)
    same = env.emit() == stock.emit("object")
    stock.close()
    return bool(same)


def check_llvms_choice(make_env: MakeEnv, name: str, **settings: Any) -> None:
    env = make_env(ID, programs=name, **settings)
    played = play(env, heuristic(env))
    if not played.info.get("no_decision"):
        assert played.reward == 0
        assert len(played.info["taken"]) == played.steps
    assert is_stock(env), name
    env.close()


@pytest.mark.parametrize("name", QUICK)
def test_llvms_choice_is_llvms_code(make_env: MakeEnv, name: str) -> None:
    check_llvms_choice(make_env, name, unroll_and_jam=True, cost_model=True)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("cpu", ["x86-64", "x86-64-v3"])
@pytest.mark.parametrize("options", [{}, {"unroll_and_jam": True, "cost_model": True}])
def test_llvms_choice_is_llvms_code_everywhere(
    make_env: MakeEnv, cpu: str, options: dict[str, bool]
) -> None:
    for name in SUITE:
        check_llvms_choice(make_env, name, cpu=cpu, **options)


@pytest.mark.parametrize("level", ["O0", "O1", "O2", "Oz"])
def test_llvms_choice_at_every_level(make_env: MakeEnv, level: str) -> None:
    env = make_env(ID, programs=PROGRAM, pipeline=f"default<{level}>")
    played = play(env, inactive(env))
    assert bool(played.info.get("no_decision")) == (level == "O0")
    assert is_stock(env)


@pytest.mark.parametrize(
    "asked",
    [
        {"width": 4, "interleave": 2, "unroll": 1},
        {"width": 8, "interleave": 1, "unroll": 2},
        {"width": 1, "interleave": 4, "unroll": 1},
        {"width": 1, "interleave": 1, "unroll": 8},
    ],
)
def test_what_is_asked_for_is_taken(compile_c: Any, asked: dict[str, int]) -> None:
    [taken] = ask(compile_c(ADD), **asked)["taken"]
    assert taken["asked"] == asked
    assert {name: taken[name] for name in FACTORS} == asked
    assert taken["loop"].startswith("add loop 0")


TWO = """
void two(int *restrict a, float *restrict b, long n) {
  for (long i = 0; i < n; i++) a[i] += 3;
  for (long i = 0; i < n; i++) b[i] *= 3;
}
void one(short *a, long n) { for (long i = 0; i < n; i++) a[i] += 1; }
"""


def test_each_loop_is_told_what_became_of_it(compile_c: Any) -> None:
    env = compile_c(TWO)
    wanted = [(4, 2, 2), (8, 1, 1), (2, 1, 4)]
    answers = iter(COMBINATIONS.index(each) for each in wanted)
    taken = play(env, lambda *_: next(answers)).info["taken"]
    assert [tuple(each[name] for name in FACTORS) for each in taken] == wanted
    names = [each["loop"].rpartition(" at ")[0] or each["loop"] for each in taken]
    assert names == ["two loop 0", "two loop 1", "one loop 0"]


SUM = """
float sum(const float *a, long n) {
  float s = 0;
  for (long i = 0; i < n; i++) s += a[i];
  return s;
}
"""


def test_sums_are_not_reordered(compile_c: Any) -> None:
    env = compile_c(SUM)
    env.reset()
    assert legal(env) == {
        "width": {0},
        "interleave": {0},
        "unroll": set(FACTORS["unroll"]),
    }
    decision = json.loads(env.observe("decision")["decision"])
    assert "reordered" in decision["not_vectorized"]
    env.step(COMBINATIONS.index((0, 0, 4)))
    assert "fadd <" not in env.observe("ir")["ir"]
    allowed = compile_c(SUM, clang_flags=["-ffast-math"])
    info = ask(allowed, width=4, interleave=1)
    assert info["taken"][0]["width"] == 4
    assert "fadd fast <4 x float>" in allowed.observe("ir")["ir"]


def test_a_decision_shows_the_loop(compile_c: Any) -> None:
    env = compile_c(f"{SUM}\nint other(int a) {{ return a * 3; }}")
    env.reset()
    seen = env.observe("decision", "ir")
    body = json.loads(seen["decision"])["body"]
    assert any("fadd" in line for line in body)
    assert not any("mul" in line for line in body)
    # Values have the numbers that they have in the module.
    assert set(body) <= set(seen["ir"].splitlines())


PRAGMA = """
float sum(const float *a, long n) {
  float s = 0;
#pragma clang loop vectorize_width(4) interleave_count(2)
  for (long i = 0; i < n; i++) s += a[i];
  return s;
}
float other(const float *a, float *restrict b, long n) {
  float s = 0;
#pragma clang loop vectorize(enable)
  for (long i = 0; i < n; i++) s += a[i];
  for (long i = 0; i < n; i++) b[i] = 3 * a[i];
  return s;
}
"""


def test_what_the_program_says_holds(compile_c: Any) -> None:
    env = compile_c(PRAGMA)
    env.reset()
    assert legal(env)["width"] == legal(env)["interleave"] == {0}
    play(env, inactive(env))
    assert is_stock(env)
    # The program allows its own sums to be reordered.
    assert "fadd <4 x float>" in env.observe("ir")["ir"]


DISTANCE = """
void distance(int *a, long n) {
  for (long i = 4; i < n; i++) a[i] = a[i - 4] + 1;
}
"""


def test_dependences_bound_the_width(compile_c: Any) -> None:
    env = compile_c(DISTANCE, observation="dict")
    seen, _ = env.reset()
    assert legal(env)["width"] == {0, 1, 2, 4}
    assert legal(env)["interleave"] == {0, 1}
    assert seen["loop"][names(env, "loop").index("safe_elements")] == 4


FEW = """
void few(int *restrict a, const int *restrict b) {
#pragma clang loop unroll(disable)
  for (long i = 0; i < 6; i++) a[i] += 3 * b[i];
}
"""


def test_iterations_bound_everything(compile_c: Any) -> None:
    env = compile_c(FEW, observation="dict")
    seen, _ = env.reset()
    assert legal(env) == {
        "width": {0, 1, 2, 4},
        "interleave": {0, 1, 2, 4},
        # The program says that.
        "unroll": {0},
    }
    loop = dict(zip(names(env, "loop"), seen["loop"], strict=True))
    assert loop["trip_count"] == loop["most_iterations"] == 6
    assert loop["counted"] == loop["legal"] == loop["depth"] == 1
    assert loop["narrowest_bits"] == loop["widest_bits"] == 32
    assert loop["register_bits"] == 128
    body = dict(zip(names(env, "body"), seen["body"], strict=True))
    assert (body["loads"], body["stores"], body["arrays"]) == (2, 1, 2)
    assert body["unit_stride"] == 3


def names(env: CompilerEnv, feature: str) -> list[str]:
    """What the numbers of a tensor are called, as its doc lists them."""
    [doc] = [each.doc for each in env.setup.spec.features if each.name == feature]
    found: list[str] = re.findall(
        r"(?:^|; )([a-z_]+): ", doc.removeprefix("Numbers per iteration: ")
    )
    return found


def test_what_is_not_legal_is_refused(compile_c: Any) -> None:
    env = compile_c(SUM)
    env.reset()
    with pytest.raises(InvalidActionError, match=r"width 4, interleave LLVM's"):
        env.step(COMBINATIONS.index((4, 0, 0)))


def test_the_cost_model_is_shown(compile_c: Any) -> None:
    env = compile_c(TWO, cost_model=True, observation="dict")
    seen, _ = env.reset()
    shown, terminated, info = [], False, {}
    while not terminated:
        shown.append(seen["cost_model"].tolist())
        seen, _, terminated, _, info = env.step(0)
    taken = [[each[name] for name in FACTORS] for each in info["taken"]]
    assert shown == taken
    assert shown[0][0] > 1


@pytest.mark.parametrize("name", FACTORS)
def test_each_factor_alone(compile_c: Any, name: str) -> None:
    env = compile_c(ADD, **{other: other == name for other in FACTORS})
    values = FACTORS[name]
    assert isinstance(env.action_space, gym.spaces.Discrete)
    assert env.action_space.n == len(values)
    assert list(env.setup.actions.meanings) == [
        f"{name} {value}" if value else f"{name} LLVM's" for value in values
    ]
    at = values.index(2)
    [taken] = play(env, lambda *_: at).info["taken"]
    assert taken["asked"] == {name: 2}
    assert taken[name] == 2


def test_something_must_be_asked(make_env: MakeEnv) -> None:
    with pytest.raises(ValueError, match="nothing is asked"):
        make_env(ID, programs=PROGRAM, width=False, interleave=False, unroll=False)


NEST = """
void multiply(double *restrict c, const double *restrict a,
              const double *restrict b, long n) {
  for (long i = 0; i < n; i++)
    for (long j = 0; j < n; j++) {
      double s = 0;
      for (long k = 0; k < n; k++) s += a[i * n + k] * b[k * n + j];
      c[i * n + j] = s;
    }
}
"""


def test_nests_are_unrolled_and_jammed(compile_c: Any) -> None:
    only = {"width": False, "interleave": False, "unroll": False}
    env = compile_c(NEST, unroll_and_jam=True, **only)
    assert isinstance(env.action_space, gym.spaces.Discrete)
    assert env.action_space.n == 4
    [taken] = play(env, lambda *_: 2).info["taken"]
    assert taken["asked"] == {"unroll_and_jam": 4}
    assert taken["unroll_and_jam"] == 4


def test_embeddings_are_those_of_the_loop(compile_c: Any) -> None:
    env = compile_c(ADD, ir2vec=True, observation="dict")
    seen, _ = env.reset()
    assert seen["ir2vec"].shape == (75,)
    whole = env.observe("ir2vec@loop")["ir2vec@loop"]
    np.testing.assert_allclose(seen["ir2vec"], np.asarray(whole.values)[0], rtol=1e-5)


def test_a_trajectory_replays_to_the_same_object(make_env: MakeEnv) -> None:
    env = make_env(ID, programs=PROGRAM)
    info = ask(env, width=4, interleave=2, unroll=2)
    assert any(each["width"] == 4 for each in info["taken"])
    again = mlcompiler_gym.replay(env.trajectory, service=env.setup.service)
    assert again.object_code == env.emit()


def test_a_fork_in_the_middle_of_a_function(compile_c: Any) -> None:
    env = compile_c(TWO)
    env.reset()
    env.step(COMBINATIONS.index((4, 2, 1)))
    twin = env.fork()
    results = []
    for each, action in ((env, (8, 1, 1)), (twin, (2, 1, 1))):
        each.step(COMBINATIONS.index(action))
        *_, info = each.step(0)
        results.append([taken["width"] for taken in info["taken"][:2]])
    assert results == [[4, 8], [4, 2]]


def test_vectors_say_what_was_taken(make_env: MakeEnv, compile_c: Any) -> None:
    single = compile_c(ADD)
    envs: Any = gym.make_vec(ID, num_envs=2, programs=single.setup.programs)
    envs.reset(seed=0)
    *_, infos = envs.step(np.array([COMBINATIONS.index((4, 2, 1))] * 2))
    assert [each[0]["width"] for each in infos["taken"]] == [4, 4]
    envs.close()


def test_an_element_for_each_factor(make_env: MakeEnv) -> None:
    flat = make_env(ID, programs=PROGRAM)
    env = make_env(ID, programs=PROGRAM, flat=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ResourceWarning)
        check_env(env)
    assert env.action_space == gym.spaces.MultiDiscrete(
        list(map(len, FACTORS.values()))
    )
    _, flat_info = flat.reset(seed=0)
    _, info = env.reset(seed=0)
    ended = False
    while not ended:
        flags = env.setup.actions.split(info["action_mask"])
        product = np.stack(np.meshgrid(*flags, indexing="ij")).all(axis=0)
        assert (product.ravel() == flat_info["action_mask"]).all()
        action = env.action_space.sample()
        assert all(legal[value] for legal, value in zip(flags, action, strict=True))
        asked = tuple(of[v] for of, v in zip(FACTORS.values(), action, strict=True))
        _, reward, ended, _, info = env.step(action)
        _, flat_reward, _, _, flat_info = flat.step(COMBINATIONS.index(asked))
        assert reward == flat_reward
    assert info["taken"] == flat_info["taken"]
    assert env.emit() == flat.emit()


def test_an_illegal_element_is_named(compile_c: Any) -> None:
    env = compile_c(SUM, flat=False)
    env.reset()
    with pytest.raises(InvalidActionError, match=r"width: action 2 .* legal are: 0$"):
        env.step(np.array([2, 0, 0]))
