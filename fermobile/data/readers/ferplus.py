"""FER+ (Barsoum et al. 2016): ten annotators' votes on the FER2013 faces.

Protocol, as in the authors' code: a single vote counts as an outlier and becomes 0; a face whose likeliest
column is "unknown" or "NF" (no face) is left out.  A face has a *majority* emotion when its likeliest column
holds more than half of the remaining votes; the others keep an empty emotion, and their votes as a soft label.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypedDict

from ...contract import CropSpec
from ...errors import DatasetError
from ...labels import EMOTIONS
from . import fer2013
from .base import Drop, Face, Reject
from .table import Table

#: The format's vote columns that are emotions; two more follow.
VOTE_COLUMNS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
COLUMNS = ("Usage", "Image name", *VOTE_COLUMNS, "unknown", "NF")

#: Rows over which the two files are compared, and the fewest of a last, shorter block that tell anything.
_BLOCK, _LEAST = 500, 200
#: FER2013's own label is the emotion with most votes on 57 to 68 % of every such block of 32,137 rows of Training and
#: PublicTest, and on 14 to 21 % where the files are shifted by a row.
_AGREEING = 0.4
_OWN_LABEL = {str(number): emotion for number, emotion in enumerate(fer2013.EMOTION_ORDER)}


class VotedFaces:
    """What FER+ is, in whichever form it lies."""

    name = "ferplus"
    licence = f"{fer2013.LICENCE}; FER+ labels: MIT (Microsoft)"
    citation = f"Barsoum et al. 2016, arXiv:1608.01041, on {fer2013.CITATION}"
    vote_emotions = EMOTIONS
    action_units: tuple[str, ...] = ()
    crop: CropSpec | None = fer2013.CROP
    unit = "bytes"


class FerPlus(VotedFaces):
    """Reader of ``fer2013.csv`` (pixels) with ``fer2013new.csv`` (votes), row by row."""

    def __init__(self, path: Path) -> None:
        """Open the folder ``path`` that holds both files.

        Raises:
            DatasetError: a file is missing or lacks a column.
        """
        if path.is_file():
            raise DatasetError(f"{path} is a file; give the folder that holds fer2013.csv and fer2013new.csv")
        self._faces = Table(fer2013.find_file(path, "fer2013.csv"), fer2013.COLUMNS)
        self._votes = Table(fer2013.find_file(path, "fer2013new.csv"), COLUMNS)
        self.sources: tuple[Path, ...] = (self._faces.path, self._votes.path)
        self.total = self._faces.path.stat().st_size

    def read(self, advance: Callable[[int], None]) -> Iterator[Face | Reject | Drop]:
        """Yield the faces in file order; see :class:`fermobile.data.readers.base.Reader`."""
        faces, votes = self._faces.rows(advance), self._votes.rows()
        agreement = _Agreement(self._faces, self._votes)
        count = 0
        for own, pixels, usage in faces:
            row = next(votes, None)
            if row is None:
                raise self._unequal(count + 1 + sum(1 for _ in faces), count)
            count += 1
            split = fer2013.split_of(usage, self._faces.where)
            if row[0] != usage:
                raise DatasetError(
                    f"{self._faces.where} says Usage {usage} but {self._votes.where} says {row[0][:40]!r}: "
                    "the two files are not row by row the same faces; get both as distributed"
                )
            agreement.add(own, row[2:])
            yield self._face(pixels, split, row)
        left = sum(1 for _ in votes)
        if left:
            raise self._unequal(count, count + left)
        agreement.finish()

    def _face(self, pixels: str, split: str, row: list[str]) -> Face | Reject | Drop:
        if not row[1]:
            return Drop("no face (empty image name)")
        try:
            label = parse_label(row[2:])
        except ValueError as error:
            return Reject(self._votes.where, str(error))
        if isinstance(label, Drop):
            return label
        try:
            image = fer2013.read_pixels(self._faces, pixels)
        except ValueError as error:
            return Reject(self._faces.where, str(error))
        return Face(self._faces.where, image, split, **label)

    def _unequal(self, faces: int, votes: int) -> DatasetError:
        return DatasetError(
            f"{self._faces.path} has {faces} rows and {self._votes.path} has {votes}: they must be row by row "
            "the same faces; get both as distributed"
        )


class _Agreement:
    """Whether the files are row by row the same faces, seen in FER2013's own labels.

    A row that is missing from each within one Usage, or one file in another order, leaves the counts equal and gives
    every later face the votes of another.
    """

    def __init__(self, faces: Table, votes: Table) -> None:
        self._faces, self._votes = faces, votes
        self._start = self._rows = self._equal = 0

    def add(self, own: str, cells: list[str]) -> None:
        """Count the row in hand, unless its label or votes say nothing.

        Raises:
            DatasetError: it completes a block that agrees too seldom.
        """
        try:
            votes = [int(cell) for cell in cells[: len(VOTE_COLUMNS)]]
        except ValueError:
            return
        if own not in _OWN_LABEL or not any(votes):
            return
        self._start = self._start or self._faces.line
        self._rows += 1
        self._equal += _OWN_LABEL[own] == VOTE_COLUMNS[votes.index(max(votes))]
        if self._rows == _BLOCK:
            self._judge()

    def finish(self) -> None:
        """Judge the last rows.

        Raises:
            DatasetError: as for :meth:`add`.
        """
        if self._rows >= _LEAST:
            self._judge()

    def _judge(self) -> None:
        share = self._equal / self._rows
        if share < _AGREEING:
            raise DatasetError(
                f"{self._faces.path}, lines {self._start} to {self._faces.line}: only {share:.0%} of the labels are "
                f"the emotion with most votes in {self._votes.where} and before, which is about 63 % as distributed: "
                "the two files are not row by row the same faces; get both as distributed"
            )
        self._start = self._rows = self._equal = 0


class Label(TypedDict):
    """What the votes on a face give, as :class:`.base.Face` has it."""

    stratum: str
    emotion: str
    votes: tuple[float, ...]


def parse_label(cells: list[str]) -> Label | Drop:
    """What ten cells of votes give by the protocol.

    Raises:
        ValueError: a cell is no whole number; names the column.
    """
    votes = []
    for name, cell in zip(COLUMNS[2:], cells, strict=True):
        if not (cell.isascii() and cell.isdigit() and len(cell) < 4):
            raise ValueError(f"column {name}: {cell[:20]!r} is not a number of votes")
        votes.append(0 if int(cell) == 1 else int(cell))
    best = max(range(len(votes)), key=votes.__getitem__)
    if votes[best] == 0:
        return Drop("no two annotators agree")
    if best >= len(VOTE_COLUMNS):
        return Drop(f"annotated as {COLUMNS[2 + best]}")
    likeliest = VOTE_COLUMNS[best]
    by_name = dict(zip(VOTE_COLUMNS, votes, strict=False))
    return Label(
        stratum=likeliest,
        emotion=likeliest if 2 * votes[best] > sum(votes) else "",
        votes=tuple(float(by_name[name]) for name in EMOTIONS),
    )
