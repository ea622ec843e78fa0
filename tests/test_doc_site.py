# SPDX-License-Identifier: Apache-2.0
"""The documentation site builds without a warning."""

from __future__ import annotations

import html
import html.parser
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

# Under other work it takes its time.
pytestmark = pytest.mark.timeout(900)

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, as `./run docs` builds it."""
    built = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going"]
    done = subprocess.run(
        [*command, "-d", built / "doctrees", ROOT / "docs", built / "html"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return built / "html"


class Page(html.parser.HTMLParser):
    """What a page links to, and what can be linked to in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors = {""}
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.links.append(value)
            if name == "id" and value:
                self.anchors.add(value)


def test_every_link_within_the_site_leads_somewhere(site: Path) -> None:
    pages = {path: Page(path) for path in site.rglob("*.html")}
    assert len(pages) > 40
    broken = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = path
            if parts.path:
                target = (path.parent / unquote(parts.path)).resolve()
            if not target.exists() or (
                target in pages and unquote(parts.fragment) not in pages[target].anchors
            ):
                broken.append(f"{path.relative_to(site)}: {link}")
    assert broken == []


def test_every_page_has_its_own_text(site: Path) -> None:
    """Sphinx has pages of its own, such as search.html, which would take its place."""
    folder = ROOT / "docs"
    sources = [p for p in folder.rglob("*.md") if "```{include}" not in p.read_text()]
    assert len(sources) > 30
    for source in sources:
        title = re.search(r"^# (.+)$", source.read_text(), re.MULTILINE)
        assert title is not None, source
        built = (site / source.relative_to(folder).with_suffix(".html")).read_text()
        shown = re.search(r"<h1>(.*?)<a class=.headerlink", built, re.DOTALL)
        assert shown is not None, source
        plain = html.unescape(re.sub(r"<[^>]*>", "", shown[1]))
        assert plain == re.sub(r"[`*]", "", title[1]), source


def test_pages_have_what_they_include(site: Path) -> None:
    text = (site / "api/environments.html").read_text()
    assert "Compile a program" in text or "Begin the compile" in text
    assert "RLlib" in (site / "recipes/rllib.html").read_text()
    assert "Unreleased" in (site / "changelog.html").read_text()
    assert "callsite_cost" in (site / "inlining.html").read_text()
