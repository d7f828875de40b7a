"""Every change of a label, in a csv file that is only ever appended to: who can say why a sample is called what it is.

::

    relabels.csv      sample,epoch,step,from,to,margin,undo

A row is one change, in the order in which they were made.  ``sample`` is the path in the dataset's samples.csv;
``epoch`` and ``step`` are the position in the training at which it was made; ``from`` is empty where the sample had
no label (a pseudo-label); ``margin`` says how sure the model was (what it means is said where it is recorded).
Undoing a sample's changes is a row of its own, ``undo`` = 1, with neither position nor margin.  An undone sample has
its first label for good: rows that follow its undo do not count, so a training that does not know of it does no harm.
"""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import DatasetError
from ..files import write_text

#: The ledger's name in a run folder or a dataset folder.
LEDGER_FILE = "relabels.csv"

_HEADER = ("sample", "epoch", "step", "from", "to", "margin", "undo")


@dataclass(frozen=True)
class Change:
    """One change of a label.

    Attributes:
        sample: its path in the dataset.
        epoch, step: where in the training.
        before, after: names of labels; ``before`` is "" where there was none.
        margin: how sure the model was.
        undone: whether it counts no longer.
    """

    sample: str
    epoch: int
    step: int
    before: str
    after: str
    margin: float
    undone: bool = False


class Ledger:
    """The ledger in the file ``path``, which need not exist yet.

    Raises:
        DatasetError: the file is not a ledger; a last line that a crash cut off is no error.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._changes: list[Change] = []
        self._undone: set[str] = set()
        self._whole, self._cut = 0, False  # bytes of the file that are whole lines; whether a crash left more
        self._read()

    def record(
        self,
        epoch: int,
        step: int,
        samples: Sequence[str],
        before: Sequence[str],
        after: Sequence[str],
        margins: Sequence[float],
    ) -> None:
        """Append one row per sample: its label was ``before`` and is ``after``.

        Raises:
            ValueError: a sample was undone, so is not to be changed.
        """
        forbidden = self._undone.intersection(samples)
        if forbidden:
            raise ValueError(f"{sorted(forbidden)[0]} was undone and is not to be changed again")
        made = [
            Change(sample, epoch, step, old, new, round(float(margin), 6))
            for sample, old, new, margin in zip(samples, before, after, margins, strict=True)
        ]
        self._append([_row(change) for change in made])
        self._changes += made

    def rewind(self, epoch: int, step: int) -> None:
        """Forget the changes made at this position or after it, as a training that resumes there makes them again.

        Undone samples stay undone: that was decided by a person, at no position of the training.
        """
        kept = [change for change in self._changes if (change.epoch, change.step) < (epoch, step)]
        if len(kept) == len(self._changes):
            return
        self._changes = kept
        text = _text([_HEADER, *map(_row, kept), *self._undo_rows(sorted(self._undone))])
        write_text(self.path, text)
        self._whole, self._cut = len(text.encode()), False

    def undo(self, samples: Collection[str] | None = None) -> int:
        """Give samples (None for every changed one) their first label back for good; returns how many it was.

        Raises:
            DatasetError: a sample was never changed.
        """
        changed = dict.fromkeys(change.sample for change in self._changes)
        chosen = changed if samples is None else dict.fromkeys(samples)
        unknown = [sample for sample in chosen if sample not in changed]
        if unknown:
            known = ", ".join(list(changed)[:3]) or "none"
            raise DatasetError(f"{self.path} has no change of {unknown[0]!r}; samples that it changed: {known} …")
        new = [sample for sample in chosen if sample not in self._undone]
        self._append(self._undo_rows(new))
        self._undone.update(new)
        return len(new)

    def labels(self) -> dict[str, str]:
        """The label that each changed sample has now, without those undone."""
        return {change.sample: change.after for change in self._changes if change.sample not in self._undone}

    def undone(self) -> set[str]:
        """Samples that have their first label for good."""
        return set(self._undone)

    def changes(self) -> list[Change]:
        """Every change, in the order in which they were made, undone or not."""
        return [dataclasses.replace(change, undone=change.sample in self._undone) for change in self._changes]

    def _undo_rows(self, samples: Sequence[str]) -> list[tuple[str, ...]]:
        """Rows that give samples their first label back; one whose changes were forgotten has no labels to name."""
        now = {change.sample: change.after for change in self._changes}
        first = {change.sample: change.before for change in reversed(self._changes)}
        return [(sample, "", "", now.get(sample, ""), first.get(sample, ""), "", "1") for sample in samples]

    def _append(self, rows: Sequence[tuple[str, ...]]) -> None:
        if not rows:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = _text(rows if self._whole else [_HEADER, *rows])
        with self.path.open("ab") as stream:
            if self._cut:  # only then: another process may have appended what is not known here
                stream.truncate(self._whole)
            stream.write(text.encode())
        self._whole, self._cut = self._whole + len(text.encode()), False

    def _read(self) -> None:
        if not self.path.exists():
            return
        for where, row in self._rows():
            sample, epoch, step, before, after, margin, undo = row
            if undo:
                self._undone.add(sample)
            elif sample not in self._undone:
                try:
                    self._changes.append(Change(sample, int(epoch), int(step), before, after, float(margin)))
                except ValueError:
                    raise DatasetError(f"{where}: epoch, step or margin is not a number") from None

    def _rows(self) -> Iterator[tuple[str, list[str]]]:
        """Each whole line's cells and where it is."""
        try:
            data = self.path.read_bytes()
            self._whole = data.rfind(b"\n") + 1
            self._cut = self._whole < len(data)
            rows = csv.reader(io.StringIO(data[: self._whole].decode(), newline=""))
            for row in rows:
                where = f"{self.path}, line {rows.line_num}"
                if rows.line_num == 1:
                    if tuple(row) != _HEADER:
                        raise DatasetError(f"{where}: not a ledger, whose columns are {','.join(_HEADER)}")
                elif len(row) != len(_HEADER):
                    raise DatasetError(f"{where}: {len(row)} fields, expected {len(_HEADER)}")
                else:
                    yield where, row
        except OSError as error:
            raise DatasetError(f"{self.path} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise DatasetError(f"{self.path} is not UTF-8 text") from None
        except csv.Error as error:
            raise DatasetError(f"{self.path} is not valid csv: {error}") from None


def _row(change: Change) -> tuple[str, ...]:
    return (
        change.sample, str(change.epoch), str(change.step), change.before, change.after, f"{change.margin:.6g}", "",
    )  # fmt: skip


def _text(rows: Sequence[tuple[str, ...]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
