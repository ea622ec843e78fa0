# SPDX-License-Identifier: Apache-2.0
"""What `verify` finds: real compiles of what was submitted."""

import dataclasses
import hashlib
import json
import pickle
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.leaderboard import fill_in, make_board, one_track, record, submit
from support.samples import ir_program
from support.strategies import examples

from mlcompiler_gym import replay
from mlcompiler_gym.evaluation import EpisodePlan, LocalPlayers, Result, evaluate
from mlcompiler_gym.leaderboard import (
    Board,
    LeaderboardError,
    SubmissionError,
    Verdict,
    new,
    pack,
    rank,
    verify,
)
from mlcompiler_gym.leaderboard import submission as submissions
from mlcompiler_gym.leaderboard.contents import read_files
from mlcompiler_gym.leaderboard.entries import TRAJECTORIES, Entry, read_entries
from mlcompiler_gym.leaderboard.recompute import Recomputation
from mlcompiler_gym.leaderboard.symbols import exported, missing
from mlcompiler_gym.leaderboard.tracks import Track
from mlcompiler_gym.programs.clang import compile_source
from mlcompiler_gym.programs.extracted import Extracted, write_manifest
from mlcompiler_gym.validation import reference_object

#: Actions of the track "passes".
OZ, STRUCTURIZE, _, NOTHING = range(4)


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    board = make_board(tmp_path_factory.mktemp("board"))
    submit(board, "loop", "loop", [1, 0, 1, 0])
    return board


def verified(folder: Path, board: Board, number: int = 0) -> Verdict:
    return verify(folder, board, board.folder / f"{folder.name}-{number}.journal")


def kinds(verdict: Verdict) -> list[str]:
    return [finding.kind for finding in verdict.findings]


def rewrite(folder: Path, entries: Sequence[Entry]) -> None:
    """Write entries that were changed, and seal them as pack would."""
    card = submissions.read_card(read_files(folder))
    submissions.write(folder, card, list(entries))


def test_what_is_true_is_accepted_and_ranked_the_same_each_time(board: Board) -> None:
    folder = board.submissions / "loop"
    first, again = (verified(folder, board, number) for number in range(2))
    assert first.status == "accepted", first.report()
    [row] = first.rows
    assert row.validation == "same"
    assert row.value != row.baseline
    assert first.times is not None
    files = [
        rank(board, [dataclasses.replace(each, times=None)]).to_json()
        for each in (first, again)
    ]
    assert files[0] == files[1]
    [standing] = rank(board, [first]).tracks["loop"]["search-10"]
    assert standing.ratio == pytest.approx(row.value / row.baseline, abs=1e-6)


@pytest.mark.parametrize("task", ["Parameters", "RegAlloc", "RegAllocPriority"])
def test_actions_of_each_kind_can_be_submitted(tmp_path: Path, task: str) -> None:
    """Several choices at once, one choice, and a number."""
    board = one_track(
        tmp_path / "board",
        env=f"mlcompiler/{task}-v0",
        programs="loops/split_chain",
        level="O2",
    )
    track, folder = board.track("one"), board.submissions / "drawn"
    new(folder, board, track, "open")
    fill_in(folder)
    evaluate(track.evaluation("random"), track.programs, tmp_path / "drawn.jsonl")
    pack(folder, board, tmp_path / "drawn.jsonl")
    found = verified(folder, board)
    assert found.status == "accepted", found.report()


@examples(10)
@given(st.data())
def test_false_claims_that_are_sealed_are_refused(
    board: Board, data: st.DataObject
) -> None:
    folder = board.submissions / "loop"
    kept = (folder / TRAJECTORIES).read_bytes(), (folder / "manifest.json").read_bytes()
    [entry] = read_entries(kept[0])
    key = data.draw(st.sampled_from(("actions", "value", "baseline", "object_sha256")))
    old: Any = getattr(entry, key)
    if key == "actions":
        at = data.draw(st.integers(0, len(old) - 1))
        new: Any = data.draw(
            st.sampled_from(
                (
                    (*old[:at], 1 - old[at], *old[at + 1 :]),  # another answer
                    old[:at],  # ends before the compile does
                    (*old, 0),  # goes on behind its end
                    (*old[:at], 7, *old[at + 1 :]),  # no action at all
                )
            )
        )
    elif key == "object_sha256":
        new = hashlib.sha256(data.draw(st.binary())).hexdigest()
    else:
        new = old * data.draw(st.sampled_from((0.5, 0.999, 1.5)))
    rewrite(folder, [dataclasses.replace(entry, **{key: new})])
    try:
        digest = submissions.read(folder, board).digest
        found = verify(folder, board, board.folder / f"{digest}.journal")
        assert found.status == "refused"
        expected = {"object_sha256": "object"}.get(key, key)
        assert {expected, "value", "object"} & set(kinds(found)), found.report()
    finally:
        (folder / TRAJECTORIES).write_bytes(kept[0])
        (folder / "manifest.json").write_bytes(kept[1])


def plant(board: Board, name: str, track: str, actions: Sequence[int]) -> Path:
    """A submission of what `pack` would refuse, with true numbers."""
    folder = submit(board, name, track, [OZ], "open")
    [entry] = submissions.read(folder, board).entries
    found = board.track(track)
    trajectory = record(found, entry.program, actions)
    done = replay(trajectory, found.load()[0])
    planted = dataclasses.replace(
        entry,
        actions=tuple(actions),
        value=done.values[found.objective],
        object_sha256=hashlib.sha256(done.object_code).hexdigest(),
    )
    rewrite(folder, [planted])
    return folder


def test_a_miscompile_that_wins_is_refused(board: Board) -> None:
    actions = [OZ, NOTHING, STRUCTURIZE, NOTHING, OZ]
    folder = plant(board, "miscompiled", "passes", actions)
    verdict = verified(folder, board)
    assert verdict.status == "refused"
    [row] = verdict.rows
    assert row.value < 0.6 * row.baseline
    found = {finding.kind: finding.message for finding in verdict.findings}
    assert set(found) == {"miscompiled", "suspicious"}
    assert "MISCOMPILED" in found["miscompiled"]
    # What does not matter is left out.
    assert found["suspicious"].endswith(
        "default<Oz>, then structurizecfg, then default<Oz>"
    )
    ranking = rank(board, [verdict])
    assert ranking.refused == ("miscompiled",)
    assert ranking.tracks["passes"]["open"] == ()


def test_what_pack_compiles_wrongly_it_refuses(board: Board) -> None:
    with pytest.raises(SubmissionError, match="miscompiled"):
        submit(board, "unpacked", "passes", [OZ, STRUCTURIZE, OZ])


def test_a_gain_that_is_too_good_waits_for_a_person(board: Board) -> None:
    """Nothing is inlined, and that is 12% smaller: true, and looked into."""
    track = board.track("inlining")
    env_actions = [0] * 73
    folder = submit(board, "small", "inlining", env_actions, "open")
    verdict = verified(folder, board)
    assert verdict.status == "flagged"
    [finding] = verdict.findings
    assert finding.kind == "suspicious"
    gain = 1 - verdict.rows[0].value / verdict.rows[0].baseline
    assert gain > track.suspicious
    assert f"{gain:.1%} better than LLVM" in finding.message
    # A few of the decisions, by what is called from where.
    assert 1 <= finding.message.count("decision ") <= 10
    assert "callee" in finding.message
    assert "caller" in finding.message
    assert rank(board, [verdict]).flagged == ("small",)


CPP = """
inline int large(int x) {
  for (int i = 0; i < x; ++i) x += i * x ^ 3;
  for (int i = 0; i < x; ++i) x += i * x ^ 5;
  return x;
}
int first(int x) { return large(x); }
int second(int x) { return large(x) + large(x + 1); }
"""


def test_what_every_unit_has_its_own_of_may_go(tmp_path: Path) -> None:
    source = tmp_path / "two.cpp"
    source.write_text(CPP)
    board = one_track(
        tmp_path / "board",
        programs=str(source),
        env="mlcompiler/Inlining-v0",
        settings={"size_increase_threshold": 100.0},
    )
    track = board.track("one")
    [program] = track.load()
    always, never = (
        replay(record(track, program.name, [action] * 3), program).object_code
        for action in (1, 0)
    )
    assert exported(never, "STB_WEAK") == {"_Z5largei"}
    assert exported(always, "STB_WEAK") == set()
    ir = "define linkonce_odr dso_local i32 @_Z5largei(i32 %0) {"
    assert missing(never, never, always, ir) == set()
    verdict = verified(submit(board, "inlined", "one", [1] * 3, "open"), board)
    assert verdict.status == "accepted", verdict.report()
    assert verdict.rows[0].validation == "not run"


def test_symbols_that_others_may_need_have_to_stay(tmp_path: Path) -> None:
    """The service refuses such passes; the verifier does not rely on that."""
    source = tmp_path / "two.cpp"
    source.write_text(CPP)
    passes = ["internalize,globaldce", "default<Oz>"]
    board = one_track(
        tmp_path / "board", programs=str(source), settings={"actions": passes}
    )
    folder = submit(board, "emptied", "one", [1], "open")
    [entry] = submissions.read(folder, board).entries
    rewrite(folder, [dataclasses.replace(entry, actions=(0, 1))])
    [finding] = verified(folder, board).findings
    assert finding.kind == "failed"
    assert "dropped or internalised '_Z5firsti'" in finding.message

    one, other = (
        reference_object(ir_program(f"define {kind} i32 @{name}() {{ ret i32 1 }}"))
        for kind, name in (("weak_odr", "offered"), ("dso_local", "other"))
    )
    assert missing(one, one, other, "define weak_odr i32 @offered() {") == {"offered"}
    assert missing(one, one, other, "define linkonce_odr i32 @offered() {") == set()
    others = "@kept = dso_local global i32 0\n@linkonce = weak_odr constant i32 1\n"
    for kind, gone in (("linkonce_odr", set()), ("weak_odr", {"offered"})):
        ir = f"{others}@offered = {kind} constant ptr @linkonce, comdat\n"
        assert missing(one, one, other, ir) == gone
    assert missing(other, one, one, "") == {"other"}
    assert missing(one, one, one, "") == set()


def test_a_pass_that_crashes_is_refused(tmp_path: Path) -> None:
    passes = ["default<Oz>", "trigger-crash-module"]
    board = one_track(
        tmp_path / "board", programs="loops/split_chain", settings={"actions": passes}
    )
    folder = submit(board, "crashing", "one", [0], "open")
    [entry] = submissions.read(folder, board).entries
    rewrite(folder, [dataclasses.replace(entry, actions=(0, 1))])
    verdict = verified(folder, board)
    assert verdict.status == "refused"
    assert kinds(verdict) == ["failed"]


def test_another_llvm_verifies_nothing(board: Board, tmp_path: Path) -> None:
    text = (board.folder / "tracks.toml").read_text().replace("22.1.8", "21.1.0")
    (tmp_path / "tracks.toml").write_text(text)
    other = Board.load(tmp_path)
    with pytest.raises(LeaderboardError, match=r"here is of LLVM 22\.1\.8, and this"):
        submit(other, "other", "loop", [1, 0, 1, 0])


class Stopping(LocalPlayers):
    """Stops as by Ctrl-C behind the first program."""

    def play(self, plans: Iterable[EpisodePlan]) -> Iterator[Result]:
        for result in super().play(plans):
            yield result
            raise KeyboardInterrupt


class Counting(LocalPlayers):
    """Counts what is compiled."""

    count = 0

    def play(self, plans: Iterable[EpisodePlan]) -> Iterator[Result]:
        for result in super().play(plans):
            Counting.count += 1
            yield result


@pytest.fixture
def three(tmp_path: Path) -> Board:
    """A track of three programs of one's own."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for number in range(3):
        source = tmp_path / f"p{number}.c"
        source.write_text(f"int f{number}(int x) {{ return x * {number + 2} + x; }}")
        (folder / f"p{number}.bc").write_bytes(compile_source(source))
    write_manifest(folder, [Extracted(f"p{n}.bc", f"p{n}.c") for n in range(3)])
    return one_track(
        tmp_path / "board", programs=str(folder), settings={"actions": ["default<Oz>"]}
    )


def pack_all(board: Board, name: str) -> Path:
    [track] = board.tracks.values()
    first, *others = (record(track, p.name, [0]) for p in track.load())
    journal = board.folder / f"{name}.jsonl"
    text = "".join(each.to_json() + "\n" for each in (first, *others, first))
    journal.write_text(text)
    folder = board.submissions / name
    new(folder, board, track, "open")
    fill_in(folder)
    assert pack(folder, board, journal, compiles=7) == 3
    return folder


def test_an_interrupted_verification_goes_on_where_it_stopped(three: Board) -> None:
    folder = pack_all(three, "all")
    journal = three.folder / "journal.jsonl"
    with pytest.raises(KeyboardInterrupt):
        verify(folder, three, journal, players=Stopping)
    Counting.count = 0
    verdict = verify(folder, three, journal, players=Counting)
    assert Counting.count == 2
    assert [row.compiles for row in verdict.rows] == [14, 7, 7]
    in_two = verify(
        folder,
        three,
        three.folder / "two.jsonl",
        players=lambda what: LocalPlayers(what, 2),
    )
    assert dataclasses.replace(in_two, times=None) == dataclasses.replace(
        verdict, times=None
    )


def test_packing_says_what_does_not_fit(three: Board) -> None:
    [track] = three.tracks.values()
    folder = pack_all(three, "some")
    journal = three.folder / "some.jsonl"
    lines = journal.read_text().splitlines()

    def message(*rows: str) -> str:
        journal.write_text("\n".join(rows))
        with pytest.raises(SubmissionError) as caught:
            pack(folder, three, journal)
        return str(caught.value)

    assert "there is no episode of" in message(*lines[:2])
    assert f"{track.env} deadline=60" in message(*lines[:2])
    assert "line 2: it is not JSON Lines" in message(lines[0], "{")
    assert "line 1: this is not a trajectory" in message('{"trajectory": 3}')
    other = json.loads(lines[0])
    other["config"]["level"] = "O2"
    assert "was compiled with level 'O2', and the track has 'Oz'" in message(
        json.dumps(other)
    )
    # An episode that the compiler did not survive was a compile, too.
    crashed = {"program": other["program"], "trajectory": None, "error": "crashed"}
    journal.write_text("\n".join((*lines, json.dumps(crashed))))
    pack(folder, three, journal)
    spent = [each.compiles for each in submissions.read(folder, three).entries]
    assert spent == [3, 1, 1]
    # A search says in its episode what it has spent.
    search = {"trajectory": json.loads(lines[0]), "search": {"compiles": 20}}
    journal.write_text("\n".join((json.dumps(search), *lines)))
    pack(folder, three, journal)
    spent = [each.compiles for each in submissions.read(folder, three).entries]
    assert spent == [22, 1, 1]
    pack(folder, three, journal, compiles=2)
    spent = [each.compiles for each in submissions.read(folder, three).entries]
    assert spent == [6, 2, 2]
    worse = {"trajectory": json.loads(lines[0]), "objective": {"text_size": 1.0}}
    assert "text_size is 1 there, and" in message(json.dumps(worse), *lines[1:3])


def test_a_recomputation_is_made_in_each_process(board: Board) -> None:
    """It travels there, so it has to be the same when it arrives."""
    track: Track = board.track("loop")
    what = Recomputation.of(track, {"loops/split_chain": (1, 0)}, "0" * 64)
    assert pickle.loads(pickle.dumps(what)) == what
