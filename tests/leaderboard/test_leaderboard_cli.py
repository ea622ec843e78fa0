# SPDX-License-Identifier: Apache-2.0
"""`mlcompiler-gym leaderboard`, as a user types it."""

import json
import re
from pathlib import Path

import pytest
from support.commands import cli
from support.leaderboard import fill_in, make_board, record, submit


def board_cli(folder: Path, *arguments: str | Path, status: int = 0) -> str:
    done = cli("leaderboard", *arguments, status=status, cwd=folder)
    return done.stdout + done.stderr


def test_from_a_card_to_a_rank(tmp_path: Path) -> None:
    board = make_board(tmp_path / "leaderboard")
    assert "\nloop\tmlcompiler/LoopDist" in board_cli(tmp_path, "tracks")
    folder = Path("leaderboard/submissions/mine")
    said = board_cli(tmp_path, "new", folder, "--track", "loop", "--class", "search-10")
    assert "eval mlcompiler/LoopDistribution-v0 deadline=60 objective=loop_cost" in said
    said = board_cli(tmp_path, "check", folder, status=1)
    assert "card.toml, line 2: title is not filled in" in said
    assert "trajectories.jsonl.gz: it is missing" in said
    fill_in(tmp_path / folder)
    trajectory = record(board.track("loop"), "loops/split_chain", [1, 0, 1, 0])
    trajectory.save(tmp_path / "mine.jsonl")
    board_cli(tmp_path, "pack", folder, "mine.jsonl", "--compiles", "9")
    # Taken over: a change of the card behind packing.
    card = tmp_path / folder / "card.toml"
    card.write_text(card.read_text().replace('title = "something"', 'title = "Mine"'))
    assert "something else than when" in board_cli(tmp_path, "check", folder, status=1)
    board_cli(tmp_path, "pack", folder)
    board_cli(tmp_path, "check", folder)
    assert "mine: accepted" in board_cli(tmp_path, "verify", folder)
    said = board_cli(tmp_path, "rank")
    assert re.search(r"\nmine\t1\t\d\.\d{4}\t", said)
    ranking = json.loads((board.folder / "ranking.json").read_text())
    [standing] = ranking["tracks"]["loop"]["search-10"]
    assert (standing["title"], standing["compiles"]) == ("Mine", 9)
    said = board_cli(tmp_path, "site", "--output", "site", "--no-decisions")
    assert "6 pages" in said
    assert (tmp_path / "site" / "index.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tracks", "--board", "nowhere"], "there is no leaderboard in nowhere"),
        (
            ["new", "leaderboard/mine", "--track", "lop", "--class", "open"],
            "there is no track 'lop'; did you mean loop?",
        ),
        (
            ["new", "leaderboard/mine", "--track", "loop", "--class", "search-20"],
            "track loop has no class search-20; it has policy, search-10",
        ),
        (
            ["new", "leaderboard/My_own", "--track", "loop", "--class", "open"],
            "My_own: a submission is not to be called so; take small letters",
        ),
        (["check", "nowhere"], "nowhere is no submission: name a folder"),
        (["verify", "leaderboard"], "a submission has only card.toml"),
    ],
)
def test_what_is_wrong_is_said(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    make_board(tmp_path / "leaderboard")
    assert message in board_cli(tmp_path, *arguments, status=1)


def test_status_says_what_became_of_it(tmp_path: Path) -> None:
    board = make_board(tmp_path / "leaderboard")
    text = (board.folder / "tracks.toml").read_text()
    # Whatever is no worse than LLVM is suspicious here.
    text = text.replace("suspicious = 0.9", "suspicious = -0.001")
    folder = submit(board, "same", "loop", [0, 0, 0, 0], "open")
    (board.folder / "tracks.toml").write_text(text)
    said = board_cli(tmp_path, "verify", folder, status=3)
    assert "same: flagged" in said
    assert "flagged: same" in board_cli(tmp_path, "rank")


@pytest.mark.slow
def test_a_cluster_verifies_too(tmp_path: Path) -> None:
    board = make_board(tmp_path / "leaderboard")
    folder = submit(board, "on-ray", "loop", [1, 0, 1, 0], "open")
    said = board_cli(
        tmp_path, "verify", folder, "--ray-address", "local", "--workers", "1"
    )
    assert "on-ray: accepted" in said
