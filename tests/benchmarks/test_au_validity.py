"""The checks of action units on real faces find what is planted, and nothing where nothing is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from fermobile.data.manifest import Dataset, DatasetInfo, write_dataset
from fermobile.face.blendshapes import CUTS

Load = Callable[[str], ModuleType]


def test_a_unit_that_goes_with_its_emotion_is_told_from_one_that_does_not(script: Load) -> None:
    validity = script("papers/au_validity.py")
    rng = np.random.default_rng(0)
    happy = (rng.random(400) < 0.3).astype(float)
    happy[:40] = np.nan
    units = {"AU12": np.where(happy == 1, 0.9, 0.1), "AU6": rng.random(400)}
    units["AU12"][:40] = rng.random(40)  # whose emotion nobody knows
    found = validity.checked(units, {"happiness": happy})
    assert set(found) == {"AU12 happiness", "AU6 happiness", "AU6+AU12 happiness"}
    assert found["AU12 happiness"]["auc"] == found["AU12 happiness"]["low"] == 1
    assert found["AU6 happiness"]["low"] < 0.5 < found["AU6 happiness"]["high"]
    assert found["AU12 happiness"]["n"] == 360 and found["AU12 happiness"]["positives"] == (happy == 1).sum()
    assert 0.9 < found["AU6+AU12 happiness"]["auc"] <= 1


def test_a_check_without_faces_that_show_it_is_left_out(script: Load) -> None:
    validity = script("papers/au_validity.py")
    assert validity.checked({"AU9": np.arange(5.0)}, {"disgust": np.zeros(5)}) == {}


@pytest.fixture
def real(tmp_path: Path) -> Dataset:
    """Twenty faces; the pixel says what they show: even ones smile with lips apart, every fifth is not seen."""
    with write_dataset(tmp_path / "real", DatasetInfo("real", ("neutral", "happiness"))) as writer:
        for i in range(20):
            emotion = "" if i == 1 else ("happiness", "neutral")[i % 2]
            writer.add_array(np.full((8, 8), i, np.uint8), split="test", emotion=emotion)
    return Dataset(tmp_path / "real")


def test_the_teacher_is_judged_on_the_faces_that_it_sees(
    script: Load, real: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    validity = script("papers/au_validity.py")

    class Eye:
        def __init__(self, path: Path) -> None: ...
        def __enter__(self) -> Eye:
            return self

        def __exit__(self, *error: object) -> None: ...
        def find(self, face: np.ndarray) -> int | None:
            return None if face[0, 0, 0] % 5 == 4 else int(face[0, 0, 0])

    monkeypatch.setattr(validity, "Landmarker", Eye)
    monkeypatch.setattr(
        validity, "signals", lambda face: {**dict.fromkeys(CUTS, 0.5), "AU12": face, "AU25": 0.3 * (face % 2 == 0)}
    )
    seen = validity.teacher_signals(real, "test", tmp_path / "none.task", tmp_path)
    assert np.isnan(seen["AU12"]).sum() == 4
    monkeypatch.setattr(validity, "Landmarker", None)  # the second time it is read from where it was kept
    again = validity.teacher_signals(real, "test", tmp_path / "none.task", tmp_path)
    np.testing.assert_array_equal(seen["AU12"], again["AU12"])

    figures = validity.judged(real, "test", seen, seen)
    assert figures["unseen"] == {}
    assert figures["seen"]["AU25 open mouth"]["auc"] == 1 and figures["seen"]["AU25 open mouth"]["n"] == 16
    assert figures["seen"]["AU12 happiness"]["n"] == 15  # one has no single emotion
    model = {"AU12": np.tile([1.0, 0.0], 10), "AU25": np.arange(20.0)}
    figures = validity.judged(real, "test", model, seen)
    assert figures["unseen"]["AU12 happiness"]["auc"] == 1 and figures["unseen"]["AU12 happiness"]["n"] == 4
    assert "AU25 open mouth" not in figures["unseen"]


def test_every_check_is_of_units_that_are_taught_or_rendered(script: Load) -> None:
    from fermobile.data.synthetic.repertoire import DATASET_UNITS
    from fermobile.labels import EMOTIONS

    validity = script("papers/au_validity.py")
    for check in validity.CHECKS:
        assert set(check.units) <= set(DATASET_UNITS) and check.what in (*EMOTIONS, validity.OPEN_MOUTH)
