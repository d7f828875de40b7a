"""The whole way on synthetic faces, from nothing to a verified .tflite and a report.

Each step calls what the command of the same name calls, and says the command that repeats it alone: with
``--force``, since what it writes is there by then.
"""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from .contract import ModelContract
from .data.images import read_rgb, write_image
from .data.manifest import Dataset
from .data.synthetic import SAMPLES_PER_SUBJECT, render_photo, write_synthetic
from .evaluation.calibration import apply_temperature
from .export.convert import export_run
from .export.verify import VerifyReport, reject, stage_count, verify
from .face.detector import Detector
from .files import refuse_existing
from .inference.annotate import annotate
from .inference.pipeline import Pipeline
from .inference.session import Session
from .report.content import Face, FileFacts, Gate, ReportData, Scored, Step
from .report.page import write_page
from .report.sections import build_sections
from .training.loop import Reporter
from .training.recipe import load_recipe
from .training.runs import Run

#: What the int8 file must reach on the test subjects, and how much it may lose against the float model.
MIN_MACRO_F1 = 0.90
MIN_AU_F1 = 0.85
MAX_DROP = 0.01

_PHOTO_SIZE = 512
_PHOTO_EMOTIONS = ("happiness", "surprise", "anger", "sadness", "fear", "neutral")
_FACES_SHOWN = 40


class Watcher(Reporter, Protocol):
    """Whoever watches the demo: told of every step before and after it."""

    def begin(self, command: str) -> None:
        """A step starts; ``command`` repeats it alone."""

    def done(self, step: Step) -> None:
        """It ended."""


@dataclass(frozen=True)
class DemoResult:
    """What the demo made.

    Attributes:
        steps: commands, times and key figures.
        gates: requirements and whether they were met.
        model, report: the .tflite and the HTML file.
        seconds: wall time of the whole.
    """

    steps: Sequence[Step]
    gates: Sequence[Gate]
    model: Path
    report: Path
    seconds: float

    @property
    def met(self) -> bool:
        """Whether every gate was met."""
        return all(gate.met for gate in self.gates)


def run_demo(folder: Path, watcher: Watcher, count: int, seed: int = 0, force: bool = False) -> DemoResult:
    """Render, train, quantize, export, verify, predict and report, all inside ``folder``.

    A file that is not verified becomes ``*.rejected``; its figures are reported all the same.

    Args:
        count, seed: faces to render, and what decides them.
    Raises:
        OutputExistsError: the folder is taken and ``force`` is not set.
    """
    refuse_existing(folder, force)
    started = time.monotonic()
    tour = _Tour(folder, watcher, force)
    dataset = tour.render(count, seed)
    run = tour.train(dataset)
    quantized = tour.quantize(run, dataset)
    tour.export(quantized)
    verified = tour.verify(run, dataset)
    photos = tour.predict(seed)
    gates = _gates(verified)
    path = tour.report(run, quantized, verified, photos, gates)
    return DemoResult(tour.steps, gates, tour.model, path, round(time.monotonic() - started, 1))


class _Tour:
    """The steps; each is timed, says its command and remembers its key figure."""

    def __init__(self, folder: Path, watcher: Watcher, force: bool) -> None:
        self.folder, self.force = folder, force
        self.model = folder / "demo_int8.tflite"
        self.steps: list[Step] = []
        self._watcher = watcher

    @contextlib.contextmanager
    def _step(self, command: str) -> Iterator[Callable[[str], None]]:
        """Time a step; the block says its key figure."""
        self._watcher.begin(command)
        figures: list[str] = []
        start = time.monotonic()
        yield figures.append
        step = Step(command, round(time.monotonic() - start, 1), ", ".join(figures))
        self.steps.append(step)
        self._watcher.done(step)

    def render(self, count: int, seed: int) -> Dataset:
        folder = self.folder / "data"
        command = _command("data", "synth", "--out", folder, "--count", count, "--seed", seed, "--force")
        with self._step(command) as figure, self._watcher.progress("rendering", count, "faces") as advance:
            write_synthetic(folder, count, seed, force=self.force, advance=advance)
            dataset = Dataset(folder)
            figure(f"{len(dataset):,} faces of {len(set(dataset.subject)):,} people")
        return dataset

    def train(self, dataset: Dataset) -> Run:
        from .training.transfer import train

        folder = self.folder / "run"
        with self._step(_command("train", "demo", "--data", dataset.folder, "--out", folder, "--force")) as figure:
            run = train(load_recipe("demo"), dataset, folder, force=self.force, report=self._watcher)
            figure(_validation(run))
        return run

    def quantize(self, run: Run, dataset: Dataset) -> Run:
        from .training.quantization_aware import quantize

        folder = self.folder / "run-qat"
        with self._step(_command("quantize", run.folder, "--out", folder, "--force")) as figure:
            quantized = quantize(run, dataset, folder, force=self.force, report=self._watcher)
            figure(_validation(quantized))
        return quantized

    def export(self, quantized: Run) -> None:
        with self._step(_command("export", quantized.folder, "--int8", "-o", self.model, "--force")) as figure:
            written = export_run(quantized.folder, self.model, "int8", force=self.force)
            figure(f"{written.size / 1e3:,.0f} kB, sha256 {written.sha256[:16]}")

    def verify(self, run: Run, dataset: Dataset) -> VerifyReport:
        command = _command("verify", self.model, "--against", run.folder, "--data", dataset.folder, "--split", "test")
        total = stage_count(True) * len(dataset.indices("test"))
        with self._step(command) as figure, self._watcher.progress("verify", total, "faces") as advance:
            report = verify(self.model, dataset, "test", run, advance=advance)
            figures = ((name, after) for name, _, after in _figures(report))
            figure("passed" if report.passed else "; ".join(report.reasons()))
            figure("int8 " + ", ".join(f"{name} {after:.3f}" for name, after in figures))
            if not report.passed:
                self.model = reject(report)
        return report

    def predict(self, seed: int) -> list[tuple[np.ndarray, str]]:
        """Photos of people whom no split has seen: found, cropped, read and annotated; with a text each."""
        photos, drawn = self.folder / "photos", self.folder / "annotated"
        for number, emotion in enumerate(_PHOTO_EMOTIONS):
            photo = render_photo(seed + 1, number * SAMPLES_PER_SUBJECT, _PHOTO_SIZE, emotion=emotion)
            write_image(photos / f"{emotion}.png", photo.image)
        shown, right = [], 0
        command = _command("predict", photos, "--model", self.model, "--annotate", drawn, "--force")
        with self._step(command) as figure, Detector() as detector:
            session = Session.open(self.model)
            pipeline = Pipeline(session, detector)
            for emotion in _PHOTO_EMOTIONS:
                image = read_rgb(photos / f"{emotion}.png")
                faces = pipeline.run(image).faces
                picture = annotate(image, faces, session.contract)
                write_image(drawn / f"{emotion}.png", picture)
                read = [_best(f.scores.emotion, session.contract) for f in faces if f.scores is not None]
                right += read == [emotion]
                shown.append((picture, f"{emotion}: read as {', '.join(read) or 'no face'}"))
            figure(f"{right} of {len(shown)} photos read right")
        return shown

    def report(
        self,
        run: Run,
        quantized: Run,
        verified: VerifyReport,
        photos: Sequence[tuple[np.ndarray, str]],
        gates: Sequence[Gate],
    ) -> Path:
        """Write the HTML file."""
        contract, faces = verified.file.contract, verified.faces
        models = _score(run, verified, self.model)
        chosen = models[-1].heads["emotion"].argmax(axis=1)
        truth = faces.dataset.hard_labels(contract.emotions)[faces.rows]
        shown = np.flatnonzero(truth >= 0)[:_FACES_SHOWN]
        network = run.recipe.network
        data = ReportData(
            title="fermobile demo",
            contract=contract,
            epochs=[*run.metrics(), *quantized.metrics()],
            labels={"emotion": truth, "au": faces.truth["au"]},
            models=models,
            gates=gates,
            file=FileFacts(self.model.name, len(verified.file.data), verified.file.sha256),
            steps=self.steps,
            faces=[Face(faces[i], contract.emotions[truth[i]], contract.emotions[chosen[i]]) for i in shown],
            photos=photos,
        )
        subtitle = (
            f"{network.backbone} {network.alpha:g} at {network.size} px on {len(faces.dataset):,} synthetic faces; "
            f"measured on {len(faces):,} faces of people it was not trained on"
        )
        path = self.folder / "report.html"
        write_page(path, data.title, subtitle, build_sections(data))
        return path


def _command(*words: object) -> str:
    return shlex.join(["fermobile", *map(str, words)])


def _validation(run: Run) -> str:
    """The figures of a run's best epoch on its validation split."""
    best = max(run.metrics(), key=lambda row: row["score"])
    return f"validation macro-F1 {best['val_macro_f1']:.3f}, AU mean F1 {best['val_au_mean_f1']:.3f}"


def _figures(report: VerifyReport) -> list[tuple[str, float, float]]:
    """(name, float, int8) of the two figures that count, on the test split."""
    assert report.comparison is not None, "the demo verifies against its run"
    before, after = report.comparison.reference, report.measured
    assert before.emotion and before.au and after.emotion and after.au, "synthetic faces carry both kinds of label"
    return [
        ("emotions, macro-F1", before.emotion.macro_f1, after.emotion.macro_f1),
        ("action units, mean F1", before.au.mean_f1, after.au.mean_f1),
    ]


def _gates(report: VerifyReport) -> list[Gate]:
    """What the demo promises."""
    gates = []
    for (name, before, after), floor in zip(_figures(report), (MIN_MACRO_F1, MIN_AU_F1), strict=True):
        gates.append(Gate(f"{name} in int8", f"{after:.3f}", f"≥ {floor:.2f}", after >= floor))
        lost = before - after
        gates.append(Gate(f"{name} lost in int8", f"{lost:+.3f}", f"≤ {MAX_DROP:.2f}", lost <= MAX_DROP))
    verdict = "passed" if report.passed else "rejected"  # the reasons stand with the step
    gates.append(Gate("verified against the float run", verdict, "passed", report.passed))
    return gates


def _score(run: Run, verified: VerifyReport, model: Path) -> list[Scored]:
    """Scores of the float run and of the file on the verified faces, each with its own calibration."""
    from .training.scoring import predict_rows

    faces, contract = verified.faces, run.contract
    heads = predict_rows(run.load_model(), faces.dataset, faces.rows, contract)
    heads["emotion"] = apply_temperature(heads["emotion"], contract.temperature)
    session = Session.open(model)
    return [
        Scored("float", heads, contract.thresholds),
        Scored("int8", session.predict(faces), session.contract.thresholds),
    ]


def _best(scores: np.ndarray | None, contract: ModelContract) -> str:
    assert scores is not None, "the demo's model has an emotion head"
    return contract.emotions[int(scores.argmax())]
