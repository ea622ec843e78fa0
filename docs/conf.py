# SPDX-License-Identifier: Apache-2.0
"""How Sphinx builds the documentation site; ``./run docs``."""

from __future__ import annotations

from sphinx.application import Sphinx

import mlcompiler_gym

project = "mlcompiler_gym"
author = "the authors of mlcompiler_gym"
version = release = mlcompiler_gym.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
# A reference to a name that there is none of is an error.
nitpicky = True

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
# Docstrings say types in words, with shapes and units.
napoleon_attr_annotations = False

html_theme = "furo"
html_title = f"mlcompiler_gym {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
html_theme_options = {"navigation_with_keys": True}

copybutton_exclude = ".linenos, .gp, .go"

# Python's own names, and those of libraries, have no pages here.
nitpick_ignore_regex = [
    ("py:.*", r"(collections|gymnasium|numpy|pathlib|typing)\..*"),
]

#: Files beside docs/ that are pages of the site, too. Links to them work in both.
_PAGES = {
    "../CHANGELOG.md": "changelog.md",
    "../CONTRIBUTING.md": "contributing.md",
    "../benchmarks/README.md": "benchmarks.md",
    "../leaderboard/RULES.md": "leaderboard_rules.md",
}


def _link_pages(app: Sphinx, page: str, source: list[str]) -> None:
    for path, linked in _PAGES.items():
        source[0] = source[0].replace(f"]({path}", f"]({linked}")


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _link_pages)
