# SPDX-License-Identifier: Apache-2.0
"""Stepping through recorded decisions."""

import json
from pathlib import Path

from support.leaderboard import make_board, one_track

from mlcompiler_gym.evaluation import evaluate
from mlcompiler_gym.leaderboard.walk import Walker


def test_only_the_first_decisions_are_looked_at(tmp_path: Path) -> None:
    track = make_board(tmp_path / "board").track("inlining")
    [program] = track.load()
    walker = Walker(track.evaluation("llvm"))
    # An answer after the other one, which LLVM gives to some of them.
    actions = [0, 1] * 3
    every = walker.look(program, actions, 1000)
    some = walker.look(program, actions, 2)
    walk = walker.walk(program, actions, track.objective)
    walker.close()
    assert len(every) > len(actions)
    assert some == every[:2]
    differing = [place for place, step in enumerate(every) if step.differs]
    assert list(walk.differing) == differing
    assert differing
    # Inlining changes the code at once, and the call that is decided on is shown.
    for step in some:
        assert any(step.about["callee"] in line for line in step.context)
    assert some[1].ours == "inline"
    assert f"@{some[1].about['caller']}" in some[1].change


def test_what_is_not_looked_at_is_not_compiled(tmp_path: Path) -> None:
    """As many actions as are looked at are enough, even if LLVM has no answer."""
    board = one_track(
        tmp_path / "board",
        env="mlcompiler/RegAlloc-v0",
        objective="regalloc_score",
        programs="loops/split_chain",
        level="O2",
    )
    track = board.track("one")
    [program] = track.load()
    evaluate(track.evaluation("random"), [program], tmp_path / "drawn.jsonl")
    drawn = json.loads((tmp_path / "drawn.jsonl").read_text())
    actions = drawn["trajectory"]["actions"]
    walker = Walker(track.evaluation("never"))
    walk = walker.walk(program, actions, track.objective)
    steps = walker.look(program, actions[:3], 3)
    walker.close()
    assert walk.value == drawn["objective"]["regalloc_score"]
    assert not walk.differing
    assert [each.llvm for each in steps] == [None] * 3
    # Registers are chosen for code that is no IR any more.
    assert [each.change for each in steps] == [()] * 3


def test_passes_are_shown_to_the_last(tmp_path: Path) -> None:
    """However many there are: an environment ends an episode after 50."""
    track = make_board(tmp_path / "board").track("passes")
    [program] = track.load()
    names = track.settings["actions"]
    actions = [3] * 55 + [0]
    walker = Walker(track.evaluation("llvm"))
    steps = walker.look(program, actions, 100)
    walker.close()
    assert [each.ours for each in steps] == [names[action] for action in actions]
    assert [bool(each.change) for each in steps] == [False] * 55 + [True]
