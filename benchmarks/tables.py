"""A Markdown table of benchmark rows.

    .venv/bin/python benchmarks/tables.py benchmarks/peers.jsonl
    .venv/bin/python benchmarks/tables.py benchmarks/peers.jsonl --into benchmarks/README.md

The second replaces what stands between ``<!-- table: peers.jsonl -->`` and ``<!-- end of table -->``; the name is the
rows file's, seen from the document.  The latest row of each leg counts.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from fermobile.bench.comparison import latest
from fermobile.bench.rows import OK, Row
from fermobile.errors import FermobileError, InputError
from fermobile.files import write_bytes

_HEADER = ("file", "kind", "MB", "leg", "p50 ms", "p90 ms", "init ms", "peak MB", "accuracy", "macro-F1", "notes")


def table(rows: Sequence[Row]) -> str:
    """A table per device, with what it was measured on above it, and what is to be known of its rows below."""
    parts = []
    for _, group in itertools.groupby(sorted(rows, key=lambda r: r.device.name), key=lambda r: r.device):
        parts.append("\n".join(_of_device(list(group))))
    return "\n\n".join(parts) + "\n"


def _of_device(rows: Sequence[Row]) -> Iterator[str]:
    device, judged = rows[0].device, [r.quality for r in rows if r.quality is not None]
    faces = dict.fromkeys(f"{q.n} faces of {q.dataset} {q.split}" for q in judged)
    emulated = ", emulated: its milliseconds mean nothing" if device.emulated else ""
    days = sorted({row.time[:10] for row in rows})
    yield "; ".join([f"{device.name}, {device.abi}, {device.os}{emulated}", *faces, " to ".join(dict.fromkeys(days))])
    yield ""
    yield f"| {' | '.join(_HEADER)} |"
    yield f"|{'---|' * 2}--:|---|{'--:|' * 6}---|"
    notes: dict[str, int] = {}
    for row in rows:
        doubts = () if row.status != OK else row.validity_reasons
        numbers = [notes.setdefault(note, len(notes) + 1) for note in (row.reason, *doubts, *row.warnings) if note]
        yield f"| {' | '.join((*_cells(row), ', '.join(map(str, numbers))))} |"
    if notes:
        yield ""
    for note, number in notes.items():
        yield f"{number}. {note}"


def _cells(row: Row) -> list[str]:
    latency, quality = row.latency, row.quality
    times = [f"{getattr(latency, k):.3g}" if latency else "" for k in ("p50_ms", "p90_ms", "init_ms")]
    if row.status != OK:
        times[0] = row.status
    figures = [getattr(quality, k, None) for k in ("accuracy", "macro_f1")]
    return [
        f"`{row.model.file}`", row.model.kind, f"{row.model.bytes / 1e6:.2f}", str(row.leg), *times,
        "" if row.peak_mb is None else f"{row.peak_mb:.0f}", *("" if f is None else f"{f:.4f}" for f in figures),
    ]  # fmt: skip


def replaced(document: str, name: str, text: str) -> str:
    """The document with ``text`` between the markers of the rows file ``name``.

    Raises:
        InputError: the markers do not stand there once.
    """
    start, end = f"<!-- table: {name} -->", "<!-- end of table -->"
    pattern = re.compile(f"(?<={re.escape(start)}\n).*?(?={re.escape(end)})", re.DOTALL)
    if document.count(start) != 1 or not pattern.search(document):
        raise InputError(f"the document needs the lines {start!r} and {end!r}, once, around the table's place")
    return pattern.sub(lambda _: f"\n{text}\n", document, count=1)


def main() -> None:
    parser = argparse.ArgumentParser(description="A Markdown table of benchmark rows.")
    parser.add_argument("rows", type=Path, help="a rows file of fermobile bench")
    parser.add_argument("--into", type=Path, metavar="DOCUMENT", help="replace the table in this Markdown document")
    options = parser.parse_args()
    try:
        text = table([measured.row for measured in latest([options.rows])])
        if options.into is None:
            print(text, end="")
            return
        name = Path(os.path.relpath(options.rows, options.into.parent)).as_posix()
        document = replaced(options.into.read_text(encoding="utf-8"), name, text)
    except (FermobileError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code if isinstance(error, FermobileError) else 1)
    write_bytes(options.into, document.encode())


if __name__ == "__main__":
    main()
