"""How the documentation becomes a site: `make site` (Sphinx, MyST for Markdown, the theme furo).

The pages are plain Markdown that reads well in the repository too; the root is the repository, so that links to
scenarios and to the pages beside docs/ are the same in both. Nothing is fetched while it is built or read.
"""

import shutil
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

project = "Socket Lab"
author = "the authors of Socket Lab"
copyright = author
root_doc = "docs/index"
include_patterns = [
    "docs/**.md",
    "docs/**/*.md",
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
]
exclude_patterns = ["docs/recorded/**"]
extensions = ["myst_parser"]
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
nitpicky = True
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "furo"
html_title = "Socket Lab"
html_static_path = ["static"]
html_extra_path = ["front"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
_COLOURS = {
    "color-sidebar-link-text": "var(--color-foreground-secondary)",
    "color-sidebar-link-text--top-level": "var(--color-foreground-primary)",
}
html_theme_options = {
    "navigation_with_keys": True,
    "light_css_variables": _COLOURS | {"color-brand-primary": "#0b5c8a", "color-brand-content": "#0b5c8a"},
    "dark_css_variables": _COLOURS | {"color-brand-primary": "#7cc4ee", "color-brand-content": "#7cc4ee"},
}
templates_path: list[str] = []
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-dark"
highlight_language = "text"

CHINESE = "docs/zh/"


def setup(app: Sphinx) -> None:
    """Connect what the theme does not do by itself."""
    app.connect("html-page-context", _name_the_language)
    app.connect("build-finished", _copy_pictures)


def _name_the_language(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: object) -> None:
    """Each page says which language it is in, and leads to the same page in the other one."""
    if page.startswith(CHINESE):
        context["language"] = "zh-CN"
        other, words = "docs/" + page.removeprefix(CHINESE), 'lang="en">English'
    else:
        other, words = CHINESE + page.removeprefix("docs/"), 'lang="zh-CN">中文'
    if other in app.env.found_docs and "body" in context:
        link = f'<a class="language" href="{context["pathto"](other)}" {words}</a>'
        context["body"] = link + context["body"]


def _copy_pictures(app: Sphinx, problem: Exception | None) -> None:
    """Pages name their pictures in HTML, one for light and one for dark, and Sphinx copies none of those."""
    pictures = Path(app.srcdir, "docs", "pictures")
    if problem is None and pictures.is_dir():
        shutil.copytree(pictures, Path(app.outdir, "docs", "pictures"), dirs_exist_ok=True)
