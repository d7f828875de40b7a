"""Label tables (csv), read line by line in bounded memory, with errors that say the file and the line."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ...errors import DatasetError

#: A longer line is no label table; the limit keeps a file without line ends out of memory.
_LONGEST_LINE = 1 << 20


class Table:
    """A csv file with a header row; columns are found by name, in any order.

    Attributes:
        path: the file.
        line: the line that was read last, from 1.
        cut: that line has no line end, as the last line of a file that was cut off.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        """Open ``path`` and check its header.

        Raises:
            DatasetError: it cannot be read or lacks a column.
        """
        self.path, self.columns, self.line, self.cut = path, tuple(columns), 0, False
        header = next(self._rows(lambda n: None), None)
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
        rows = self._rows(advance)
        next(rows, None)
        for row in rows:
            if len(row) != len(self._header):
                raise DatasetError(
                    f"{self.where}: {len(row)} field(s), expected {len(self._header)}; "
                    "is the file cut off or edited? Get a fresh copy"
                )
            yield [row[i].strip() for i in at]

    @property
    def where(self) -> str:
        """File and line of the row in hand."""
        return f"{self.path}, line {self.line}"

    def _rows(self, advance: Callable[[int], None]) -> Iterator[list[str]]:
        self.line = 0
        try:
            for row in csv.reader(self._lines(advance), strict=True):
                if row:
                    yield row
        except csv.Error as error:
            raise DatasetError(f"{self.where}: not valid csv ({error}); get a fresh copy of the file") from None
        except UnicodeDecodeError:
            raise DatasetError(f"{self.where}: not UTF-8 text; save the file as UTF-8") from None
        except OSError as error:
            raise DatasetError(f"{self.path} cannot be read: {error.strerror}") from None

    def _lines(self, advance: Callable[[int], None]) -> Iterator[str]:
        with self.path.open("rb") as stream:
            while data := stream.readline(_LONGEST_LINE):
                self.line += 1
                self.cut = not data.endswith(b"\n")
                if len(data) == _LONGEST_LINE:
                    raise DatasetError(f"{self.where}: longer than {_LONGEST_LINE:,} bytes; this is not a label table")
                advance(len(data))
                yield data.decode("utf-8-sig" if self.line == 1 else "utf-8")
