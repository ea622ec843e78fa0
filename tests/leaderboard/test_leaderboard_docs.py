# SPDX-License-Identifier: Apache-2.0
"""docs/leaderboard.md, followed literally."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import environment
from support.leaderboard import OURS

DOCS = OURS.parent / "docs" / "leaderboard.md"


@pytest.mark.slow
def test_a_first_submission_as_the_page_has_it(tmp_path: Path) -> None:
    text = DOCS.read_text()
    section = text[
        text.index("## Submit in ten minutes") : text.index("## The commands")
    ]
    blocks = re.findall(r"```(sh|toml)\n(.*?)```", section, re.DOTALL)
    assert [kind for kind, _ in blocks] == ["sh", "toml", "sh", "sh"]
    board = tmp_path / "leaderboard"
    board.mkdir()
    shutil.copy(OURS / "tracks.toml", board)
    scripts = Path(sys.executable).parent
    settings = environment(PATH=f"{scripts}:/usr/bin:/bin")
    for kind, block in blocks:
        if kind == "toml":
            card = board / "submissions" / "my-first" / "card.toml"
            wanted = re.findall("^([a-z_]+) =", card.read_text(), re.MULTILINE)
            assert re.findall("^([a-z_]+) =", block, re.MULTILINE) == wanted
            card.write_text(block)
            continue
        done = subprocess.run(
            ["bash", "-e", "-c", block],
            cwd=tmp_path,
            env=settings,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    ranking = json.loads((board / "ranking.json").read_text())
    [standing] = ranking["tracks"]["distribution-cost-loops"]["search-10"]
    assert standing["submission"] == "my-first"
    assert standing["compiles"] == 10
    assert "My first submission" in (tmp_path / "site" / "index.html").read_text()


def test_every_track_can_be_evaluated() -> None:
    """Its environment takes its settings, and there are its programs."""
    from mlcompiler_gym.leaderboard import Board
    from mlcompiler_gym.leaderboard.verify import check_compiler

    board = Board.load(OURS)
    for track in board.tracks.values():
        config = check_compiler(board, track)
        assert config.level == track.level
        assert track.objective in {*config.objectives, *config.measured}
        assert len(track.hashes()) >= 9
        assert track.id in (OURS / "tracks.toml").read_text()
