# SPDX-License-Identifier: Apache-2.0
"""The leaderboard's pages: what is in them, and how they are used."""

import gzip
import json
import re
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from support.browser import chromium
from support.leaderboard import OURS, make_board, one_track, submit

from mlcompiler_gym.evaluation import LocalPlayers, Players
from mlcompiler_gym.leaderboard import (
    Board,
    LeaderboardError,
    rank,
    read_verdicts,
    seal,
    verify,
    write_verdict,
)
from mlcompiler_gym.leaderboard.ranking import Standing
from mlcompiler_gym.leaderboard.site import charts, write_site
from mlcompiler_gym.leaderboard.site.decisions import Looking, Wanted
from mlcompiler_gym.programs import Program

#: Tables are scrolled on a phone, and fit a larger window.
TABLES = {False: (), True: ("document.querySelector('.scroll')",)}
HOSTILE = "<script>alert(1)</script> & 'others'"
#: By name: what is answered at each of the loop's four decisions, and the class.
SUBMISSIONS: dict[str, tuple[list[int], Any]] = {
    "merged": ([0, 0, 0, 0], "open"),
    "split": ([1, 1, 1, 1], "search-10"),
    "some": ([1, 0, 1, 0], "search-10"),
}


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    """A board with some verified submissions."""
    board = make_board(tmp_path_factory.mktemp("board"))
    for name, (actions, class_name) in SUBMISSIONS.items():
        folder = submit(board, name, "loop", actions, class_name)
        card = (folder / "card.toml").read_text()
        title = f'"{HOSTILE}"' if name == "some" else f'"Loops {name}"'
        (folder / "card.toml").write_text(
            re.sub("^title = .*$", f"title = {title}", card, flags=re.MULTILINE)
        )
        seal(folder, board)
        write_verdict(board, verify(folder, board, board.folder / f"{name}.journal"))
    return board


@pytest.fixture(scope="module")
def site(board: Board) -> Path:
    folder = board.folder / "site"
    write_site(board, folder)
    return folder


class Page(HTMLParser):
    """Links, ids and text of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.ids: set[str] = set()
        self.text = ""
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attrs}
        self.ids.add(values.get("id", ""))
        if tag == "a":
            self.links.append(values["href"])
        elif "src" in values or tag == "link":
            self.loaded.append(values.get("src") or values["href"])

    def handle_data(self, data: str) -> None:
        self.text += data


def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in sorted(site.rglob("*.html"))}


def test_there_is_a_page_of_everything_and_all_links_lead_somewhere(
    site: Path,
) -> None:
    found = pages(site)
    names = {str(path.relative_to(site)) for path in found}
    assert names == {
        "index.html",
        "tracks/inlining.html",
        "tracks/loop.html",
        "tracks/passes.html",
        "programs/loop/loops--split_chain.html",
        *(f"submissions/{name}.html" for name in SUBMISSIONS),
    }
    for path, page in found.items():
        for link in page.links + page.loaded:
            if link == "data:,":
                continue
            file, _, anchor = link.partition("#")
            target = (path.parent / file).resolve() if file else path
            # Nothing is loaded from elsewhere.
            assert target.is_relative_to(site.resolve()), link
            assert target.is_file(), link
            if anchor:
                assert anchor in found[target].ids


def test_what_a_submitter_writes_is_only_text(site: Path) -> None:
    page = Page(site / "submissions" / "some.html")
    assert HOSTILE in page.text
    for path in site.rglob("*.html"):
        assert "<script>alert" not in path.read_text()


def test_numbers_are_those_of_the_ranking(site: Path, board: Board) -> None:
    classes = rank(board, read_verdicts(board)).tracks["loop"]
    page = Page(site / "tracks" / "loop.html")
    for standings in classes.values():
        for each in standings:
            assert f"{each.ratio:.4f}" in page.text
            assert each.title in page.text


def test_decisions_are_shown_beside_what_would_have_been(site: Path) -> None:
    """The best here is `merged`, which does as LLVM."""
    text = Page(site / "programs" / "loop" / "loops--split_chain.html").text
    assert "The decisions of Loops merged" in text
    assert "Shown: 4 of 4; other than LLVM's: 0." in text
    assert "Next that differs" not in text
    assert "Decision 4: " in text


def test_a_site_replaces_only_a_site(board: Board, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    with pytest.raises(LeaderboardError, match="something in it that is no site"):
        write_site(board, folder, decisions=False)
    with pytest.raises(LeaderboardError, match=r"thesis\.tex is no folder"):
        write_site(board, folder / "thesis.tex", decisions=False)
    assert (folder / "thesis.tex").read_text() == "years of work"
    (folder / "thesis.tex").unlink()
    for _ in range(2):
        assert write_site(board, folder, decisions=False) == 8


def content(site: Path) -> dict[str, bytes]:
    """Every file of a site."""
    return {
        str(path.relative_to(site)): path.read_bytes()
        for path in sorted(site.rglob("*"))
        if path.is_file()
    }


class Counting:
    """Plays in this process, and says what it was asked for."""

    def __init__(self) -> None:
        self.played: list[str] = []

    def __call__(self, looking: Looking) -> Players:
        self.played += [each.program for each in looking.wanted]
        return LocalPlayers(looking)


def test_only_what_is_new_is_compiled(site: Path, board: Board, tmp_path: Path) -> None:
    """What is kept, and is whole, gives the same pages; the rest is made again."""
    counting = Counting()
    make = partial(write_site, board, tmp_path / "site", keep=tmp_path / "kept")
    played = []
    pages = []
    for damage in (
        lambda kept: None,
        lambda kept: None,
        lambda kept: kept.write_bytes(kept.read_bytes()[:-9]),
        lambda kept: kept.write_bytes(b""),
        lambda kept: kept.write_bytes(gzip.compress(b'{"steps": [1]}')),
        lambda kept: kept.rename(kept.with_name(f"{'0' * 32}.gz")),
    ):
        for path in (tmp_path / "kept").glob("*"):
            damage(path)
        before = len(counting.played)
        make(players=counting)
        played.append(len(counting.played) - before)
        pages.append(content(tmp_path / "site"))
    assert played == [1, 0, 1, 1, 1, 1]
    assert all(each == content(site) for each in pages)
    # What no page needs any more is gone.
    assert len(list((tmp_path / "kept").iterdir())) == 1


def test_what_cannot_be_kept_is_said(board: Board, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LeaderboardError, match="name another folder with --keep"):
        write_site(board, tmp_path / "site", keep=tmp_path / "file")
    assert not (tmp_path / "site").exists()


@pytest.mark.slow
def test_pages_are_the_same_with_more_workers(
    site: Path, board: Board, tmp_path: Path
) -> None:
    write_site(
        board,
        tmp_path / "site",
        keep=tmp_path / "kept",
        players=lambda looking: LocalPlayers(looking, 2),
    )
    assert content(tmp_path / "site") == content(site)


def test_nothing_is_measured_for_a_page(tmp_path: Path) -> None:
    """No program is run, whatever a track is measured by."""
    board = one_track(
        tmp_path / "board",
        env="mlcompiler/LoopDistribution-v0",
        objective="wall_time",
        programs="loops/split_chain",
        level="O2",
    )
    track = board.track("one")
    [program] = track.load()
    wanted = Wanted(track, program.name, program.sha256.hex(), (1, 1, 1, 1))
    looker = Looking([wanted], board.llvm).make_player()
    # Without inputs it cannot be run.
    assert looker.play(Program(program.name, program.bitcode), 0).steps
    looker.close()


def test_a_board_that_nobody_has_submitted_to_has_pages(tmp_path: Path) -> None:
    board = make_board(tmp_path / "board")
    assert write_site(board, tmp_path / "site") == 4
    text = Page(tmp_path / "site" / "tracks" / "loop.html").text
    assert "No one has submitted anything yet" in text


@pytest.mark.parametrize("ratios", [[1.0], [0.9, 1.2], [0.9999, 1.0], [40.0, 0.01]])
def test_bars_stay_inside(ratios: list[float]) -> None:
    for ratio, bar in zip(ratios, charts.bars(ratios), strict=True):
        assert 0 <= bar.left <= bar.left + bar.width <= 100
        assert bar.better == (ratio < 1)


def standing(compiles: float | None, ratio: float = 0.9) -> Standing:
    return Standing(
        1,
        "a",
        "A",
        ratio,
        (ratio - 0.1, ratio + 0.1),
        ratio,
        0.0,
        "p",
        ratio,
        compiles,
        None,
        None,
        None,
    )


@pytest.mark.parametrize("alike", [1, 2, 13])
def test_submissions_of_as_many_compiles_are_side_by_side(alike: int) -> None:
    curve = charts.budget_curve(
        {
            "search-10": [standing(10, 0.8 + place / 100) for place in range(alike)],
            "search-1000": [standing(1000)],
            "open": [standing(1)],
        }
    )
    assert curve is not None
    places = [mark.x for mark in curve.marks]
    assert sorted(set(places)) == places
    assert len(places) == alike + 2
    ticks = {text: x for x, text in curve.x_ticks}
    assert places[0] == ticks["1"]
    assert places[-1] == ticks["1000"]
    # They lie about their number, nearer to it than to another.
    middle = places[1:-1]
    assert sum(middle) / len(middle) == pytest.approx(ticks["10"], abs=0.1)
    assert max(abs(x - ticks["10"]) for x in middle) < (ticks["100"] - ticks["10"]) / 3
    for mark in curve.marks:
        assert mark.high < mark.y < mark.low
    # Nothing is better than the first with ten compiles.
    marks = [curve.marks[0], curve.marks[1]]
    assert curve.best == tuple((mark.x, mark.y) for mark in marks)


@pytest.mark.parametrize("compiles", [[], [None], [1, 1], [None, 1]])
def test_there_is_no_curve_of_no_search(compiles: list[float | None]) -> None:
    assert charts.budget_curve({"open": [standing(each) for each in compiles]}) is None


@pytest.fixture(scope="module")
def browser(site: Path) -> Iterator[Any]:
    with chromium() as driver:
        yield driver


def column(browser: Any, number: int) -> list[str]:
    """Visible cells of a column of the standings."""
    cells = browser.find_elements("css selector", "#standings tbody tr")
    return [
        row.find_elements("css selector", "td, th")[number].text
        for row in cells
        if row.is_displayed()
    ]


def open_page(browser: Any, site: Path, name: str) -> None:
    browser.get(f"file://{site}/{name}")


def in_order(heading: Any, order: str, browser: Any) -> bool:
    """Whether a click has had its effect, which it has a moment later."""
    ratios = list(map(float, column(browser, 3)))
    return heading.get_attribute("aria-sort") == order and ratios == sorted(
        ratios, reverse=order == "descending"
    )


@pytest.mark.slow
def test_standings_are_sorted_and_filtered(browser: Any, site: Path) -> None:
    from selenium.webdriver import Keys
    from selenium.webdriver.support.ui import Select, WebDriverWait

    open_page(browser, site, "tracks/loop.html")
    [button] = [
        each
        for each in browser.find_elements("css selector", "#standings thead button")
        if each.text.startswith("Ratio")
    ]
    heading = button.find_element("xpath", "..")
    ratios = sorted(map(float, column(browser, 3)))
    for order, expected in (("ascending", ratios), ("descending", ratios[::-1])):
        # As from the keyboard.
        button.send_keys(Keys.ENTER)
        WebDriverWait(browser, 10).until(partial(in_order, heading, order))
        assert list(map(float, column(browser, 3))) == expected
    chosen = Select(browser.find_element("id", "class"))
    chosen.select_by_visible_text("search-10")
    assert column(browser, 0) == ["search-10"] * 2
    assert browser.find_element("id", "shown").text == "2 of 3 submissions"
    chosen.select_by_visible_text("all")
    assert len(column(browser, 0)) == 3


@pytest.mark.slow
def test_decisions_are_stepped_through(browser: Any, site: Path) -> None:
    from selenium.webdriver import Keys

    open_page(browser, site, "programs/loop/loops--split_chain.html")

    def shown() -> list[str]:
        steps = browser.find_elements("css selector", ".step")
        return [step.get_attribute("id") for step in steps if step.is_displayed()]

    back, forth = browser.find_elements("css selector", ".controls button")
    assert shown() == ["step-1"]
    forth.click()
    assert shown() == ["step-2"]
    forth.send_keys(Keys.ARROW_RIGHT)
    assert shown() == ["step-3"]
    back.click()
    assert shown() == ["step-2"]
    place = browser.find_element("css selector", "[data-place]")
    assert place.text == "2 of 4"


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
def test_everybody_can_read_it(site: Path, dark: bool, width: int) -> None:
    """By axe's rules, in both colours and on a phone; and the console is empty."""
    from axe_selenium_python import Axe

    with chromium(width, 844, dark) as browser:
        for path in sorted(site.rglob("*.html")):
            browser.get(f"file://{path}")
            assert browser.get_log("browser") == []
            wide = browser.execute_script(
                "return document.documentElement.scrollWidth - innerWidth"
            )
            assert wide <= 0, path
            axe = Axe(browser)
            axe.inject()
            found = axe.run()
            assert found["passes"]
            assert found["violations"] == [], json.dumps(found["violations"], indent=1)


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
def test_our_board_fits_a_window(tmp_path: Path, width: int) -> None:
    """With all columns, and with programs of long names."""
    ours = Board.load(OURS)
    write_site(ours, tmp_path / "site", decisions=False)
    long = max(ours.track("eviction-score-pypi").hashes(), key=len)
    with chromium(width, 844) as browser:
        for name in (
            "index.html",
            "tracks/eviction-score-kernels.html",
            "tracks/eviction-score-pypi.html",
            "submissions/eviction-score-pypi-reference-policy.html",
            f"programs/eviction-score-pypi/{long.replace('/', '--')}.html",
        ):
            open_page(browser, tmp_path / "site", name)
            for element in ("document.documentElement", *TABLES[width > 600]):
                wide = browser.execute_script(
                    f"return {element}.scrollWidth - {element}.clientWidth"
                )
                assert wide <= 0, (name, element)
            # In a table that is scrolled, there is room beside the names of its rows,
            # which stay in view with their heading.
            browser.execute_script("document.querySelector('.scroll').scrollLeft = 999")
            boxes = browser.execute_script(
                "return [...document.querySelectorAll('tbody th, th.name')]"
                ".map((each) => each.getBoundingClientRect().toJSON())"
            )
            assert max(each["width"] for each in boxes) < width / 2
            assert min(each["x"] for each in boxes) >= 0
