"""Asking for help loads nothing heavy; a missing optional package names the pip line that brings it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import models_util
import numpy as np
import pytest

from fermobile.data.manifest import DatasetInfo, write_dataset

HEAVY = {
    "ai_edge_litert", "cv2", "jinja2", "keras", "matplotlib", "mediapipe", "numpy", "PIL", "rich", "scipy",
    "tensorflow", "tensorflow_model_optimization", "tf_keras", "tflite_runtime",
}  # fmt: skip

OPTIONAL = "tensorflow,tf_keras,tensorflow_model_optimization,mediapipe,tflite_runtime,jinja2,matplotlib"

_HELP = """
import json, sys
from fermobile.cli import main, cli
from fermobile.cli.lazy import LazyGroup
loaded, todo = {}, [()]
while todo:
    path = todo.pop()
    try:
        main([*path, "--help"])
    except SystemExit:
        pass
    loaded[" ".join(path)] = sorted({name.partition(".")[0] for name in sys.modules})
    command = cli
    for verb in path:
        command = command.get_command(None, verb)
    if isinstance(command, LazyGroup):
        todo += [(*path, verb) for verb in command.verbs]
print(json.dumps(loaded), file=sys.stderr)
"""

_WITHOUT = """
import sys
blocked = set(sys.argv.pop(1).split(","))
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
from fermobile.cli import main
main()
"""


def test_help_of_every_verb_loads_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", _HELP], capture_output=True, text=True, check=True)
    loaded = json.loads(done.stderr)
    assert {"", "data", "data import", "train", "predict"} <= set(loaded)
    heavy = {verb: sorted(HEAVY & set(modules)) for verb, modules in loaded.items()}
    assert not {verb: modules for verb, modules in heavy.items() if modules}


def _without(package: str, *args: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", _WITHOUT, package, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def photo(tmp_path: Path, portrait: np.ndarray) -> Path:
    import cv2

    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), portrait)
    return path


def test_train_without_tensorflow_names_the_pip_line(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with write_dataset(data, DatasetInfo("noise", ("happiness",), ("AU12",))) as writer:
        for split in ("train", "val"):
            writer.add_array(np.zeros((48, 48), np.uint8), split=split, emotion="happiness", aus={"AU12": 1})
    result = _without(OPTIONAL, "train", "demo", "--data", data, "--out", tmp_path / "run")
    assert result.returncode == 2, result.stderr
    assert "pip install 'fermobile[train]'" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "package,extra", [("tf_keras", "train"), ("mediapipe", "face"), ("jinja2", "report"), ("matplotlib", "report")]
)
def test_demo_names_the_pip_line_before_it_does_minutes_of_work(tmp_path: Path, package: str, extra: str) -> None:
    result = _without(package, "demo", "--out", tmp_path / "demo")
    assert result.returncode == 2, result.stderr
    assert f"pip install 'fermobile[{extra}]'" in result.stderr
    assert (result.stdout, list(tmp_path.iterdir())) == ("", [])


def test_predict_without_mediapipe_names_the_pip_line(photo: Path) -> None:
    result = _without(OPTIONAL, "predict", photo)
    assert result.returncode == 2, result.stderr
    assert "pip install 'fermobile[face]'" in result.stderr
    assert result.stdout == ""


def test_the_base_install_inspects_files_and_reads_cropped_faces(tmp_path: Path, photo: Path) -> None:
    model = tmp_path / "tiny.tflite"
    model.write_bytes(models_util.tiny_file())
    result = _without(OPTIONAL, "inspect", model, "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["kind"] == "int8"
    result = _without(OPTIONAL, "predict", photo, "--cropped", "--model", model, "--json")
    assert result.returncode == 0, result.stderr
    assert len(json.loads(result.stdout)["faces"]) == 1
