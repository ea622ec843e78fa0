# SPDX-License-Identifier: Apache-2.0
"""Environments whose observations and actions are texts."""

import re

import pytest

from mlcompiler_gym import InliningEnv, ResetNeededError
from mlcompiler_gym.integrations.text import TextAction, TextEnv


def test_an_episode_by_names_gives_the_object_of_the_actions() -> None:
    """The agent inlines what has few instructions, by what it reads."""
    text = TextEnv("mlcompiler/Inlining-v0", programs="kernels/lz")
    seen = text.reset(seed=0, episode_id="first")
    while not seen.done:
        found = re.search(r"^callee instructions: (\d+)$", seen.text, re.MULTILINE)
        assert found is not None
        answer = "inline" if int(found[1]) < 12 else "keep the call"
        seen = text.step(TextAction(answer))
    code = text.compiler.emit()
    actions = text.compiler.trajectory.actions
    text.close()
    assert text.state.episode_id == "first"
    assert text.state.step_count == len(actions)
    assert set(actions) == {0, 1}
    env = InliningEnv(programs="kernels/lz")
    env.reset()
    for action in actions:
        _, reward, *_, info = env.step(action)
    assert env.emit() == code
    env.close()
    assert seen.reward == reward
    assert f"text_size: {info['objective']['text_size']:g}" in seen.text
    with pytest.raises(ResetNeededError):
        text.step("inline")


def test_the_code_around_the_decision_is_shown() -> None:
    text = TextEnv("mlcompiler/Inlining-v0", hints=True, programs="kernels/lz")
    seen = text.reset(seed=0)
    assert ">   %13 = call fastcc ptr @check(ptr noundef %12)" in seen.text
    assert "define internal fastcc nonnull ptr @check(" in seen.text
    assert "LLVM would answer: keep the call" in seen.text
    assert seen.metadata["legal_actions"] == ["keep the call", "inline"]
    text.close()


def test_a_wrong_answer_costs_nothing() -> None:
    text = TextEnv("mlcompiler/Inlining-v0", programs="kernels/lz")
    first = text.reset(seed=0)
    again = text.step("do what is best")
    assert "'do what is best' is no legal action" in again.metadata["invalid_action"]
    assert again.text.endswith(first.text)
    assert (again.reward, again.done) == (0.0, False)
    assert text.state.step_count == 0
    assert text.step("INLINE").text != first.text
    text.close()


@pytest.mark.parametrize(
    ("task", "program", "answer"),
    [
        ("LoopDistribution", "loops/split_chain", "distribute"),
        ("LoopFactors", "loops/split_chain", "width 8, unroll 2"),
        ("RegAllocEviction", "kernels/lz", "evict nothing"),
        ("RegAllocEviction", "kernels/lz", "R13"),
        ("RegAllocPriority", "kernels/lz", "12.5"),
        ("PassOrdering", "kernels/lz", "simplifycfg"),
        ("Parameters", "kernels/lz", "inline-threshold=25 unroll-threshold=0"),
    ],
)
def test_every_task_takes_names(task: str, program: str, answer: str) -> None:
    text = TextEnv(f"mlcompiler/{task}-v0", programs=program)
    text.reset(seed=0)
    seen = text.step(answer)
    assert "invalid_action" not in seen.metadata
    assert text.state.step_count == 1
    taken = text.compiler.setup.actions.meaning(text.compiler.trajectory.actions[0])
    for part in re.findall(r"[a-z-]+ ?[0-9.]+|evict nothing|distribute", answer):
        assert part.replace("=", " ") in taken or task in ("RegAllocEviction",)
    text.close()


def test_a_program_without_decisions_is_over_at_once() -> None:
    text = TextEnv("mlcompiler/LoopDistribution-v0", programs="loops/split_many_arrays")
    seen = text.reset()
    assert seen.done
    assert "raises no decision" in seen.text
    text.close()
