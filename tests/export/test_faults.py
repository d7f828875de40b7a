from __future__ import annotations

import numpy as np
import pytest

from fermobile.contract import CropSpec, InputSpec, ModelContract
from fermobile.export.faults import (
    best_order,
    by_name,
    contract_faults,
    crop_faults,
    diagnose,
    label_fault_by_truth,
    probe_faces,
    rescale,
)

CONTRACT = ModelContract("m", ("neutral", "anger", "fear"), ("AU1",), InputSpec(32), CropSpec(0.35, 0.36))


def test_equal_contracts_have_no_fault_and_thresholds_may_differ() -> None:
    assert contract_faults(CONTRACT.replace(temperature=2.0, thresholds={"AU1": 0.3}), CONTRACT) == []


@pytest.mark.parametrize(
    ("change", "kind", "text"),
    [
        ({"emotions": ("anger", "neutral", "fear")}, "labels", "labels of emotion are permuted"),
        ({"input": InputSpec(32, 0.0, 255.0)}, "range", r"into \[0, 1\], the run's into \[-1, 1\]"),
        ({"input": InputSpec(48)}, "contract", "48 px, the run's 32 px"),
        ({"crop": CropSpec(0.45, 0.36)}, "crop", "another crop margin"),
    ],
)
def test_what_the_contract_says_otherwise_is_named(change, kind, text) -> None:
    (fault,) = contract_faults(CONTRACT.replace(**change), CONTRACT)
    assert fault.kind == kind
    with pytest.raises(AssertionError, match=text):
        raise AssertionError(fault.text)


def test_the_same_crop_measured_twice_is_no_fault() -> None:
    assert crop_faults(CropSpec(0.352, 0.362), CONTRACT.crop, "the run") == []
    assert crop_faults(None, CONTRACT.crop, "the run") == []


def test_scores_are_matched_by_name() -> None:
    permuted = CONTRACT.replace(emotions=("fear", "neutral", "anger"))
    scores = {"emotion": np.array([[0.1, 0.2, 0.7]]), "au": np.array([[0.5]])}
    np.testing.assert_array_equal(by_name(scores, CONTRACT, permuted)["emotion"], [[0.7, 0.1, 0.2]])


def test_a_permutation_is_found_by_swaps() -> None:
    permutation = np.array([2, 0, 1, 3, 5, 4])
    affinity = np.eye(6)[permutation] + np.random.default_rng(0).uniform(0, 0.2, (6, 6))
    np.testing.assert_array_equal(best_order(affinity, minimum=0.4), permutation)
    np.testing.assert_array_equal(best_order(np.zeros((6, 6)), minimum=0.0), np.arange(6))


def answers(truth: np.ndarray, right: float, rng: np.random.Generator) -> np.ndarray:
    said = np.where(rng.random(len(truth)) < right, truth, rng.integers(0, 3, len(truth)))
    return np.eye(3, dtype=np.float32)[said]


def test_labels_against_the_truth() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 300)
    truth = {"emotion": np.eye(3)[labels]}
    right = answers(labels, 0.6, rng)
    assert label_fault_by_truth(CONTRACT, {"emotion": right}, truth) is None
    fault = label_fault_by_truth(CONTRACT, {"emotion": right[:, [1, 0, 2]]}, truth)
    assert fault is not None
    assert "what it calls anger is neutral" in fault.text
    assert "fear" not in fault.text


def test_a_poor_model_is_not_called_permuted() -> None:
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 3, 300)
    assert (
        label_fault_by_truth(CONTRACT, {"emotion": answers(labels, 0.05, rng)}, {"emotion": np.eye(3)[labels]}) is None
    )


def test_every_probe_has_a_strong_colour_cast() -> None:
    faces = probe_faces([np.full((8, 8, 3), 200, np.uint8)] * 3)
    assert [face[0, 0].tolist() for face in faces] == [[200, 100, 20], [20, 200, 100], [100, 20, 200]]


def drawn(answers: np.ndarray, noise: float, seed: int) -> np.ndarray:
    """Scores (N, C) near ``answers``."""
    rng = np.random.default_rng(seed)
    scores = np.clip(answers + noise * rng.random(answers.shape), 1e-3, None)
    return scores / scores.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("shown", [False, True])
def test_a_rare_mix_up_is_named_through_the_noise_of_quantization(shown: bool) -> None:
    contract = CONTRACT.replace(action_units=())
    labels = np.r_[np.zeros(160, int), np.ones(8, int), np.full(8, 2)]  # neutral, and few of the other two
    expected = drawn(np.eye(3)[labels], 0.2, seed=1)
    candidate = drawn(expected, 0.2, seed=2)
    fault = diagnose(
        lambda tensor: {"emotion": expected},
        [np.zeros((32, 32, 3), np.uint8)] * len(labels),
        {"emotion": candidate[:, [0, 2, 1]] if shown else candidate},
        contract,
        contract,
    )
    assert (fault is not None) == shown
    if fault is not None:
        assert "what it calls fear is anger" in fault.text and "neutral" not in fault.text
        assert fault.after < 0.5 * fault.before


def test_zoom_enlarges_about_the_centre() -> None:
    face = np.zeros((41, 41, 3), np.uint8)
    face[20, 10], face[20, 30] = 255, 255  # two eyes, 20 pixels apart
    row = rescale(face, 1.5)[20, :, 0]
    left, right = row[:20].argmax(), 21 + row[21:].argmax()
    assert right - left == pytest.approx(30, abs=1)
