"""A tiny trained network with both heads, shared by the tests of export and verify."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest

from fermobile.contract import CropSpec, InputSpec, ModelContract
from fermobile.data.manifest import Dataset, DatasetInfo, write_dataset

SIZE = 32
EMOTIONS = ("neutral", "happiness", "surprise", "sadness")
ACTION_UNITS = ("AU6", "AU12", "AU25")


def faces(count: int, seed: int, grey: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Colour patterns that stand for faces: uint8 (N, 32, 32, 3), emotions (N,), action units (N, 3).

    Each class has a coloured pattern of its own, in place and in colour, so that every planted fault costs.
    """
    rng = np.random.default_rng(seed)
    emotions = rng.integers(0, len(EMOTIONS), count)
    aus = rng.integers(0, 2, (count, len(ACTION_UNITS)))
    images = np.full((count, SIZE, SIZE, 3), 110.0)
    for i in range(count):
        row, column = divmod(int(emotions[i]), 2)
        images[i, 3 + 13 * row : 16 + 13 * row, 3 + 13 * column : 16 + 13 * column, emotions[i] % 3] += 90
        for j in range(len(ACTION_UNITS)):
            if aus[i, j]:
                images[i, 26:31, 2 + 10 * j : 10 + 10 * j, j] -= 80
    images += rng.normal(0, 18, images.shape) + rng.uniform(-15, 15, (count, 1, 1, 1))
    if grey:
        images[:] = images.mean(axis=3, keepdims=True)
    return np.clip(images, 0, 255).astype(np.uint8), emotions, aus


@pytest.fixture(scope="session")
def contract() -> ModelContract:
    return ModelContract("tiny", EMOTIONS, ACTION_UNITS, InputSpec(SIZE), CropSpec(0.35, 0.36))


@pytest.fixture(scope="session")
def model(contract: ModelContract) -> object:
    """A trained tf_keras model, float32 (N, 32, 32, 3) in [-1, 1] -> [emotion, au]."""
    from fermobile.data.images import normalise
    from fermobile.models.keras import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    image = keras.Input((SIZE, SIZE, 3))
    x = image
    for filters in (12, 24, 32):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(x)
        x = layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.8)(x))
    x = layers.Flatten()(x)
    heads = [
        layers.Activation("softmax", name="emotion")(layers.Dense(len(EMOTIONS), name="emotion_logits")(x)),
        layers.Activation("sigmoid", name="au")(layers.Dense(len(ACTION_UNITS), name="au_logits")(x)),
    ]
    model = keras.Model(image, heads)
    model.compile(keras.optimizers.Adam(3e-3), ["sparse_categorical_crossentropy", "binary_crossentropy"])
    images, emotions, aus = faces(768, seed=1)
    model.fit(normalise(images, contract.input), [emotions, aus], batch_size=32, epochs=5, verbose=0)
    return model


@pytest.fixture(scope="session")
def calibration(contract: ModelContract) -> object:
    """A calibration set of 100 such images."""
    from fermobile.data.images import normalise
    from fermobile.export.calibration_set import CalibrationSet

    pixels = faces(100, seed=3)[0]
    pixels[0, 0, 0], pixels[0, 0, 1] = 0, 255
    return CalibrationSet(normalise(pixels, contract.input), "hash", "patterns", "content")


@pytest.fixture(scope="session")
def int8_file(model: object, contract: ModelContract, calibration: object) -> tuple[bytes, ModelContract]:
    """The full-integer file with uint8 ends, and its contract."""
    pytest.importorskip("mediapipe")
    from fermobile.export.convert import convert

    return convert(model, contract, "int8", "uint8", calibration=calibration)


def write_faces(folder: Path, grey: bool = False, smooth: bool = False) -> Dataset:
    """A dataset folder with a test split of 160 such images."""
    images, emotions, aus = faces(160, seed=7, grey=grey)
    with write_dataset(folder, DatasetInfo("patterns", EMOTIONS, ACTION_UNITS)) as writer:
        for image, emotion, units in zip(images, emotions, aus, strict=True):
            labels = dict(zip(ACTION_UNITS, map(int, units), strict=True))
            image = cv2.GaussianBlur(image, (0, 0), 1.5) if smooth else image
            writer.add_array(image, split="test", emotion=EMOTIONS[emotion], aus=labels)
    return Dataset(folder)


@pytest.fixture(scope="session")
def colour(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return write_faces(tmp_path_factory.mktemp("data") / "colour")


@pytest.fixture(scope="session")
def grey(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return write_faces(tmp_path_factory.mktemp("data") / "grey", grey=True)


@pytest.fixture(scope="session")
def smooth(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Without pixel noise, as photos are: resizing them twice costs little."""
    return write_faces(tmp_path_factory.mktemp("data") / "smooth", smooth=True)


@dataclass
class FakeRun:
    """What verify and export need of a run."""

    contract: ModelContract
    model: object
    folder: Path = Path("runs/tiny")
    quantized: bool = False
    weights_sha256: str = "0" * 64
    info: dict[str, dict[str, str]] = field(default_factory=dict)

    def load_model(self) -> object:
        return self.model


@pytest.fixture(scope="session")
def run(model: object, contract: ModelContract) -> FakeRun:
    return FakeRun(contract, model)


@pytest.fixture
def patterns() -> np.ndarray:
    """Forty images that no one has seen: uint8 (40, 32, 32, 3)."""
    return faces(40, seed=11)[0]
