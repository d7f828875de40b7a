"""The sections of a report, each a function of :class:`ReportData` that gives None when there is nothing to say."""

from __future__ import annotations

import base64
import json
import math

import numpy as np

from ..data.images import encode_image
from ..evaluation.bootstrap import interval, resample_counts
from ..evaluation.drift import flip_matrix
from ..evaluation.metrics import (
    AUMetrics,
    EmotionMetrics,
    au_metrics,
    emotion_metrics,
    pr_curve,
    precision_recall_f1,
)
from . import plots
from .content import ReportData, Scored, Section
from .page import Figure, parts


def verdict(data: ReportData) -> Section | None:
    """Whether the gates were met, and the key figures."""
    cards: list[tuple[str, str]] = []
    for model in _with_head(data, "emotion"):
        cards.append((f"macro-F1 {model.name}", f"{_emotions(data, model).macro_f1:.3f}"))
    for model in _with_head(data, "au"):
        cards.append((f"mean AU F1 {model.name}", f"{_action_units(data, model).mean_f1:.3f}"))
    if data.labels:
        cards.append(("faces measured", f"{len(next(iter(data.labels.values()))):,}"))
    if data.file:
        cards.append((data.file.name, f"{data.file.size / 1e6:.2f} MB"))
    if not (cards or data.gates):
        return None
    return Section("Verdict", parts().verdict(data.gates, cards, data.file))


def learning(data: ReportData) -> Section | None:
    """Loss and validation metrics per epoch, over all stages."""
    if not data.epochs:
        return None

    def known(keys: dict[str, str]) -> dict[str, str]:
        return {k: v for k, v in keys.items() if any(_finite(e.get(k)) for e in data.epochs)}

    figures = []
    if losses := known({"loss": "training", "val_loss": "validation"}):
        figures.append(Figure(plots.learning_curve(data.epochs, losses, "loss"), "Loss per epoch."))
    scores = {
        "val_macro_f1": "emotions, macro-F1",
        "val_au_mean_f1": "action units, mean F1",
        "val_accuracy": "accuracy",
    }
    if scores := known(scores):
        last = ", ".join(f"{name} {_last(data, key):.3f}" for key, name in scores.items())
        figures.append(
            Figure(
                plots.learning_curve(data.epochs, scores, "validation split"), f"Validation split; last epoch: {last}."
            )
        )
    return Section("Learning curves", parts().figures(figures))


def class_scores(data: ReportData) -> Section | None:
    """F1 per emotion and per action unit with 95 % bootstrap intervals, the models side by side."""
    figures = []
    names = " against ".join(m.name for m in data.models)
    if models := _with_head(data, "emotion"):
        classes = np.arange(len(data.contract.emotions))
        known = data.labels["emotion"] >= 0
        true = data.labels["emotion"][known, None] == classes
        series = [
            _f1_series(m.name, m.heads["emotion"][known].argmax(axis=1)[:, None] == classes, true) for m in models
        ]
        figures.append(Figure(plots.bars(data.contract.emotions, series), f"F1 per emotion, {names}."))
    if models := _with_head(data, "au"):
        units = data.contract.action_units
        known = np.isfinite(data.labels["au"])
        true = data.labels["au"] == 1
        cuts = [np.array([m.thresholds.get(u, 0.5) for u in units], np.float32) for m in models]
        series = [_f1_series(m.name, (m.heads["au"] >= c) & known, true) for m, c in zip(models, cuts, strict=True)]
        figures.append(Figure(plots.bars(units, series), f"F1 per action unit, {names}, each at its thresholds."))
    if not figures:
        return None
    note = "Whiskers are 95 % bootstrap intervals over the measured faces."
    return Section("F1 per class", parts().figures(figures, note))


def confusion(data: ReportData) -> Section | None:
    """Confusion matrix per model, as tables."""
    models = _with_head(data, "emotion")
    if not models:
        return None
    tables = [(m.name, np.asarray(_emotions(data, m).confusion)) for m in models]
    return Section("Confusion matrices", parts().matrices(data.contract.emotions, tables, "truth", "prediction"))


def precision_recall(data: ReportData) -> Section | None:
    """Precision-recall curves, one panel per action unit."""
    models = _with_head(data, "au")
    if not models:
        return None
    truth, figures = data.labels["au"], []
    measured = [_action_units(data, m) for m in models]
    for j, unit in enumerate(data.contract.action_units):
        known = np.isfinite(truth[:, j])
        if not (truth[known, j] == 1).any():
            continue
        curves = []
        for model, metrics in zip(models, measured, strict=True):
            precision, recall, _ = pr_curve(model.heads["au"][known, j], truth[known, j])
            at = metrics.per_au[unit]
            curves.append(
                plots.Curve(model.name, recall, precision, at["average_precision"], (at["recall"], at["precision"]))
            )
        summary = ", ".join(f"{c.name} average precision {c.average_precision:.3f}" for c in curves)
        figures.append(Figure(plots.precision_recall(unit, curves), "", f"{unit}: {summary}"))
    note = "The dot is where the model decides: the action unit's threshold in its contract."
    return Section("Precision and recall per action unit", parts().figures(figures, note, small=True))


def drift(data: ReportData) -> Section | None:
    """How far the delivered file's scores moved from the reference's, and which decisions flipped."""
    if len(data.models) < 2:
        return None
    reference, candidate = data.models[0], data.models[-1]
    heads = [h for h in reference.heads if h in candidate.heads]
    if not heads:
        return None
    a = np.concatenate([reference.heads[h].ravel() for h in heads])
    b = np.concatenate([candidate.heads[h].ravel() for h in heads])
    names = (reference.name, candidate.name)
    apart = np.abs(a - b)
    figures = [
        Figure(plots.score_density(a, b, names), "Every score of both models; the diagonal is no drift."),
        Figure(
            plots.difference_histogram(b - a, names),
            f"Differences: mean {apart.mean():.4f}, 99 % below {np.quantile(apart, 0.99):.3f}, "
            f"largest {apart.max():.3f}.",
        ),
    ]
    html = parts().figures(figures)
    if "emotion" in heads:
        flips = flip_matrix(reference.heads["emotion"], candidate.heads["emotion"])
        kept = f"{np.trace(flips) / flips.sum():.1%} of the faces keep their best class"
        html += parts().matrices(data.contract.emotions, [(f"flips: {kept}", flips)], *names)
    return Section(f"Drift: {reference.name} to {candidate.name}", html)


def reliability(data: ReportData) -> Section | None:
    """Whether confidence means what it says."""
    models = _with_head(data, "emotion")
    if not models:
        return None
    truth = data.labels["emotion"]
    points = {m.name: _reliability_bins(m.heads["emotion"], truth) for m in models}
    errors = ", ".join(f"{m.name} {_emotions(data, m).ece:.3f}" for m in models)
    figure = Figure(
        plots.reliability(points),
        f"Tenths of confidence with at least ten faces; expected calibration error: {errors}.",
    )
    return Section("Calibration", parts().figures([figure]))


def faces(data: ReportData) -> Section | None:
    """Faces with truth and prediction, and annotated photos."""
    if not (data.faces or data.photos):
        return None
    tiles = [(image_uri(f.image), f.truth, f.prediction) for f in data.faces]
    photos = [(image_uri(image), text) for image, text in data.photos]
    return Section("Faces", parts().faces(tiles, photos))


def contract(data: ReportData) -> Section | None:
    """What the model means: for people, and as the file carries it."""
    c = data.contract
    pixel = f"(pixel − {c.input.mean:g}) / {c.input.std:g}"
    rows = [
        ("name", c.name),
        ("input", f"{c.input.size} × {c.input.size} {c.input.color}, float {pixel}"),
        ("emotions", ", ".join(c.emotions) or "none"),
        ("action units", ", ".join(f"{u} ≥ {c.threshold(u):.2f}" for u in c.action_units) or "none"),
        ("crop", f"eyes {c.crop.eye_distance:.3f} apart, at height {c.crop.eye_y:.3f}" if c.crop else "not measured"),
        ("temperature", f"{c.temperature:.3f}"),
    ]
    return Section(
        "Contract", parts().facts(rows) + parts().details("The contract as the file carries it", c.to_json())
    )


def provenance(data: ReportData) -> Section | None:
    """Where it came from and the commands that make it again."""
    rows = [(key, _text(value)) for key, value in sorted(data.contract.provenance.items())]
    if not (rows or data.steps):
        return None
    html = parts().facts(rows) if rows else ""
    return Section("Provenance and commands", html + (parts().steps(data.steps) if data.steps else ""))


#: The report, in order.  A later part of the house adds its own section to the list it hands to ``build_page``.
ALL = (
    verdict, learning, class_scores, confusion, precision_recall, drift, reliability, faces, contract, provenance,
)  # fmt: skip


def build_sections(data: ReportData) -> list[Section]:
    """All sections that have something to say."""
    return [section for make in ALL if (section := make(data))]


def image_uri(image: np.ndarray) -> str:
    """A uint8 RGB image as a data URI."""
    return "data:image/jpeg;base64," + base64.b64encode(encode_image(image, ".jpg")).decode()


def _emotions(data: ReportData, model: Scored) -> EmotionMetrics:
    return emotion_metrics(model.heads["emotion"], data.labels["emotion"], data.contract.emotions)


def _action_units(data: ReportData, model: Scored) -> AUMetrics:
    return au_metrics(model.heads["au"], data.labels["au"], data.contract.action_units, model.thresholds)


def _with_head(data: ReportData, head: str) -> list[Scored]:
    return [m for m in data.models if head in m.heads] if head in data.labels else []


def _f1_series(name: str, said: np.ndarray, true: np.ndarray) -> plots.Series:
    """F1 per column with its bootstrap interval, from boolean (N, K) predictions and truths."""

    def f1(weights: np.ndarray) -> np.ndarray:
        return precision_recall_f1(*(weights @ x for x in (said & true, said, true)))[2]

    low, high = interval(f1(resample_counts(len(true))))
    return plots.Series(name, f1(np.ones(len(true), np.float32)), low, high)


def _reliability_bins(scores: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean confidence and accuracy of the faces in each tenth of confidence that holds at least ten faces."""
    known = truth >= 0
    confidence, right = scores[known].max(axis=1), scores[known].argmax(axis=1) == truth[known]
    tenth = np.minimum((confidence * 10).astype(int), 9)
    count, confidence, right = (np.bincount(tenth, weights=w, minlength=10) for w in (None, confidence, right))
    filled = count >= 10
    return confidence[filled] / count[filled], right[filled] / count[filled]


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _last(data: ReportData, key: str) -> float:
    return float(next(e[key] for e in reversed(data.epochs) if _finite(e.get(key))))


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
