"""The sections of a cross-validation's report, and the rows of its tables."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from ..evaluation.fold_metrics import FIGURES, HeadSummary, Spread
from ..evaluation.metrics import pr_curve
from . import fold_plots
from .content import Section
from .page import Figure, parts

if TYPE_CHECKING:
    from ..training.cross_validation import CrossValidation

#: What a summary is about: name of the head, caption of its table.
CAPTIONS = {
    "emotion": "F1 per emotion",
    "au": "F1 per action unit, each fold at the thresholds of its validation subjects",
    "au_at_half": "F1 per action unit at threshold 0.5",
}


def table_columns(count: int, summary: HeadSummary) -> list[str]:
    """Headings of a table over ``count`` folds; the first names the row, the folds come last."""
    beside = [name for name, found in (("always yes", summary.floor), ("PR area", summary.area)) if found]
    return ["", "mean", "sd", "95 % interval", *beside, *(f"fold {fold}" for fold in range(1, count + 1))]


def table_rows(summary: HeadSummary) -> list[list[str]]:
    """A row per label and one per figure over all labels, as text, below :func:`table_columns`."""
    rows = [_row(name, found, summary, name) for name, found in summary.f1.items()]
    return rows + [_row(FIGURES[key], found, summary, key) for key, found in summary.figures.items()]


def _row(name: str, found: Spread, summary: HeadSummary, key: str) -> list[str]:
    span = "–" if found.low is None or found.high is None else f"{found.low:.3f} … {found.high:.3f}"
    beside = [_number(figure[key].mean) if key in figure else "" for figure in (summary.floor, summary.area) if figure]
    return [name, _number(found.mean), _number(found.sd), span, *beside, *map(_number, found.values)]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def overview(result: CrossValidation) -> Section:
    """The figures that count, and what was left out."""
    cards = [
        ("people tested, each by a model that never saw them", f"{sum(fold.subjects for fold in result.folds):,}"),
        (f"faces in {len(result.folds)} folds", f"{sum(fold.faces for fold in result.folds):,}"),
    ]
    keys = (("emotion", "macro_f1"), ("emotion", "accuracy"), ("au", "mean_f1"), ("au_at_half", "mean_f1"))
    summaries = result.summaries()
    for head, key in keys:
        if head in summaries:
            found = summaries[head].figures[key]
            at = {"au": ", tuned thresholds", "au_at_half": ", threshold 0.5"}.get(head, "")
            cards.append((f"{FIGURES[key]}{at}{_sd(found)}", _number(found.mean)))
    html = parts().verdict([], cards, None)
    for text in result.left_out():
        html += parts().note(text)
    return Section("Overview", html)


def _sd(found: Spread) -> str:
    return "" if found.sd is None else f" (sd {found.sd:.3f})"


def scores(result: CrossValidation) -> Section:
    """Bars and a table per head."""
    html = parts().note(
        "sd and the 95 % interval of the mean (Student's t) are over folds; the folds' training sets overlap, so the "
        "interval is rather too narrow. A label that no test face of a fold shows is left out there."
    )
    for head, summary in result.summaries().items():
        labels = list(summary.f1)
        folds = np.array([s.values for s in summary.f1.values()], np.float64).T
        means = np.array([s.mean for s in summary.f1.values()], np.float64)
        floors = np.array([summary.floor[name].mean for name in labels], np.float64) if summary.floor else None
        html += parts().subtitle(CAPTIONS[head])
        html += parts().figures([Figure(fold_plots.fold_bars(labels, means, folds, floors), "", CAPTIONS[head])])
        columns = [(name, number > 0) for number, name in enumerate(table_columns(len(result.folds), summary))]
        html += parts().table("", columns, table_rows(summary))
    return Section("F1 per label", html)


def curves(result: CrossValidation) -> Section | None:
    """Precision-recall curves of all folds, one panel per action unit."""
    summary = result.summaries().get("au")
    if summary is None:
        return None
    figures = []
    for j, unit in enumerate(result.contract.action_units):
        pairs = [(fold.scores["au"][:, j], fold.labels["au"][:, j]) for fold in result.folds]
        pairs = [(said, true) for said, true in pairs if (true == 1).any()]
        if not pairs:
            continue
        true = np.concatenate([true for _, true in pairs])
        drawn = [pr_curve(*pair)[1::-1] for pair in pairs]
        found = summary.area[unit]
        area = f"area {_number(found.mean)}" + ("" if found.sd is None else f" ± {found.sd:.3f}")
        rate = float(np.nanmean(true))
        svg = fold_plots.fold_curves(unit, drawn, area, rate)
        figures.append(Figure(svg, "", f"{unit}: {area} over {len(pairs)} folds; {rate:.1%} of the faces show it"))
    note = (
        "A line per fold; the area under them is their mean ± sd. Dashed: the precision of always saying yes, which is "
        "the share of faces that show the unit."
    )
    return Section("Precision and recall per action unit", parts().figures(figures, note, small=True))


def folds(result: CrossValidation) -> Section:
    """Whom each fold tested, by which weights, deciding how."""
    columns = [("fold", False), ("people", True), ("faces", True), ("thresholds", False), ("weights sha256", False)]
    rows = []
    for fold in result.folds:
        contract = fold.run.contract
        cuts = " ".join(f"{unit} {contract.threshold(unit):.2f}" for unit in contract.action_units) or "–"
        rows.append(
            [fold.run.folder.name, f"{fold.subjects:,}", f"{fold.faces:,}", cuts, f"{fold.run.weights_sha256[:16]}…"]
        )
    return Section("Folds", parts().table("", columns, rows))


def provenance(result: CrossValidation) -> Section:
    """The data and the recipe of every fold."""
    made = result.contract.provenance
    dataset = made["dataset"]
    facts = [("dataset", dataset["name"]), ("sha256", dataset["sha256"]), ("licence", dataset["licence"])]
    text = json.dumps(result.recipe.to_dict(), indent=2, ensure_ascii=False)
    return Section("Provenance", parts().facts(facts) + parts().details("The resolved recipe", text))
