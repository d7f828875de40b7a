"""Labels taken back in a dataset that has a ledger."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

from ..errors import DatasetError
from ..files import refuse_sources_inside
from .ledger import LEDGER_FILE, Ledger
from .manifest import Dataset, write_dataset


def write_undone(folder: Path, samples: Collection[str] | None, out: Path, force: bool = False) -> None:
    """Write a pseudo-labelled dataset anew, in which some faces (None for all) are unlabelled again.

    A dataset is known by the hash of its content, so the one in ``folder`` stays as it is.  Images and paths are the
    same in both; the new ledger is the old one and the undoing.

    Raises:
        DatasetError: a sample has no label in the ledger.
        InputError: ``out`` holds ``folder``.
        OutputExistsError: ``out`` is taken and ``force`` is not set.
    """
    refuse_sources_inside(out, [folder])
    dataset = Dataset(folder)
    with write_dataset(out, dataset.info, force) as writer:
        shutil.copyfile(folder / LEDGER_FILE, writer.folder / LEDGER_FILE)
        ledger = Ledger(writer.folder / LEDGER_FILE)
        ledger.undo(samples)
        undone = ledger.undone()
        for row, path in enumerate(dataset.paths):
            labels = dataset.labels(row) | ({"emotion": "", "votes": ()} if path in undone else {})
            copied = writer.add_copy(dataset, row, **labels)
            if copied != path:
                raise DatasetError(f"{folder} was not written by 'fermobile pseudo-label': {path} would be {copied}")
