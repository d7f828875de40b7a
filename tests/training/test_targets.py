from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fermobile.contract import InputSpec, ModelContract
from fermobile.data.manifest import Dataset, DatasetInfo, write_dataset
from fermobile.errors import DatasetError
from fermobile.training.recipe import LabelRecipe
from fermobile.training.targets import make_targets

EMOTIONS = ("neutral", "happiness", "surprise")
CONTRACT = ModelContract("m", EMOTIONS, ("AU12",), InputSpec(32))


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Four neutral, two happy, one surprised by vote only, one with AUs only."""
    info = DatasetInfo("d", EMOTIONS, ("AU12",), EMOTIONS)
    image = np.zeros((8, 8), np.uint8)
    with write_dataset(tmp_path / "d", info) as writer:
        for _ in range(4):
            writer.add_array(image, split="train", emotion="neutral", votes=(10.0, 0.0, 0.0), aus={"AU12": 0})
        for _ in range(2):
            writer.add_array(image, split="train", emotion="happiness", votes=(2.0, 8.0, 0.0))
        writer.add_array(image, split="train", votes=(0.0, 5.0, 5.0))
        writer.add_array(image, split="train", aus={"AU12": 1})
    return Dataset(tmp_path / "d")


def test_votes_become_soft_labels_and_unlabelled_rows_weigh_nothing(dataset: Dataset) -> None:
    targets = make_targets(dataset, np.arange(8), CONTRACT, LabelRecipe())
    np.testing.assert_allclose(targets.emotion[[0, 4, 6, 7]], [[1, 0, 0], [0.2, 0.8, 0], [0, 0.5, 0.5], [0, 0, 0]])
    np.testing.assert_array_equal(targets.emotion_weight, [1, 1, 1, 1, 1, 1, 1, 0])
    # AU12 is labelled on five rows
    np.testing.assert_array_equal(targets.au_weight[:, 0], [1, 1, 1, 1, 0, 0, 0, 1])
    assert targets.au[7, 0] == 1 and targets.labelled.all()
    np.testing.assert_allclose(targets.au_rates(), [1 / 5])


def test_an_action_unit_without_a_positive_is_refused(dataset: Dataset) -> None:
    with pytest.raises(DatasetError, match="no training example of AU4; name the others in the recipe's action_units"):
        make_targets(dataset, np.arange(8), CONTRACT.replace(action_units=("AU4", "AU12")), LabelRecipe())
    with pytest.raises(DatasetError, match="no training example of AU12"):
        make_targets(dataset, np.arange(4), CONTRACT.replace(emotions=()), LabelRecipe())


def test_teachers_answers_are_taken_with_their_rows(dataset: Dataset) -> None:
    targets = make_targets(dataset, np.arange(8), CONTRACT, LabelRecipe())
    assert targets.taught_emotion.shape == (8, 0) and targets.taught_au.shape == (8, 0)
    answers = np.random.default_rng(0).random((8, 3)).astype(np.float32)
    taught = targets.taught_by({"emotion": answers}).take(np.array([5, 2]))
    np.testing.assert_array_equal(taught.taught_emotion, answers[[5, 2]])
    assert taught.taught_au.shape == (2, 0)


def test_hard_labels_leave_rows_without_a_majority_out(dataset: Dataset) -> None:
    with pytest.raises(DatasetError, match="no training example of surprise"):
        make_targets(dataset, np.arange(8), CONTRACT, LabelRecipe(soft=False))
    two = CONTRACT.replace(emotions=EMOTIONS[:2])
    targets = make_targets(dataset, np.arange(8), two, LabelRecipe(soft=False))
    assert targets.emotion_weight[6] == 0 and targets.emotion[4].tolist() == [0, 1]


def test_smoothing_keeps_distributions(dataset: Dataset) -> None:
    targets = make_targets(dataset, np.arange(7), CONTRACT.replace(action_units=()), LabelRecipe(smoothing=0.3))
    np.testing.assert_allclose(targets.emotion.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(targets.emotion[0], [0.8, 0.1, 0.1], rtol=1e-6)


def test_full_balance_gives_every_class_the_same_total_weight(dataset: Dataset) -> None:
    targets = make_targets(dataset, np.arange(7), CONTRACT.replace(action_units=()), LabelRecipe(balance=1.0))
    counts = make_targets(dataset, np.arange(7), CONTRACT.replace(action_units=()), LabelRecipe()).emotion.sum(axis=0)
    # A rarer class weighs more, in proportion to how rare it is.
    assert targets.emotion_weight[6] > targets.emotion_weight[0]
    np.testing.assert_allclose(targets.emotion_weight.mean(), 1, rtol=1e-6)
    ratio = targets.emotion_weight[6] / targets.emotion_weight[0]
    expected = (0.5 / counts[1] + 0.5 / counts[2]) / (1 / counts[0])
    np.testing.assert_allclose(ratio, expected, rtol=1e-5)
