# SPDX-License-Identifier: Apache-2.0
"""Submissions that are policies."""

import json
from pathlib import Path

import gymnasium
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.leaderboard import one_track, submit_policy
from support.policies import inlines_what_is_cheap
from support.strategies import examples

from mlcompiler_gym import PortablePolicy
from mlcompiler_gym.leaderboard import (
    Board,
    LeaderboardError,
    SubmissionError,
    rank,
    read,
    verify,
    write_verdict,
)
from mlcompiler_gym.leaderboard.contents import MANIFEST, POLICY
from mlcompiler_gym.policies import play, settings_for
from mlcompiler_gym.policies.baselines import compiler_of
from mlcompiler_gym.programs.clang import compile_source
from mlcompiler_gym.reference import read_reference
from mlcompiler_gym.v1 import policy_pb2 as pb

PROGRAM = "kernels/lz"


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    return one_track(
        tmp_path_factory.mktemp("board"),
        env="mlcompiler/Inlining-v0",
        programs=PROGRAM,
        classes=["policy", "open"],
    )


@pytest.fixture(scope="module")
def folder(board: Board) -> Path:
    content = PortablePolicy(inlines_what_is_cheap()).to_bytes()
    return submit_policy(board, "cheap", content)


def test_the_verifier_plays_it(board: Board, folder: Path, tmp_path: Path) -> None:
    private = tmp_path / "private"
    for number, package in enumerate(("one", "two")):
        source = tmp_path / "secret.c"
        source.write_text(
            f"static int leaf(int x) {{ return x * {number + 7}; }}\n"
            "int entry(int x) { return leaf(x) + leaf(x + 1); }\n"
        )
        (private / package).mkdir(parents=True)
        (private / package / "secret.bc").write_bytes(compile_source(source))
    journal = tmp_path / "journal.jsonl"
    verdict = verify(folder, board, journal, private=private)
    assert verdict.status == "accepted", verdict.report()
    env = gymnasium.make("mlcompiler/Inlining-v0", programs=PROGRAM, observation="dict")
    played = play(env, PortablePolicy.load(folder / POLICY))
    env.close()
    [row] = verdict.rows
    assert row.value == played.info["objective"]["text_size"]
    assert row.decisions == played.steps
    assert row.compiles is None
    assert row.validation == "same"
    assert verdict.policy_bytes == (folder / POLICY).stat().st_size
    assert verdict.times is not None
    assert verdict.times.decision_microseconds is not None
    # The private set is known by two numbers, and by no name.
    assert verdict.private is not None
    assert verdict.private.programs == 2
    text = write_verdict(board, verdict).read_text()
    assert "secret" not in text
    assert "private/" not in text
    [standing] = rank(board, [verdict]).tracks["one"]["policy"]
    assert standing.private == verdict.private


@examples(40)
@given(st.data())
def test_every_change_of_a_policy_is_found(
    board: Board, folder: Path, data: st.DataObject
) -> None:
    whole = (folder / POLICY).read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(1, 255))
    try:
        (folder / POLICY).write_bytes(
            whole[:at] + bytes([whole[at] ^ byte]) + whole[at + 1 :]
        )
        with pytest.raises(SubmissionError, match=POLICY):
            read(folder, board)
        (folder / POLICY).write_bytes(whole[:at])
        with pytest.raises(SubmissionError, match=POLICY):
            read(folder, board)
    finally:
        (folder / POLICY).write_bytes(whole)


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (inlines_what_is_cheap(service="grpc://127.0.0.1:1"), "no option 'service'"),
        (pb.Policy(task="regalloc_eviction", builtin="llvm"), "and the environment"),
        (b"import os", "policy"),
    ],
)
def test_what_is_no_policy_for_the_track_is_refused(
    board: Board, policy: pb.Policy | bytes, message: str, tmp_path: Path
) -> None:
    content = policy if isinstance(policy, bytes) else PortablePolicy(policy).to_bytes()
    with pytest.raises(SubmissionError, match=message):
        submit_policy(board, f"bad-{abs(hash(message))}", content)


@pytest.mark.parametrize("name", ["llvm", "last_use"])
def test_a_policy_by_name_is_a_submission(
    board: Board, name: str, tmp_path: Path
) -> None:
    """The features that it goes by are shown to it, and are no part of the track."""
    folder = submit_policy(
        board, name.replace("_", "-"), PortablePolicy.named(name).to_bytes()
    )
    verdict = verify(folder, board, tmp_path / "journal.jsonl")
    assert verdict.status == "accepted", verdict.report()
    plain = gymnasium.make("mlcompiler/Inlining-v0", programs=PROGRAM)
    shown = gymnasium.make(
        "mlcompiler/Inlining-v0", programs=PROGRAM, **settings_for(plain, name)
    )
    shown.reset()
    info = compiler_of(shown).finish(name)[4]
    plain.close()
    shown.close()
    [row] = verdict.rows
    assert row.value == info["objective"]["text_size"]
    if name == "llvm":
        assert row.value == row.baseline


def test_a_policy_of_another_task_is_refused(board: Board) -> None:
    other = inlines_what_is_cheap()
    other.task = "loop_distribution"
    with pytest.raises(SubmissionError, match="decides loop_distribution, and the"):
        submit_policy(board, "other-task", PortablePolicy(other).to_bytes())


def test_what_is_not_observed_is_a_refusal(board: Board, tmp_path: Path) -> None:
    other = inlines_what_is_cheap()
    other.model.inputs[0].feature = "moon_phase"
    folder = submit_policy(board, "moon", PortablePolicy(other).to_bytes())
    verdict = verify(folder, board, tmp_path / "journal.jsonl")
    assert verdict.status == "refused"
    [finding] = verdict.findings
    assert finding.kind == "policy"
    assert "moon_phase" in finding.message


def test_whatever_can_be_observed_is(board: Board, tmp_path: Path) -> None:
    """Counts of the module, beside the features of the call site."""
    other = inlines_what_is_cheap()
    other.model.inputs.add(feature="autophase", elements=56)
    other.model.network.layers[0].weights.extend([0.0] * 56)
    folder = submit_policy(board, "seeing", PortablePolicy(other).to_bytes())
    plain = submit_policy(
        board, "plain", PortablePolicy(inlines_what_is_cheap()).to_bytes()
    )
    seeing, blind = (
        verify(each, board, tmp_path / f"{each.name}.jsonl") for each in (folder, plain)
    )
    assert seeing.status == "accepted", seeing.report()
    assert seeing.rows == blind.rows


def test_options_are_only_what_is_observed(board: Board, tmp_path: Path) -> None:
    """One that lets modules grow does so in its own compile, and in no other."""
    shown = inlines_what_is_cheap(inlining_default="true")
    folder = submit_policy(board, "shown", PortablePolicy(shown).to_bytes())
    verdict = verify(folder, board, tmp_path / "journal.jsonl")
    assert verdict.status == "accepted", verdict.report()


def test_actions_of_another_list_are_refused(tmp_path: Path) -> None:
    """The first pass of the policy is not the first of the track."""
    board = one_track(
        tmp_path / "board",
        env="mlcompiler/PassOrdering-v0",
        objective="ir_instructions",
        programs=PROGRAM,
        classes=["policy", "open"],
        settings={"actions": "llvm22"},
    )
    with pytest.raises(SubmissionError, match="Leave actions out"):
        submit_policy(board, "reference", read_reference("pass_ordering"))


def test_private_programs_are_for_policies(board: Board, tmp_path: Path) -> None:
    folder = submit_policy(
        board, "nothing", PortablePolicy(inlines_what_is_cheap()).to_bytes()
    )
    with pytest.raises(LeaderboardError, match="there is no bitcode"):
        verify(folder, board, tmp_path / "journal.jsonl", private=tmp_path / "nowhere")
    assert json.loads((folder / MANIFEST).read_text())["trajectories"] is None
