"""`python -m runner.guide`: record what is missing, then make the pages from what was recorded."""

from __future__ import annotations

from runner.guide import ladders, scenarios


def main() -> None:
    """Bring docs/recorded and the pages that show it up to date, telling what was played."""
    for line in ladders.record():
        print(line, flush=True)
    scenarios.PAGE.write_text(scenarios.page(), encoding="utf-8")


if __name__ == "__main__":
    main()
