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
CONTRACT = ModelContract("m", EMOTIONS, ("AU4", "AU12"), InputSpec(32))


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
    # AU4 has no column, AU12 is labelled on five rows
    np.testing.assert_array_equal(targets.au_weight[:, 0], np.zeros(8))
    np.testing.assert_array_equal(targets.au_weight[:, 1], [1, 1, 1, 1, 0, 0, 0, 1])
    assert targets.au[7, 1] == 1 and targets.labelled.all()


def test_hard_labels_leave_rows_without_a_majority_out(dataset: Dataset) -> None:
    with pytest.raises(DatasetError, match="no training example of surprise"):
        make_targets(dataset, np.arange(8), CONTRACT, LabelRecipe(soft=False))
    two = CONTRACT.replace(emotions=EMOTIONS[:2])
    targets = make_targets(dataset, np.arange(8), two, LabelRecipe(soft=False))
    assert targets.emotion_weight[6] == 0 and targets.emotion[4].tolist() == [0, 1]


def test_smoothing_keeps_distributions(dataset: Dataset) -> None:
    targets = make_targets(dataset, np.arange(7), CONTRACT, LabelRecipe(smoothing=0.3))
    np.testing.assert_allclose(targets.emotion.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(targets.emotion[0], [0.8, 0.1, 0.1], rtol=1e-6)


def test_full_balance_gives_every_class_the_same_total_weight(dataset: Dataset) -> None:
    targets = make_targets(dataset, np.arange(7), CONTRACT, LabelRecipe(balance=1.0))
    counts = make_targets(dataset, np.arange(7), CONTRACT, LabelRecipe()).emotion.sum(axis=0)
    # A rarer class weighs more, in proportion to how rare it is.
    assert targets.emotion_weight[6] > targets.emotion_weight[0]
    np.testing.assert_allclose(targets.emotion_weight.mean(), 1, rtol=1e-6)
    ratio = targets.emotion_weight[6] / targets.emotion_weight[0]
    expected = (0.5 / counts[1] + 0.5 / counts[2]) / (1 / counts[0])
    np.testing.assert_allclose(ratio, expected, rtol=1e-5)
