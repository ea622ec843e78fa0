# SPDX-License-Identifier: Apache-2.0
"""A small board, and submissions to it."""

from __future__ import annotations

import json
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


def one_track(folder: Path, **fields: object) -> Board:
    """A board of one track."""
    track: dict[str, object] = {
        "id": "one",
        "title": "One",
        "env": "mlcompiler/PassOrdering-v0",
        "objective": "text_size",
        "level": "Oz",
        "classes": ["open"],
        "suspicious": 0.99,
        **fields,
    }
    settings = track.pop("settings", {})
    lines = [f"{key} = {json.dumps(value)}" for key, value in track.items()]
    lines += ["[tracks.settings]"]
    lines += [f"{key} = {json.dumps(value)}" for key, value in dict(settings).items()]  # type: ignore[call-overload]
    text = 'llvm = "22.1.8"\npackage = "0.1.0"\n[[tracks]]\n' + "\n".join(lines)
    folder.mkdir(exist_ok=True)
    (folder / "tracks.toml").write_text(text)
    return Board.load(folder)


def fill_in(folder: Path) -> None:
    """Write something everywhere in a new card."""
    card = folder / "card.toml"
    card.write_text(card.read_text().replace('"…"', '"something"'))


def record(track: Track, name: str, actions: Sequence[int]) -> Trajectory:
    """A trajectory of as many of these actions as the compile asks for."""
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


def submit_policy(board: Board, name: str, content: bytes) -> Path:
    """A complete submission of a policy to the first track."""
    folder = board.submissions / name
    track = next(iter(board.tracks.values()))
    new(folder, board, track, "policy")
    fill_in(folder)
    file = board.folder / f"{name}.policy"
    file.write_bytes(content)
    pack(folder, board, file)
    return folder
