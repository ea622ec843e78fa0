# SPDX-License-Identifier: Apache-2.0
"""A small board, and submissions to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlcompiler_gym import Trajectory, load_programs
from mlcompiler_gym.evaluation.player import make_env
from mlcompiler_gym.leaderboard import Board, new, pack
from mlcompiler_gym.leaderboard.tracks import ClassName, Track

#: The board of this repository.
OURS = Path(__file__).parents[2] / "leaderboard"

#: Tracks of a program or two, quick to verify.
TRACKS = """
llvm = "22.1.8"
package = "0.1.0"

[[tracks]]
id = "loop"
title = "One loop"
env = "mlcompiler/LoopDistribution-v0"
objective = "loop_cost"
programs = "loops/split_chain"
level = "O2"
classes = ["policy", "search-10", "search", "open"]
suspicious = 0.9

[[tracks]]
id = "inlining"
title = "One kernel"
env = "mlcompiler/Inlining-v0"
objective = "text_size"
programs = "kernels/regex"
level = "Oz"
classes = ["policy", "search-10", "open"]
suspicious = 0.05

[[tracks]]
id = "passes"
title = "Few passes"
env = "mlcompiler/PassOrdering-v0"
objective = "text_size"
programs = "kernels/deflate"
level = "Oz"
classes = ["search-10", "open"]
suspicious = 0.1
max_actions = 20
[tracks.settings]
actions = ["default<Oz>", "structurizecfg", "globaldce", "no-op-module"]
"""


def make_board(folder: Path) -> Board:
    """A board of :data:`TRACKS`."""
    folder.mkdir(exist_ok=True)
    (folder / "tracks.toml").write_text(TRACKS)
    return Board.load(folder)


def fill_in(folder: Path) -> None:
    """Write something everywhere in a new card."""
    card = folder / "card.toml"
    card.write_text(card.read_text().replace('"…"', '"something"'))


def record(track: Track, name: str, actions: Sequence[int]) -> Trajectory:
    """A trajectory of these actions, or of those that the compile asks for."""
    env, compiler = make_env(track.evaluation("never"))
    program = load_programs(track.programs, level=track.level).named(name)
    compiler.reset(options={"program": program})
    for action in actions:
        _, _, terminated, _, _ = compiler.step(action)
        if terminated:
            break
    trajectory = compiler.trajectory
    env.close()
    return trajectory


def submit(
    board: Board,
    name: str,
    track: str,
    actions: Sequence[int],
    class_name: ClassName = "search-10",
) -> Path:
    """A complete submission of one program."""
    found = board.track(track)
    folder = board.submissions / name
    new(folder, board, found, class_name)
    fill_in(folder)
    journal = board.folder / f"{name}.jsonl"
    [program] = found.load()
    journal.write_text(record(found, program.name, actions).to_json() + "\n")
    pack(folder, board, journal)
    return folder
