"""The report of benchmark rows: one page over any number of rows files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..bench.comparison import Measured, latest
from .bench_facts import devices, emulated, remarks
from .bench_sections import Bench, distributions, kinds, overview, per_class, results, sustained, trade_off
from .content import Section
from .page import write_page

#: The report, in order.
ALL = (
    overview, results, trade_off, distributions, kinds, per_class, sustained, devices, remarks, emulated,
)  # fmt: skip


def write_bench_report(rows: Sequence[Path], path: Path) -> None:
    """Write the page over the latest row of each leg in some rows files.

    Raises:
        InputError: a rows file cannot be read.
        MissingExtraError: a package of the report is not installed.
    """
    measured = latest(rows)
    write_page(path, "Benchmark", subtitle(measured), build_bench_sections(measured))


def build_bench_sections(measured: Sequence[Measured]) -> list[Section]:
    """All sections that have something to say; one row per leg, as :func:`~fermobile.bench.comparison.latest` gives."""
    bench = Bench.of(measured)
    return [section for make in ALL if (section := make(bench))]


def subtitle(measured: Sequence[Measured]) -> str:
    """How much was measured, and when."""
    files = {m.row.model.sha256 for m in measured}
    machines = {(m.row.device.name, m.row.device.abi) for m in measured}
    days = sorted({m.row.time[:10] for m in measured})
    counts = ((len(measured), "leg"), (len(files), "file"), (len(machines), "device"))
    legs, of, on = (f"{n} {what}{'' if n == 1 else 's'}" for n, what in counts)
    return f"{legs} of {of} on {on}, measured {days[0]}{f' to {days[-1]}' if len(days) > 1 else ''}"
