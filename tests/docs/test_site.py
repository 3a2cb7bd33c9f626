"""The site is built from the pages as they are: no link is dead, no anchor, no page is forgotten."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.snippets import ROOT, pages

pytestmark = pytest.mark.slow


def build(root: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """What `make site` does, for the pages below `root`."""
    words = ["-q", "-W", "--keep-going", "-c", "docs", "-d", str(site.parent / "trees"), ".", str(site)]
    command = [sys.executable, "-m", "sphinx", *words]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("site") / "site"
    done = build(ROOT, made)
    assert done.returncode == 0, done.stderr
    return made


def test_every_page_is_there_and_can_be_reached(site: Path) -> None:
    index = (site / "docs" / "index.html").read_text()
    for page in pages():
        path = page.relative_to(ROOT).with_suffix(".html")
        if "recorded" in path.parts:
            continue
        assert (site / path).is_file()
        target = str(path.relative_to("docs")) if path.parts[0] == "docs" else f"../{path}"
        assert target == "index.html" or f'href="{target}"' in index, f"{page} is not in the navigation"


def test_a_page_leads_to_its_other_language(site: Path) -> None:
    english = sorted((site / "docs" / "tutorial").glob("*.html"))
    assert len(english) > 10
    for page in english:
        chinese = site / "docs" / "zh" / "tutorial" / page.name
        assert f'href="../zh/tutorial/{page.name}" lang="zh-CN"' in page.read_text(encoding="utf-8")
        text = chinese.read_text(encoding="utf-8")
        assert '<html class="no-js" lang="zh-CN"' in text
        assert f'href="../../tutorial/{page.name}" lang="en"' in text


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    """Scripts, styles, fonts and pictures lie beside the pages: it is read without a network too."""
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        for word in ('src="http', "src='http", 'src="//', "@import", 'rel="stylesheet" href="http'):
            assert word not in text, f"{page}: {word}"


def test_every_picture_is_there(site: Path) -> None:
    named = [
        (page.parent / name).resolve()
        for page in site.rglob("*.html")
        for name in re.findall(r'(?:src|srcset)="([^":]+\.png)"', page.read_text(encoding="utf-8"))
    ]
    assert len(named) > 10, "README has two, the page about the report ten"
    assert [one for one in named if not one.is_file()] == []


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("[gone](nowhere.md)", "nowhere.md"),
        ("[gone](engines.md#no-such-heading)", "no-such-heading"),
        ("[gone](../scenarios/no_such.yaml)", "no_such.yaml"),
    ],
)
def test_a_dead_link_is_an_error(tmp_path: Path, link: str, said: str) -> None:
    (tmp_path / "docs").mkdir()
    for name in ("static", "front"):
        shutil.copytree(ROOT / "docs" / name, tmp_path / "docs" / name)
    shutil.copy(ROOT / "docs" / "conf.py", tmp_path / "docs")
    (tmp_path / "docs" / "engines.md").write_text("# Engines\n\n## A heading\n")
    index = tmp_path / "docs" / "index.md"
    index.write_text("# A\n\n```{toctree}\nengines\n```\n\n[right](engines.md#a-heading)\n")
    right = build(tmp_path, tmp_path / "right")
    assert right.returncode == 0, right.stderr
    index.write_text(index.read_text() + f"\n{link}\n")
    wrong = build(tmp_path, tmp_path / "wrong")
    assert wrong.returncode != 0 and said in wrong.stderr
