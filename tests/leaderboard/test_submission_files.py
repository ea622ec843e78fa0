# SPDX-License-Identifier: Apache-2.0
"""What `check` finds in the files of a submission, without compiling anything."""

import gzip
import io
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.commands import cli
from support.leaderboard import OURS
from support.strategies import examples

from mlcompiler_gym.leaderboard import Board, Submission, SubmissionError, read
from mlcompiler_gym.leaderboard import submission as submissions
from mlcompiler_gym.leaderboard.card import CARD
from mlcompiler_gym.leaderboard.contents import MANIFEST, POLICY, read_files
from mlcompiler_gym.leaderboard.entries import TRAJECTORIES, read_entries

BOARD = Board.load(OURS)
VALID = OURS / "submissions" / "inlining-size-kernels-llvm"
FILES = (CARD, MANIFEST, TRAJECTORIES)


@contextmanager
def changed(file: str = CARD, content: bytes | None = None) -> Iterator[Path]:
    """A copy of the valid submission, with one file of it another."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "valid")
        shutil.copytree(VALID, copy)
        if content is not None:
            (copy / file).write_bytes(content)
        yield copy


def said(submission: Submission) -> tuple[object, ...]:
    return submission.card, submission.entries, submission.policy, submission.digest


def refused(folder: Path, *words: str) -> str:
    """The message that a submission is refused with."""
    with pytest.raises(SubmissionError) as caught:
        read(folder, BOARD)
    message = str(caught.value)
    for word in words:
        assert word in message
    # Each says where, what, and what to do.
    for problem in caught.value.problems:
        assert problem.file
        assert problem.what
        assert problem.way_out
    return message


def test_a_valid_submission_is_read() -> None:
    submission = read(VALID, BOARD)
    assert submission.name == VALID.name
    assert len(submission.entries) == len(BOARD.track(submission.card.track).hashes())


@examples(250)
@given(st.sampled_from(FILES), st.data())
def test_a_change_of_bytes_is_found_or_changes_nothing(
    file: str, data: st.DataObject
) -> None:
    before = (VALID / file).read_bytes()
    at = data.draw(st.integers(0, len(before) - 1))
    kind = data.draw(st.sampled_from(("replace", "insert", "remove", "cut")))
    byte = data.draw(st.binary(min_size=1, max_size=3))
    after = {
        "replace": before[:at] + byte + before[at + len(byte) :],
        "insert": before[:at] + byte + before[at:],
        "remove": before[:at] + before[at + len(byte) :],
        "cut": before[:at],
    }[kind]
    with changed(file, after) as folder:
        try:
            found = read(folder, BOARD)
        except SubmissionError:
            return
        assert said(found) == said(read(VALID, BOARD))


def entries_as_json() -> list[dict[str, Any]]:
    text = gzip.decompress((VALID / TRAJECTORIES).read_bytes())
    return [json.loads(line) for line in text.splitlines()]


@examples(60)
@given(st.data())
def test_every_change_of_what_is_claimed_is_found(data: st.DataObject) -> None:
    """The changed files are well formed; only the manifest does not match them."""
    rows = entries_as_json()
    row = data.draw(st.sampled_from(rows))
    key = data.draw(st.sampled_from(sorted(row)))
    old = row[key]
    if isinstance(old, list):
        at = data.draw(st.integers(0, len(old) - 1))
        row[key] = [*old[:at], 1 - old[at], *old[at + 1 :]]
    elif isinstance(old, str):
        row[key] = old[:-1] + ("0" if old[-1] != "0" else "1")
    else:
        row[key] = old + data.draw(st.sampled_from((-1, 1, 1000)))
    text = "".join(json.dumps(each) + "\n" for each in rows)
    with changed(TRAJECTORIES, gzip.compress(text.encode())) as folder:
        refused(folder, TRAJECTORIES)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("title", '"Another title"'),
        ("authors", '["somebody else"]'),
        ("training_data", '"the test set"'),
        ("seeds", "[7]"),
        ("class_name", '"search-10"'),
        ("track", '"passes-size-kernels"'),
    ],
)
def test_every_change_of_the_card_is_found(key: str, value: str) -> None:
    lines = (VALID / CARD).read_text().splitlines()
    lines = [f"{key} = {value}" if line.startswith(key) else line for line in lines]
    with changed(CARD, "\n".join(lines).encode()) as folder:
        refused(folder, f"{CARD}: it says something else than when")


@examples(100)
@given(st.data())
def test_white_space_changes_nothing(data: st.DataObject) -> None:
    file = data.draw(st.sampled_from(FILES))
    white = data.draw(st.text(" \t", min_size=1, max_size=3))
    content = (VALID / file).read_bytes()
    if file == TRAJECTORIES:
        text = gzip.decompress(content).decode()
        text = text.replace(",", "," + white).replace("\n", white + "\n" + white + "\n")
        level = data.draw(st.integers(0, 9))
        after = gzip.compress(text.encode(), compresslevel=level, mtime=12345)
    elif file == CARD:
        text = content.decode().replace(" = ", white + "=" + white)
        after = text.replace("\n", white + "\n# A comment.\n\n").encode()
    else:
        after = content.replace(b",", b"," + white.encode() + b"\n")
    with changed(file, after) as folder:
        assert said(read(folder, BOARD))[:3] == said(read(VALID, BOARD))[:3]
        assert read(folder, BOARD).digest == read(VALID, BOARD).digest


@pytest.mark.parametrize("file", FILES)
def test_a_missing_file_is_named(file: str) -> None:
    with changed() as folder:
        (folder / file).unlink()
        refused(folder, f"{file}: it is missing", "mlcompiler-gym leaderboard")


def test_other_files_are_refused() -> None:
    with changed("setup.py", b"import os") as folder:
        refused(folder, "setup.py: a submission has only")
    with changed(POLICY, b"a policy") as folder:
        refused(folder, f"{POLICY}: class open has none; remove it")


def test_links_and_devices_are_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text('title = "secret"')
    for make in (
        lambda path: path.symlink_to(secret),
        lambda path: path.mkdir(),
        lambda path: os.mkfifo(path),
    ):
        with changed() as folder:
            (folder / CARD).unlink()
            make(folder / CARD)
            message = refused(folder, f"{CARD}: it is a link or a folder")
            assert "secret" not in message


def test_a_bomb_is_refused() -> None:
    zeros = gzip.compress(bytes(1 << 26))
    bomb = zeros * 9  # 576 MiB in half a megabyte, and no line in it
    with changed(TRAJECTORIES, bomb) as folder:
        refused(folder, TRAJECTORIES, "a line of more than 16 MiB")
    lines = gzip.compress((b" " * 1023 + b"\n") * (1 << 16))
    with changed(TRAJECTORIES, lines * 9) as folder:
        refused(folder, TRAJECTORIES, "unpacks to more than 512 MiB")
    with changed(CARD, b"#" * (1 << 20)) as folder:
        refused(folder, f"{CARD}: it has 1048576 bytes")


def archive(path: Path, fill: Callable[[tarfile.TarFile], None]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        fill(tar)
    return path


def member(name: str, content: bytes = b"", **fields: Any) -> Any:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in fields.items():
        setattr(info, key, value)
    return lambda tar: tar.addfile(info, io.BytesIO(content))


def test_an_archive_is_read_as_its_folder_is(tmp_path: Path) -> None:
    path = archive(
        tmp_path / "valid.tar.gz", lambda tar: tar.add(VALID, "inlining-by-llvm")
    )
    assert said(read(path, BOARD)) == said(read(VALID, BOARD))


@pytest.mark.parametrize(
    ("fill", "word"),
    [
        (member("../card.toml", b"x"), "reaches outside"),
        (member("/tmp/card.toml", b"x"), "reaches outside"),
        (member("a/b/card.toml", b"x"), "reaches outside"),
        (
            member("a/card.toml", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
            "is a link or a device",
        ),
        (
            member("a/card.toml", type=tarfile.LNKTYPE, linkname="a/manifest.json"),
            "is a link or a device",
        ),
        (member("a/card.toml", type=tarfile.CHRTYPE), "is a link or a device"),
        (member("a/run.sh", b"x"), "a submission has only"),
        (member("a/card.toml", bytes(1 << 17)), "bytes, and"),
        (member("a/model.policy", bytes(1 << 28)), "unpacks to more than"),
    ],
)
def test_hostile_archives_are_refused(
    tmp_path: Path, fill: Callable[[tarfile.TarFile], None], word: str
) -> None:
    refused(archive(tmp_path / "hostile.tar.gz", fill), word)
    assert os.listdir(tmp_path) == ["hostile.tar.gz"]


def test_damaged_archives_are_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "whole.tar.gz", lambda tar: tar.add(VALID, "whole"))
    content = path.read_bytes()
    for bad in (b"", b"not an archive", content[: len(content) // 2], content[:-3]):
        path.write_bytes(bad)
        refused(path)


def test_a_tar_with_a_header_that_lies_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lies.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(tarfile.TarInfo("a/card.toml"))
    content = bytearray(path.read_bytes())
    content[124:135] = b"77777777777"  # 8 GiB, it says
    path.write_bytes(content)
    refused(path)


def resealed(edit: Callable[[list[dict[str, Any]]], None]) -> dict[str, bytes]:
    """Entries that were edited, and sealed afterwards."""
    rows = entries_as_json()
    edit(rows)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    return {TRAJECTORIES: gzip.compress(text.encode())}


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda rows: rows.pop(2), "kernels/deflate is missing; submit a trajectory"),
        (lambda rows: rows.append(rows[0]), "line 10: kernels/aes is there 2 times"),
        (
            lambda rows: rows[1].update(program="kernels/huffman"),
            "line 2: kernels/huffman is no program of kernels:test",
        ),
        (
            lambda rows: rows[3].update(program_sha256="0" * 64),
            "line 4: kernels/diff has SHA-256 000",
        ),
    ],
)
def test_programs_are_those_of_the_track(
    edit: Callable[[list[dict[str, Any]]], None], message: str
) -> None:
    files = resealed(edit)
    with changed(TRAJECTORIES, files[TRAJECTORIES]) as folder:
        card = submissions.read_card(read_files(folder))
        submissions.write(folder, card, read_entries(files[TRAJECTORIES]))
        refused(folder, TRAJECTORIES, message)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "llvm",
            '"21.1.0"',
            "line 17: llvm is '21.1.0', and this board is of '22.1.8'",
        ),
        ("package", '"0.0.9"', "package is '0.0.9'"),
        ("track", '"inlinin"', "line 3: there is no track 'inlinin'"),
        ("class_name", '"search-20"', "line 4: class_name: Input should be"),
        ("title", '"…"', "line 2: title is not filled in"),
        ("seeds", '["one"]', "seeds.0: Input should be a valid integer"),
        ("colour", '"red"', "there is no field colour"),
        ("hardware", None, "hardware is missing; add hardware"),
        ("title", "", f"{CARD}, line 2: it is not TOML"),
    ],
)
def test_messages_name_file_line_and_way_out(
    key: str, value: str | None, message: str
) -> None:
    lines = (VALID / CARD).read_text().splitlines()
    new = [] if value is None else [f"{key} = {value}"]
    at = [n for n, line in enumerate(lines) if line.startswith(f"{key} =")]
    first = at[0] if at else len(lines)
    lines[first : first + 1] = new
    with changed(CARD, "\n".join(lines).encode()) as folder:
        refused(folder, message)


def test_budgets_are_kept() -> None:
    def edit(compiles: int | None) -> str:
        files = resealed(lambda rows: rows[0].update(compiles=compiles))
        with changed(TRAJECTORIES, files[TRAJECTORIES]) as folder:
            text = (folder / CARD).read_text().replace('"open"', '"search-10"')
            (folder / CARD).write_text(text)
            card = submissions.read_card(read_files(folder))
            submissions.write(folder, card, read_entries(files[TRAJECTORIES]))
            return refused(folder, "line 1")

    assert "took 11 compiles, and search-10 allows 10" in edit(11)
    assert "does not say how many compiles it took" in edit(None)


def test_the_command_says_it_in_one_go(tmp_path: Path) -> None:
    done = cli("leaderboard", "check", VALID, "--board", OURS)
    assert "inlining-size-kernels-llvm is well formed: 9 trajectories" in done.stdout
    with changed(CARD, b"title = 3") as folder:
        done = cli("leaderboard", "check", folder, "--board", OURS, status=1)
    for line in ("line 1: title", "card.toml: track is missing"):
        assert line in done.stderr
    nowhere = cli("leaderboard", "check", tmp_path, "--board", tmp_path, status=1)
    assert "there is no leaderboard in" in nowhere.stderr
