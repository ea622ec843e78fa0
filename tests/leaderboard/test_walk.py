# SPDX-License-Identifier: Apache-2.0
"""Stepping through recorded decisions."""

import json
from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from support.leaderboard import make_board, one_track

from mlcompiler_gym.evaluation import evaluate
from mlcompiler_gym.leaderboard.walk import Walker, _change

_LINES = st.lists(st.sampled_from("abc"), min_size=1, max_size=15)


def test_only_the_first_decisions_are_looked_at(tmp_path: Path) -> None:
    track = make_board(tmp_path / "board").track("inlining")
    [program] = track.load()
    walker = Walker(track.evaluation("llvm"), track.objective)
    # An answer after the other one, which LLVM gives to some of them.
    actions = [0, 1] * 3
    every = walker.walk(program, actions, look=1000)
    some = walker.walk(program, actions, look=2)
    none = walker.walk(program, actions)
    walker.close()
    assert every.taken == len(every.steps) > 2
    assert some.steps == every.steps[:2]
    assert none.steps == ()
    assert every.differing
    for walk in (some, none):
        assert (walk.value, walk.taken, walk.differing) == (
            every.value,
            every.taken,
            every.differing,
        )


def test_a_task_without_answers_of_llvms(tmp_path: Path) -> None:
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
    walker = Walker(track.evaluation("never"), track.objective)
    walk = walker.walk(program, drawn["trajectory"]["actions"], look=3)
    walker.close()
    assert walk.value == drawn["objective"]["regalloc_score"]
    assert walk.taken == drawn["steps"]
    assert [each.llvm for each in walk.steps] == [None] * 3
    assert not walk.differing


@given(_LINES, _LINES)
def test_a_change_has_what_went_and_what_came(
    before: list[str], after: list[str]
) -> None:
    change = _change(before, after)
    gone = Counter(line[1:] for line in change if line.startswith("-"))
    new = Counter(line[1:] for line in change if line.startswith("+"))
    assert Counter(before) - gone + new == Counter(after)
    assert gone <= Counter(before)
