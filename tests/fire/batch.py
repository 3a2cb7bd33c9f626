"""Many command lines in one process: `python -m tests.fire.batch COMMAND FOLDER` tells how each file was taken.

A line of JSON for each file of the folder: its name, the exit code (or the exception that got out), seconds of
processor time, what was said first, and the most memory that this process had so far. So a thousand files take seconds.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
import traceback
from pathlib import Path

from runner import cli
from tests.fire.weighed import peak_bytes


def main(words: list[str], folder: Path) -> None:
    """Take every file of the folder, in the order of names."""
    for path in sorted(folder.iterdir()):
        said = io.StringIO()
        began = time.process_time()
        code: int | str
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            try:
                code = cli.main([*words, str(path)])
            except BaseException:
                code = traceback.format_exc()
        text = said.getvalue()
        told = {
            "name": path.name,
            "code": code,
            "seconds": time.process_time() - began,
            "said": text[:2000],
            "escapes": "\x1b" in text,
            "peak": peak_bytes(),
        }
        print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1:-1], Path(sys.argv[-1]))
