"""A run as one HTML file: `report.html`, which needs nothing but a browser and the capture beside it.

What the page is told is `told`; this module makes the file. The data is JSON that no parser of HTML can mistake for
markup, the page's own style and script are allowed by their hashes (Content Security Policy Level 3), and nothing else
is: no other script, no address.
"""

from __future__ import annotations

import base64
import hashlib
import json
from importlib import resources
from pathlib import Path
from typing import Any

from runner import files, rundir
from runner.evidence import Evidence
from runner.judge import Judgement
from runner.report.page.told import told

SCRIPTS = ("scale.js", "items.js", "columns.js", "parts.js", "ladder.js", "details.js", "page.js")
"""In this order: each uses what stands before it."""
_DANGEROUS = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
"""What could end a script element, begin a comment in one, or end a line of JavaScript."""


def write(folder: Path, seen: Evidence, judgement: Judgement, about: str) -> Path:
    """Write the page of a run into its directory; returns its path. `about` is what the scenario says of itself.

    Raises OSError where it cannot be written.
    """
    path = folder / rundir.SCENARIO
    source = files.read_text(path) if path.exists() else ""
    report = folder / rundir.REPORT
    files.write_text(report, written(told(seen, judgement, folder, about, source)))
    return report


def written(data: dict[str, Any]) -> str:
    """The page that shows this data."""
    import jinja2

    style = _text("page.css")
    script = "\n".join(_text(name) for name in SCRIPTS)
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(_text("page.html")).render(
        title=f"{data['name']}: {data['verdict']}",
        style=style,
        script=script,
        data=harmless(json.dumps(data, ensure_ascii=True, separators=(",", ":"))),
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def harmless(text: str) -> str:
    """JSON in which no parser of HTML sees markup; it means the same."""
    for one, written_as in _DANGEROUS.items():
        text = text.replace(one, written_as)
    return text


def _text(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """A source of a Content Security Policy: the hash of what stands between the tags."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
