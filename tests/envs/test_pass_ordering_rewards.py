# SPDX-License-Identifier: Apache-2.0
"""What a pass ordering pays, and what it is compared with."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.pass_ordering import FEW, LOOP, MakeOrdering, orderings, take
from support.toolchain import executable_bytes, heuristic_object, instruction_count, run

from mlcompiler_gym import LocalService, Program
from mlcompiler_gym.envs.step_reward import POSET_RL, StepReward

LEVELS = ["O0", "O1", "O2", "O3", "Os", "Oz"]


@pytest.fixture
def make_ordering(service: LocalService) -> Iterator[MakeOrdering]:
    """``make_ordering(actions=…)`` on a service of the test's own."""
    with orderings(service) as make:
        yield make


@pytest.mark.parametrize("program", [LOOP, "kernels/regex"], ids=["loop", "regex"])
def test_baselines_are_what_llvms_tools_give(
    make_ordering: MakeOrdering, tmp_path: Path, program: Any
) -> None:
    env = make_ordering(
        programs=program, objective={"ir_instructions": 1.0, "text_size": 1.0}
    )
    env.reset()
    found = env.baselines()
    assert list(found) == LEVELS
    for level in LEVELS:
        bitcode = run(
            *("opt-22", "-relocation-model=pic", f"-passes=default<{level}>"),
            *("-o", "-"),
            data=env.program.bitcode,
        )
        path = tmp_path / f"{level}.o"
        path.write_bytes(heuristic_object(env.program.bitcode, f"default<{level}>"))
        assert found[level] == {
            "ir_instructions": instruction_count(bitcode),
            "text_size": executable_bytes(path),
        }
    assert env.baselines("O3") == {"O3": found["O3"]}
    assert env.baseline == found["Oz"]
    assert found["O0"]["ir_instructions"] > found["Oz"]["ir_instructions"]


@pytest.mark.parametrize("level", LEVELS)
def test_gains_are_relative_to_the_baseline(
    make_ordering: MakeOrdering, level: str
) -> None:
    env = make_ordering(actions=FEW, baseline=level)
    _, info = env.reset()
    first = previous = info["objective"]["ir_instructions"]
    unit = max(first - env.baselines(level)[level]["ir_instructions"], 1.0)
    for action in (0, 3, 1, 4, 5, 6):
        _, reward, _, _, info = env.step(action)
        now = info["objective"]["ir_instructions"]
        assert reward == pytest.approx((previous - now) / unit)
        assert env.measure() == info["objective"]
        previous = now
    assert previous < first


def test_a_sum_of_one_is_as_good_as_the_baseline(make_ordering: MakeOrdering) -> None:
    for objective in ("ir_instructions", "text_size"):
        env = make_ordering(actions=["mem2reg", "default<Oz>"], objective=objective)
        rewards, info = take(env, [1])
        assert info["objective"] == env.baseline
        assert rewards == [1.0]


def test_weighted_sums(make_ordering: MakeOrdering) -> None:
    weights = {"ir_instructions": 2.0, "text_size": 0.5}
    env = make_ordering(actions=FEW, objective=weights)
    _, before = env.reset()
    _, reward, _, _, info = env.step(0)
    expected = sum(
        weight
        * (before["objective"][name] - info["objective"][name])
        / max(before["objective"][name] - env.baseline[name], 1)
        for name, weight in weights.items()
    )
    assert reward == pytest.approx(expected)
    assert reward != 0.0


def test_poset_rl_by_hand(make_ordering: MakeOrdering) -> None:
    # Some of the terms are beyond the bound, some are losses.
    actions = ["mem2reg", "simplifycfg", "inline", "reg2mem"]
    env = make_ordering(programs="kernels/lz", actions=actions, reward="poset-rl")
    _, info = env.reset()
    first = before = info["objective"]
    assert set(first) == {"text_size", "mca_cycles"}
    terms = []
    for action in range(len(actions)):
        _, reward, _, _, info = env.step(action)
        after = info["objective"]
        size, cycles = (
            max(-0.2, min(0.2, (before[name] - after[name]) / first[name]))
            for name in ("text_size", "mca_cycles")
        )
        assert reward == pytest.approx(10 * size + 5 * cycles)
        terms += [size, cycles]
        before = after
    assert {0.2, -0.2} <= set(terms)
    assert any(abs(term) not in (0.0, 0.2) for term in terms)


def test_poset_rl_needs_no_baseline(make_ordering: MakeOrdering) -> None:
    env = make_ordering(actions=FEW, reward="poset-rl")
    take(env, [0, 1])
    assert not env.setup.service.baselines


def step(reward: StepReward, before: float, after: float, **others: float) -> float:
    initial, baseline = others.get("initial", 100.0), others.get("baseline", 60.0)
    return reward({"v": before}, {"v": after}, {"v": initial}, {"v": baseline})


def test_step_reward() -> None:
    assert step(StepReward({"v": 1.0}), 100, 60) == 1.0
    assert step(StepReward({"v": 3.0}), 80, 90) == pytest.approx(-0.75)
    # A baseline that gains nothing, or loses.
    assert step(StepReward({"v": 1.0}), 100, 98, baseline=100) == 2.0
    assert step(StepReward({"v": 1.0}), 100, 98, baseline=150) == 2.0
    initial = StepReward({"v": 1.0}, "initial")
    assert step(initial, 100, 60) == pytest.approx(0.4)
    assert initial({"v": 0}, {"v": 2}, {"v": 0}, None) == -2.0
    clipped = StepReward({"v": 10.0}, "initial", clip=0.2)
    assert step(clipped, 100, 60) == pytest.approx(2.0)
    assert step(clipped, 60, 100) == pytest.approx(-2.0)
    assert step(clipped, 100, 99) == pytest.approx(0.1)
    assert dict(POSET_RL.weights) == {"text_size": 10.0, "mca_cycles": 5.0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (({"v": 1.0}, "first"), "'first'"),
        (({"v": 1.0}, "initial", 0.0), "clip must be positive"),
        (({"v": 1.0}, "initial", float("nan")), "clip must be positive"),
        (({"v": 1.0}, "initial", float("inf")), "clip must be positive"),
    ],
)
def test_what_is_no_step_reward(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StepReward(*arguments)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"baseline": "O9"}, ValueError, "baseline is one of O0.*'O9'"),
        ({"reward": "final"}, ValueError, "'poset-rl' or a StepReward, not 'final'"),
        ({"reward": "poset-rl", "objective": "text_size"}, TypeError, "leave out"),
        ({"reward": StepReward({"speed": 1.0})}, ValueError, "objective 'speed'"),
        ({"reward": StepReward({})}, ValueError, "an objective is needed"),
        ({"objective": "speed"}, ValueError, "unknown objective 'speed'"),
    ],
)
def test_settings_that_are_none(
    make_ordering: MakeOrdering,
    settings: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        make_ordering(**settings)


@pytest.mark.parametrize("objective", ["ir_instructions", "text_size"])
@pytest.mark.parametrize(
    ("chosen", "guilty"), [([0, 1], "internalize"), ([2], "internalize,globaldce")]
)
def test_what_drops_exports_cannot_win(
    make_ordering: MakeOrdering, objective: str, chosen: list[int], guilty: str
) -> None:
    """Everything may be deleted once nothing is exported: not a gain."""
    gone = ["internalize", "globaldce", "internalize,globaldce"]
    env = make_ordering(actions=gone, objective=objective)
    env.reset()
    _, reward, terminated, truncated, info = env.multistep(chosen)
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert info["error_code"] == "BROKEN_MODULE"
    assert f"'{guilty}' dropped or internalised" in info["error"]
    assert "'sum'" in info["error"] or "'main'" in info["error"]
    env.reset()


def test_instructions_of_every_definition_count(make_ordering: MakeOrdering) -> None:
    linkages = ("", "internal", "linkonce_odr", "weak", "available_externally")
    functions = [
        f"define {linkage} i32 @f{extra}(i32 %x) {{\n"
        + "".join(f"  %y{i} = add i32 %x, {i}\n" for i in range(extra))
        + "  ret i32 %x\n}\n"
        for extra, linkage in enumerate(linkages)
    ]
    text = "declare i32 @g(i32)\n" + "".join(functions)
    env = make_ordering(programs=Program("linkages", text.encode()))
    _, info = env.reset()
    assert info["objective"] == {"ir_instructions": 1 + 2 + 3 + 4 + 5}


def test_the_tool_agrees_on_instructions(make_ordering: MakeOrdering) -> None:
    env = make_ordering(actions="poset-odg34", programs="kernels/lz")
    env.reset()
    for action in (30, 5, 19, 26):
        info = env.step(action)[4]
        counted = instruction_count(env.emit("bitcode"))
        assert info["objective"] == {"ir_instructions": counted}


def test_the_tool_reads_what_is_emitted(make_ordering: MakeOrdering) -> None:
    env = make_ordering(actions=FEW)
    take(env, [0, 3, 5])
    done = subprocess.run(
        ["opt-22", "-passes=verify", "-disable-output"],
        input=env.emit("bitcode"),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
