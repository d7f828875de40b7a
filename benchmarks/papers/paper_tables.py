"""The tables of the papers' systems, made from the experiments' rows and written into README.md.

    .venv/bin/python benchmarks/papers/paper_tables.py

``papers.toml`` says what a paper claims, which rows answer it, and how a table is laid out.  A cell is filled by a run
or stays empty.  Figures are means over the runs that a row of the table stands for (seeds, folds), with the half width
of their 95 % interval (Student's t) where there are several; of a single run the interval that it measured itself, if
it did ("low" and "high" beside the figure).
"""

from __future__ import annotations

import argparse
import itertools
import re
import statistics
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from record import ROWS, Record

from fermobile.evaluation.fold_metrics import spread

HERE = Path(__file__).parent
README, PAPERS = HERE / "README.md", HERE / "papers.toml"

Rows = list[dict[str, Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    papers = tomllib.loads(PAPERS.read_text(encoding="utf-8"))
    text = README.read_text(encoding="utf-8")
    text = _replaced(text, "systems", "\n".join(systems(papers["systems"])))
    for name, layout in papers["tables"].items():
        text = _replaced(text, name, "\n".join(table(Record(layout.get("rows", name), ROWS).rows(), layout)))
    README.write_text(text, encoding="utf-8")


def _replaced(text: str, name: str, table: str) -> str:
    begin, end = f"<!-- table: {name} -->", "<!-- end of table -->"
    found = re.search(re.escape(begin) + ".*?" + re.escape(end), text, re.DOTALL)
    if found is None:
        raise SystemExit(f"{README} has no place for the table {name}: write {begin} and {end} into it")
    return text[: found.start()] + f"{begin}\n\n{table}\n\n{end}" + text[found.end() :]


def systems(entries: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """One line per system of the papers: what it claims, what a run of ours gave, and what differs."""
    yield "| system | recipe | the paper | ours | runs | minutes | what differs |"
    yield "|---|---|---|---|--:|--:|---|"
    for entry in entries:
        rows = _where(Record(entry["rows"], ROWS).rows(), entry["where"])
        ours = "; ".join(f"{label} {value}" for label, key in entry["figures"] if (value := cell(rows, key, 3)))
        minutes = f"{sum(row['seconds'] for row in rows) / 60:.0f}" if rows else ""
        cells = (entry["name"], f"`{entry['recipe']}`", entry["paper"], ours, str(len(rows) or ""), minutes)
        yield f"| {' | '.join((*cells, entry['differs']))} |"


def table(rows: Rows, layout: Mapping[str, Any]) -> Iterator[str]:
    """A table of ``layout``: a line per value of ``by`` (names of settings), a column per figure.

    ``where`` keeps the rows with these settings only; a row that lacks one of ``by`` is another table's;
    ``turned`` makes a line per figure, of one ``by``.
    """
    rows = [row for row in _where(rows, layout.get("where", {})) if row["setting"].keys() >= set(layout["by"])]
    by, figures, digits = layout["by"], layout["figures"], layout.get("digits", 3)
    lines = [(*by, *(label for label, _ in figures), "runs", "minutes")]

    def key(row: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(row["setting"][name] for name in by)

    order = list(dict.fromkeys(map(key, rows)))
    grouped = itertools.groupby(sorted(rows, key=lambda row: order.index(key(row))), key=key)
    for values, group in sorted(((k, list(g)) for k, g in grouped), key=lambda item: _rank(item[0], layout)):
        cells = [cell(group, figure, digits) for _, figure in figures]
        minutes = f"{sum(row['seconds'] for row in group) / 60:.0f}"
        lines.append((*map(str, values), *cells, str(len(group)), minutes))
    if layout.get("turned"):
        lines = list(zip(*lines, strict=True))
    names = 1 if layout.get("turned") else len(by)
    head, *others = (f"| {' | '.join(line)} |" for line in lines)
    yield from (head, f"|{'---|' * names}{'--:|' * (len(lines[0]) - names)}", *others)


def _rank(values: tuple[Any, ...], layout: Mapping[str, Any]) -> tuple[Any, ...]:
    """Numbers by size; names in the order that the layout gives, or as they came."""
    order = layout.get("order", [])
    return tuple(order.index(v) if v in order else v if isinstance(v, int | float) else len(order) for v in values)


def _where(rows: Rows, wanted: Mapping[str, Any]) -> Rows:
    return [row for row in rows if all(row["setting"].get(name) == value for name, value in wanted.items())]


def cell(rows: Rows, figure: str, digits: int) -> str:
    """Mean of a figure (a dotted path) over rows, with its 95 % half width; "" where no row has it.

    Runs that test the same fold are no independent draws: they count as their mean.
    """
    by_fold: dict[Any, list[float]] = {}
    for number, row in enumerate(rows):
        if (value := _figure(row["figures"], figure)) is not None:
            by_fold.setdefault(row["setting"].get("fold", f"run {number}"), []).append(value)
    values = [statistics.mean(found) for found in by_fold.values()]
    if not values:
        return ""
    if all(value.is_integer() and value > 1 for value in values):
        digits = 0  # a count
    mean = f"{statistics.mean(values):.{digits}f}"
    if len(values) < 2:
        ends = [_figure(rows[0]["figures"], f"{figure.rpartition('.')[0]}.{end}") for end in ("low", "high")]
        return mean if None in ends else f"{mean} ({ends[0]:.{digits}f}–{ends[1]:.{digits}f})"
    over = spread(values)
    assert over.high is not None and over.low is not None  # there are two values or more
    return f"{mean} ± {(over.high - over.low) / 2:.{digits}f}"


def _figure(figures: Mapping[str, Any], path: str) -> float | None:
    value: Any = figures
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return float(value) if isinstance(value, int | float) else None


if __name__ == "__main__":
    main()
