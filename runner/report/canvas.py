"""One line of a picture: cells of a terminal, each with a character and a meaning.

Text is put at columns and may overwrite what is there; wide characters take two cells and are never cut.
"""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter

from runner.report import text
from runner.report.paper import Paper, Style


class Row:
    """Cells from column 0. What would stand outside is left out."""

    def __init__(self, width: int) -> None:
        self._cells: list[tuple[str, Style]] = [(" ", "plain")] * width

    def put(self, column: int, written: str, style: Style = "plain") -> None:
        """Write printable text from a column on; marks of no width join the one before."""
        for character in written:
            size = text.cells(character)
            if size == 0:
                self._join(column - 1, character)
                continue
            for cell in range(column, column + size):
                self._clear(cell)
            if column >= 0 and column + size <= len(self._cells):
                self._cells[column] = (character, style)
                if size == 2:
                    self._cells[column + 1] = ("", style)
            column += size

    def put_before(self, column: int, written: str, style: Style = "plain") -> None:
        """Write printable text so that it ends before a column."""
        self.put(column - text.width(written), written, style)

    def _join(self, column: int, mark: str) -> None:
        while column > 0 and self._cells[column : column + 1] and not self._cells[column][0]:
            column -= 1
        if 0 <= column < len(self._cells):
            before, style = self._cells[column]
            self._cells[column] = (before + mark, style)

    def _clear(self, column: int) -> None:
        """Empty a cell, and the other half of the wide character that it belongs to."""
        if not 0 <= column < len(self._cells):
            return
        if not self._cells[column][0] and column > 0:
            self._cells[column - 1] = (" ", "plain")
        if column + 1 < len(self._cells) and not self._cells[column + 1][0]:
            self._cells[column + 1] = (" ", "plain")
        self._cells[column] = (" ", "plain")

    def render(self, paper: Paper) -> str:
        """The line with its colours, without blanks at its end."""
        cells = self._cells[:]
        while cells and cells[-1][0] == " ":
            cells.pop()
        return "".join(
            paper.styled("".join(map(itemgetter(0), run)), style)
            for style, run in groupby(cells, key=itemgetter(1))
        )
