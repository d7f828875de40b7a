"""The page over the folds of a cross-validation."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from fermobile.contract import InputSpec, ModelContract
from fermobile.report.content import Section
from fermobile.report.fold_report import build_fold_sections, write_fold_report
from fermobile.report.fold_sections import table_columns, table_rows
from fermobile.report.page import build_page
from fermobile.training.cross_validation import CrossValidation, Fold, fold_metrics
from fermobile.training.recipe import Recipe
from fermobile.training.runs import Run

Browser = Callable[[str], tuple[int, list[str], list[str]]]
EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger")
UNITS = ("AU1", "AU4", "AU12", "AU25")
RATES = (0.08, 0.16, 0.13, 0.28)


def made_up(folder: Path, count: int = 3, emotions: tuple[str, ...] = EMOTIONS) -> CrossValidation:
    """Scores that are mostly right, each fold's in its own way; nobody in fold 1 shows AU1."""
    rng = np.random.default_rng(0)
    folds = []
    for number in range(1, count + 1):
        emotion = rng.integers(0, len(EMOTIONS), 300)
        au = (rng.random((300, len(UNITS))) < RATES).astype(np.float32)
        if number == 1:
            au[:, 0] = 0
        logits = rng.normal(0, 1, (300, len(EMOTIONS))) + 2.5 * np.eye(len(EMOTIONS))[emotion]
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        said = 1 / (1 + np.exp(1.5 + 0.3 * number - 4 * au - rng.normal(0, 1 + 0.2 * number, au.shape)))
        contract = ModelContract(
            "m", emotions, UNITS, InputSpec(64), thresholds={"AU4": 0.3, "AU12": 0.41},
            provenance={"dataset": {"name": "people <1>", "sha256": "ab" * 32, "licence": "CC0"}},
        )  # fmt: skip
        info = {"dataset": {"name": "people <1>", "fold_sha256": "cd" * 32}}
        run = Run(folder / f"fold-{number}", contract, Recipe("demo"), info)
        run.folder.mkdir(parents=True)
        (run.folder / "model.weights.h5").write_bytes(bytes(number))
        scores = {"emotion": shares.astype(np.float32), "au": said.astype(np.float32)}
        labels = {"emotion": emotion, "au": au}
        if not emotions:
            del scores["emotion"], labels["emotion"]
        folds.append(Fold(number, run, 9, scores, labels, fold_metrics(scores, labels, contract)))
    return CrossValidation(folder, Recipe("demo"), count, tuple(folds))


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> CrossValidation:
    return made_up(tmp_path_factory.mktemp("cv") / "cv")


@pytest.fixture(scope="module")
def html(result: CrossValidation) -> str:
    return write_fold_report(result).read_text(encoding="utf-8")


def text(sections: list[Section], title: str) -> str:
    html = next(section.html for section in sections if section.title == title)
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_all_sections_stand_in_their_order(html: str) -> None:
    assert re.findall(r"<h2>(.*?)</h2>", html) == [
        "Overview", "F1 per label", "Precision and recall per action unit", "Folds", "Provenance",
    ]  # fmt: skip
    assert "people &lt;1&gt;" in html and "people <1>" not in html
    assert not re.search(r"https?://|//cdn|@import|url\((?!#)", html)


def test_a_table_has_a_cell_per_fold_and_names_what_a_fold_lacks(result: CrossValidation) -> None:
    summary = result.summaries()["au"]
    columns, rows = table_columns(3, summary), table_rows(summary)
    assert columns[1:] == ["mean", "sd", "95 % interval", "always yes", "PR area", "fold 1", "fold 2", "fold 3"]
    assert [row[0] for row in rows] == [*UNITS, "average F1", "F1-micro", "mean PR area"]
    assert all(len(row) == len(columns) for row in rows)
    assert rows[0][6] == "–"
    known = [result.folds[i].metrics.au for i in (1, 2)]
    assert rows[0][7:] == [f"{m.per_au['AU1']['f1']:.3f}" for m in known if m]
    assert float(rows[0][1]) == pytest.approx(np.mean([float(cell) for cell in rows[0][7:]]), abs=6e-4)


def test_the_overview_says_what_was_left_out(result: CrossValidation) -> None:
    said = text(build_fold_sections(result), "Overview")
    assert "fold 1: no test face shows AU1; left out of its means" in said
    assert "never saw them 27" in said and "faces in 3 folds 900" in said


def test_a_picture_per_head_and_unit_says_what_it_shows(result: CrossValidation, html: str) -> None:
    described = re.findall(r'role="img" aria-label="([^"]+)"', html)
    assert html.count("<svg") == len(described) == 3 + len(UNITS)
    area = result.summaries()["au"].area["AU12"]
    assert any(d.startswith(f"AU12: area {area.mean:.3f} ± {area.sd:.3f} over 3 folds; ") for d in described)
    assert any(d.startswith("AU1: ") and "over 2 folds" in d for d in described)
    svg = "".join(re.findall(r"<svg.*?</svg>", html, flags=re.S))
    assert not re.search(r"(fill|stroke): #(?!fff)", svg), "a colour that would not follow light and dark"


def test_a_model_without_action_units_or_emotions_leaves_their_parts_out(tmp_path: Path) -> None:
    sections = build_fold_sections(made_up(tmp_path / "a", emotions=()))
    assert "neutral" not in text(sections, "F1 per label")
    result = made_up(tmp_path / "b")
    folds = []
    for fold in result.folds:
        contract = fold.run.contract.replace(action_units=(), thresholds={})
        scores, labels = {"emotion": fold.scores["emotion"]}, {"emotion": fold.labels["emotion"]}
        run = dataclasses.replace(fold.run, contract=contract)
        folds.append(Fold(fold.number, run, 9, scores, labels, fold_metrics(scores, labels, contract)))
    titles = [s.title for s in build_fold_sections(dataclasses.replace(result, folds=tuple(folds)))]
    assert titles == ["Overview", "F1 per label", "Folds", "Provenance"]


def test_the_same_folds_give_the_same_bytes(result: CrossValidation, html: str) -> None:
    assert write_fold_report(result).read_text(encoding="utf-8") == html


@pytest.mark.slow
def test_chromium_opens_it_without_a_request_or_a_complaint(
    result: CrossValidation, opened_in_chromium: Browser
) -> None:
    page = build_page("Cross-validation", "made up", build_fold_sections(result))
    assert opened_in_chromium(page) == (5, [], [])
