"""mediapipe comes in alone: no TensorFlow, no chatter, and a pip line when it is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from types import ModuleType

import pytest

from fermobile.errors import MissingExtraError
from fermobile.face.mediapipe_import import import_mediapipe
from fermobile.stderr import silenced_stderr

_SCRIPT = """
import sys
import numpy as np
from fermobile.face.detector import Detector
with Detector() as detector:
    detector.detect(np.zeros((64, 64, 3), np.uint8))
print("tensorflow" in sys.modules, "mediapipe" in sys.modules)
"""


def test_a_detector_loads_no_tensorflow_and_is_quiet() -> None:
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
    assert done.stderr == ""


def test_tensorflow_imported_before_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    tensorflow = ModuleType("tensorflow")
    monkeypatch.setitem(sys.modules, "tensorflow", tensorflow)
    import_mediapipe()
    assert sys.modules["tensorflow"] is tensorflow


def test_missing_mediapipe_says_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'fermobile\[face\]'"):
        import_mediapipe()
    assert "tensorflow" not in sys.modules


def test_silence_ends_with_the_block(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), silenced_stderr():
        os.write(2, b"lost")
        _ = 1 / 0
    os.write(2, b"kept")
    assert capfd.readouterr().err == "kept"
