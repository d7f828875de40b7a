"""The rows of the papers' experiments: one JSON line per finished run, in ``benchmarks/papers/rows/TABLE.jsonl``.

A setting that has its row is not run again, so an experiment that was stopped goes on where it was::

    record = Record("self_cure")
    for setting in settings:
        with record.run(setting, dataset) as figures:
            if figures is not None:  # None: this row is there already
                figures["accuracy"] = train_and_measure(**setting)
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fermobile.data.manifest import Dataset

ROWS = Path(__file__).parent / "rows"


class Record:
    """The rows of one table.

    Args:
        table: its name, which is its file's.
        folder: where the files are.
    """

    def __init__(self, table: str, folder: Path = ROWS) -> None:
        self.path = folder / f"{table}.jsonl"

    def rows(self) -> list[dict[str, Any]]:
        """All rows, in the order in which they were finished; a line that was cut off is left out."""
        found = []
        if self.path.exists():
            for line in self.path.read_text(encoding="utf-8").splitlines():
                with contextlib.suppress(ValueError):
                    found.append(json.loads(line))
        return found

    def find(self, setting: Mapping[str, Any]) -> dict[str, Any] | None:
        """The row of a setting, or None where it has not been run."""
        return next((row for row in self.rows() if row["setting"] == json.loads(json.dumps(dict(setting)))), None)

    @contextlib.contextmanager
    def run(self, setting: Mapping[str, Any], data: Dataset) -> Iterator[dict[str, Any] | None]:
        """Measure one setting: fill the dict that the block is given, and its row is written when the block ends.

        Args:
            setting: what tells this row from the others of the table (method, seed, fold …); plain values.
            data: the dataset that was trained on, recorded by name and hash.
        Yields:
            An empty dict for the figures; None when the row is there already.  A figure "seconds" becomes the row's.
        Raises:
            SystemExit: the row is there, of another dataset.
        """
        there = self.find(setting)
        if there is not None:
            if there["data"]["sha256"] != data.sha256:
                raise SystemExit(
                    f"{self.path}: the row of {dict(setting)} is of other data; remove it, or use its data"
                )
            yield None
            return
        figures: dict[str, Any] = {}
        began = time.monotonic()
        yield figures
        row = {
            "setting": dict(setting),
            "figures": figures,
            # a run that was stopped knows its own time better
            "seconds": round(figures.pop("seconds", time.monotonic() - began), 1),
            "data": {"name": data.info.name, "sha256": data.sha256},
            # paths by their names: where they lie is nobody's business
            "command": shlex.join(Path(word).name if "/" in word else word for word in sys.argv),
            "machine": {"system": platform.machine(), "cores": len(os.sched_getaffinity(0))},
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        cut = self.path.exists() and self.path.read_bytes()[-1:] not in (b"", b"\n")
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(("\n" if cut else "") + json.dumps(row, ensure_ascii=False) + "\n")
