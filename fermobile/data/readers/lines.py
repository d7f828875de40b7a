"""Text files of labels, read line by line in bounded memory, with errors that say the file and the line."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

from ...errors import DatasetError

#: A longer line is no list of labels; the limit keeps a file without line ends out of memory.
_LONGEST_LINE = 1 << 20


class Lines:
    """A text file of labels.

    Attributes:
        path: the file.
        line: the line that was read last, from 1.
        cut: that line has no line end, as the last line of a file that was cut off.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.line, self.cut = path, 0, False

    @property
    def where(self) -> str:
        """File and line of the line in hand."""
        return f"{self.path}, line {self.line}"

    def words(self, advance: Callable[[int], None] = lambda n: None) -> Iterator[list[str]]:
        """Yield the words of each line that has some; ``advance`` gets the bytes read.

        Raises:
            DatasetError: the file cannot be read or is not UTF-8 text.
        """
        return filter(None, (text.split() for text in self.text(advance)))

    def cells(self, advance: Callable[[int], None] = lambda n: None) -> Iterator[list[str]]:
        """Yield the cells of each csv row that has some; as for :meth:`words`.

        Raises:
            DatasetError: also when it is not valid csv.
        """
        try:
            yield from filter(None, csv.reader(self.text(advance), strict=True))
        except csv.Error as error:
            raise DatasetError(f"{self.where}: not valid csv ({error}); get a fresh copy of the file") from None

    def text(self, advance: Callable[[int], None]) -> Iterator[str]:
        """Yield each line with its end; as for :meth:`words`."""
        self.line = 0
        try:
            with self.path.open("rb") as stream:
                while data := stream.readline(_LONGEST_LINE):
                    self.line += 1
                    self.cut = not data.endswith(b"\n")
                    if len(data) == _LONGEST_LINE:
                        raise DatasetError(
                            f"{self.where}: longer than {_LONGEST_LINE:,} bytes; this is not a label table"
                        )
                    advance(len(data))
                    yield data.decode("utf-8-sig" if self.line == 1 else "utf-8")
        except UnicodeDecodeError:
            raise DatasetError(f"{self.where}: not UTF-8 text; save the file as UTF-8") from None
        except OSError as error:
            raise DatasetError(f"{self.path} cannot be read: {error.strerror}") from None
