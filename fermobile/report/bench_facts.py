"""The sections of a benchmark report that explain: the machines, what did not run, what emulated ones answered."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..bench.comparison import FIGURES
from ..bench.rows import OK, VALID, Row
from .bench_sections import Bench
from .content import Section
from .page import parts


def devices(bench: Bench) -> Section | None:
    """What each machine is, and what was read on it before and after.

    The serial or host name stays out of the page, which is made to be passed on.
    """
    rows = sorted((m.row for m in bench.measured), key=lambda row: row.device.name)
    html = ""
    for name, group in itertools.groupby(rows, key=lambda row: row.device.name):
        members = list(group)
        html += parts().subtitle(name) + parts().facts(_facts(members))
        sessions = list({row.session: row for row in members if row.conditions}.values())
        readings = [line for row in sorted(sessions, key=lambda row: row.time) for line in _readings(row)]
        if readings:
            html += parts().table("", [("reading", False), ("before", True), ("after", True), ("run", False)], readings)
    return Section("Devices", html)


def _facts(rows: Sequence[Row]) -> list[tuple[str, str]]:
    device = rows[0].device
    systems = ", ".join(dict.fromkeys(row.device.os for row in rows))
    facts = [("processor", device.soc), ("system", systems), ("instruction set", device.abi)]
    if device.emulated:
        facts.append(("emulated", "yes: right for answers, meaningless for time"))
    versions: dict[str, dict[str, None]] = {}
    for row in rows:
        for key, value in row.versions.items():
            versions.setdefault(row.leg.runtime if key == "version" else key, {})[value] = None
    return facts + [(key, ", ".join(values)) for key, values in versions.items()]


def _readings(row: Row) -> list[list[str]]:
    before, after = (dict(_flat(row.conditions.get(key))) for key in ("before", "after"))
    keys = list(dict.fromkeys((*before, *after)))
    return [[key, before.get(key, ""), after.get(key, ""), row.time[:16].replace("T", " ")] for key in keys]


def _flat(values: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Nested readings as name and text; what was not to be had is left out."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield from _flat(value, f"{name} {key}".strip())
    elif values is not None:
        yield name, f"{values:.4g}" if isinstance(values, float) else str(values)


def remarks(bench: Bench) -> Section | None:
    """What did not run or is not to be trusted fully, and every warning, each once with the legs it holds for."""
    legs: dict[tuple[str, str, str], list[str]] = {}
    for m in bench.measured:
        row = m.row
        said = [] if row.status == OK else [(row.status, row.reason)]
        if row.status == OK and row.validity != VALID and not row.device.emulated:
            said.append((row.validity, "; ".join(row.validity_reasons)))
        for kind, text in (*said, *(("warning", text) for text in row.warnings)):
            legs.setdefault((kind, text, row.device.name), []).append(f"{row.model.file}, {row.leg}")
    if not legs:
        return None
    lines = [(kind, f"{text} – {device}: {_some(names)}") for (kind, text, device), names in legs.items()]
    return Section("Statuses and warnings", parts().facts(lines))


def _some(names: Sequence[str], most: int = 3) -> str:
    more = len(names) - most
    return "; ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def emulated(bench: Bench) -> Section | None:
    """What emulated processors answered, and whether a real one answered the same; no latencies."""
    rows = [m.row for m in bench.measured if m.row.device.emulated and m.row.status == OK]
    if not rows:
        return None
    real = [m.row for m in bench.measured if not m.row.device.emulated and m.row.quality]
    figures = [key for key in FIGURES if any(getattr(row.quality, key, None) is not None for row in rows)]
    columns = [
        ("leg", False), ("faces", True), *((FIGURES[key], True) for key in figures),
        ("same bits as on", False),
    ]  # fmt: skip
    lines = []
    for row in rows:
        values = [getattr(row.quality, key, None) for key in figures]
        shown = ["" if v is None else f"{v:.4f}" for v in values]
        n = f"{row.quality.n:,}" if row.quality else ""
        lines.append([f"{row.model.file}\n{row.device.name}, {row.leg}", n, *shown, _same_bits(row, real)])
    note = (
        "Right for answers, meaningless for time: these rows are in no ranking, and their milliseconds are not shown."
    )
    return Section("Emulated devices", parts().note(note) + parts().table("", columns, lines))


def _same_bits(row: Row, real: Sequence[Row]) -> str:
    if row.quality is None:
        return "no answers"
    wanted = row.quality.predictions_sha256
    names = dict.fromkeys(r.device.name for r in real if r.quality and r.quality.predictions_sha256 == wanted)
    return ", ".join(names) or "none measured here"
