"""What every test shares: a quiet, deterministic, single-threaded, GPU-free process, and a few inputs."""

from __future__ import annotations

import os

# Before any import that reads them: TensorFlow, OpenMP and matplotlib look at these only once.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("GLOG_minloglevel", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["MPLBACKEND"] = "Agg"

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "fermobile",
    derandomize=True,
    deadline=None,
    max_examples=25,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("fermobile")

_ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of large inputs beside the checkout (datasets, weights, models); skips where there is none."""
    folder = _ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"needs the folder of large inputs {folder}, which is not here")
    return folder


@pytest.fixture(scope="session")
def _portrait() -> np.ndarray:
    import cv2

    # Found without importing skimage.data, which needs packages that we do not.
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        pytest.skip("needs scikit-image, whose wheel carries the portrait: pip install 'fermobile[dev]'")
    path = Path(spec.origin).parent / "data" / "astronaut.png"
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        pytest.skip(f"scikit-image's wheel carries no {path}")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


@pytest.fixture
def portrait(_portrait: np.ndarray) -> np.ndarray:
    """A public-domain colour photo (NASA) of one frontal, smiling face: uint8 RGB, (512, 512, 3)."""
    return _portrait.copy()


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    exit_code: int
    stdout: str
    stderr: str


@pytest.fixture
def fermobile(capfd: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Run the command line in this process: ``fermobile("data", "synth", "--out", folder) -> Result``."""
    from fermobile.cli import main

    def run(*args: object) -> Result:
        capfd.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main([str(a) for a in args])
        out, err = capfd.readouterr()
        code = exit_.value.code
        return Result(code if isinstance(code, int) else 0 if code is None else 1, out, err)

    return run
