"""Made-up but plausible data for a report: scores that are mostly right, an int8 copy that drifts a little."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fermobile.contract import CropSpec, InputSpec, ModelContract
from fermobile.report.content import Face, FileFacts, Gate, ReportData, Scored, Step

EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear")
UNITS = ("AU1", "AU2", "AU4", "AU6", "AU12", "AU25")


@pytest.fixture(scope="session")
def report_data() -> ReportData:
    rng = np.random.default_rng(0)
    n = 400
    emotion = rng.integers(0, len(EMOTIONS), n)
    au = (rng.random((n, len(UNITS))) < 0.3).astype(np.float32)
    au[::7, 0] = np.nan
    logits = rng.normal(0, 1, (n, len(EMOTIONS))) + 4 * np.eye(len(EMOTIONS))[emotion]
    strength = np.nan_to_num(au, nan=0.5) * 4 - 2 + rng.normal(0, 1, au.shape)

    def scored(name: str, noise: float) -> Scored:
        e = np.exp(logits + rng.normal(0, noise, logits.shape))
        a = 1 / (1 + np.exp(-strength - rng.normal(0, noise, au.shape)))
        heads = {"emotion": (e / e.sum(axis=1, keepdims=True)).astype(np.float32), "au": a.astype(np.float32)}
        return Scored(name, heads, {"AU1": 0.41, "AU12": 0.55})

    labels = np.where(np.arange(n) % 50 == 0, -1, emotion)
    contract = ModelContract(
        name="demo",
        emotions=EMOTIONS,
        action_units=UNITS,
        input=InputSpec(size=96),
        crop=CropSpec(eye_distance=0.4, eye_y=0.42),
        outputs=("emotion", "au"),
        thresholds={"AU1": 0.41, "AU12": 0.55},
        temperature=1.2,
        provenance={"licence": "synthetic", "dataset": {"name": "synth <1>", "sha256": "ab" * 32}, "seed": 0},
    )
    stages = [("head", i, 2.2 - 0.2 * i) for i in range(1, 6)] + [("tune", i, 0.9 / i) for i in range(1, 7)]
    epochs = [
        {
            "stage": stage,
            "epoch": i,
            "loss": loss,
            "val_macro_f1": 1 - loss / 2.2,
            "val_accuracy": 1 - loss / 2.3,
            "val_au_mean_f1": None if stage == "head" and i == 1 else 0.9 - loss / 4,
            "seconds": 3.0,
        }
        for stage, i, loss in stages
    ]
    faces = [
        Face(rng.integers(0, 255, (48, 48, 3)).astype(np.uint8), EMOTIONS[i % 7], EMOTIONS[i % 5]) for i in range(9)
    ]
    return ReportData(
        title="fermobile demo",
        contract=contract,
        epochs=epochs,
        labels={"emotion": labels, "au": au},
        models=(scored("float", 0.0), scored("int8", 0.15)),
        gates=(
            Gate("macro-F1, emotions, int8", "0.951", "≥ 0.90", True),
            Gate("mean F1, action units, int8", "0.842", "≥ 0.85", False),
        ),
        file=FileFacts("demo_int8.tflite", 412_345, "0f" * 32),
        steps=(Step("fermobile data synth --count 4000 --out demo/data", 31.25, "4000 faces, 200 subjects"),),
        faces=faces,
        photos=[(np.full((120, 160, 3), 128, np.uint8), "a photo with one face: happiness 0.98")],
    )


@pytest.fixture
def opened_in_chromium(tmp_path: Path) -> Callable[[str], tuple[int, list[str], list[str]]]:
    """Opens a page: sections in it as the browser built it, who asked the network for something, console messages."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")

    def opened(html: str) -> tuple[int, list[str], list[str]]:
        page, log = tmp_path / "report.html", tmp_path / "netlog.json"
        page.write_text(html, encoding="utf-8")
        result = subprocess.run(
            [
                browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
                "--disable-component-update", "--no-first-run", f"--user-data-dir={tmp_path / 'profile'}",
                f"--log-net-log={log}", "--enable-logging=stderr", "--v=0", "--dump-dom", page.as_uri(),
            ],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        # A page that is a file has the opaque origin "null"; what the browser asks for itself is "not an origin".
        requests = re.findall(r'"initiator":"(null|file:[^"]*)"', log.read_text(encoding="utf-8"))
        complaints = [line for line in result.stderr.splitlines() if "CONSOLE" in line]
        return result.stdout.count("<section"), requests, complaints

    return opened
