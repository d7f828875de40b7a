"""The scripts of benchmarks/, which are no package: each is loaded as Python starts it, beside its own folder."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

_BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    def load(path: str) -> ModuleType:
        file = _BENCHMARKS / path
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # put back afterwards, whatever the script sets
        monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
        monkeypatch.syspath_prepend(str(file.parent))
        return importlib.import_module(file.stem)

    return load
