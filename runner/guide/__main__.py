"""`python -m runner.guide`: record the ladders that are missing, then make the pages from what was recorded.

With `--calls` the calls of docs/c-and-python.md are recorded anew as well, with strace(1). With `--pictures` those
pictures are made that show the report page, with a browser, and nothing else.
"""

from __future__ import annotations

import sys

from runner.guide import calls, ladders, pictures, scenarios


def main() -> None:
    """Bring docs/recorded and the pages that show it up to date, telling what was played."""
    if "--pictures" in sys.argv[1:]:
        for line in pictures.make():
            print(line, flush=True)
        return
    for line in ladders.record():
        print(line, flush=True)
    if "--calls" in sys.argv[1:]:
        calls.write(calls.record())
    scenarios.PAGE.write_text(scenarios.page(), encoding="utf-8")
    calls.PAGE.write_text(calls.page(), encoding="utf-8")


if __name__ == "__main__":
    main()
