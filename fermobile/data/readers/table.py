"""Label tables (csv), read line by line in bounded memory, with errors that say the file and the line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ...errors import DatasetError
from .lines import Lines


class Table(Lines):
    """A csv file with a header row; columns are found by name, in any order."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        """Open ``path`` and check its header.

        Raises:
            DatasetError: it cannot be read or lacks a column.
        """
        super().__init__(path)
        self.columns = tuple(columns)
        header = next(self.cells(), None)
        if header is None:
            raise DatasetError(f"{path} is empty; it needs the columns {', '.join(columns)}")
        self._header = [name.strip() for name in header]
        missing = [name for name in columns if name not in self._header]
        if missing:
            found = ", ".join(name[:40] for name in self._header[:20])
            raise DatasetError(f"{path}: missing column(s) {', '.join(missing)}; found: {found}")

    def rows(self, advance: Callable[[int], None] = lambda n: None) -> Iterator[list[str]]:
        """Yield each data row's cells in the order of ``columns``; ``advance`` gets the bytes read.

        Raises:
            DatasetError: a row has another number of fields than the header, or the text is broken.
        """
        at = [self._header.index(name) for name in self.columns]
        rows = self.cells(advance)
        next(rows, None)
        for row in rows:
            if len(row) != len(self._header):
                raise DatasetError(
                    f"{self.where}: {len(row)} field(s), expected {len(self._header)}; "
                    "is the file cut off or edited? Get a fresh copy"
                )
            yield [row[i].strip() for i in at]
