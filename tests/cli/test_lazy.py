"""Asking for help loads nothing heavy; a missing optional package names the pip line that brings it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "ai_edge_litert", "cv2", "jinja2", "keras", "matplotlib", "mediapipe", "numpy", "PIL", "rich", "scipy",
    "tensorflow", "tensorflow_model_optimization", "tf_keras", "tflite_runtime",
}  # fmt: skip

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
def photo(tmp_path: Path, portrait: object) -> Path:
    import cv2

    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), portrait)
    return path


def test_train_without_tensorflow_names_the_pip_line(tmp_path: Path) -> None:
    data = tmp_path / "data"
    made = _without("tensorflow", "data", "synth", "--out", data, "--count", 60, "--size", 48)
    assert made.returncode == 0, made.stderr
    result = _without("tensorflow,tf_keras", "train", "demo", "--data", data, "--out", tmp_path / "run")
    assert result.returncode == 2, result.stderr
    assert "pip install 'fermobile[train]'" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "run").exists()


def test_predict_without_mediapipe_names_the_pip_line(photo: Path) -> None:
    result = _without("mediapipe", "predict", photo)
    assert result.returncode == 2, result.stderr
    assert "pip install 'fermobile[face]'" in result.stderr
    assert result.stdout == ""
