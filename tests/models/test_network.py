from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fermobile.models.backbones import BACKBONES
from fermobile.models.keras import keras
from fermobile.models.network import (
    NetworkSpec,
    build_head,
    build_network,
    copy_weights,
    feature_model,
    heads,
)
from fermobile.training.transfer import unfreeze

EMOTIONS, AUS = ("neutral", "happiness", "surprise"), ("AU4", "AU12")


def spec(
    backbone: str = "mobilenet_v1", emotions: tuple[str, ...] = EMOTIONS, aus: tuple[str, ...] = AUS
) -> NetworkSpec:
    return NetworkSpec(backbone, 0.35, 32, emotions, aus)


def logits_model(model: keras.Model) -> keras.Model:
    return keras.Model(model.input, [model.get_layer(f"{head}_logits").output for head in heads(model)])


@pytest.mark.parametrize("backbone", ["mobilenet_v1", "mobilenet_v2"])
@pytest.mark.parametrize(("emotions", "aus"), [(EMOTIONS, ()), ((), AUS), (EMOTIONS, AUS)])
def test_heads_give_probabilities_of_their_logits(
    backbone: str, emotions: tuple[str, ...], aus: tuple[str, ...]
) -> None:
    model = build_network(spec(backbone, emotions, aus))
    assert heads(model) == tuple(h for h, labels in (("emotion", emotions), ("au", aus)) if labels)
    x = np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3)).astype(np.float32)
    outputs, logits = (m(x) for m in (model, logits_model(model)))
    outputs, logits = (o if isinstance(o, list) else [o] for o in (outputs, logits))
    for head, p, z in zip(heads(model), outputs, logits, strict=True):
        z = z.numpy()
        expected = np.exp(z) / np.exp(z).sum(1, keepdims=True) if head == "emotion" else 1 / (1 + np.exp(-z))
        np.testing.assert_allclose(p.numpy(), expected, atol=1e-6)


def test_the_head_alone_continues_the_features() -> None:
    model = build_network(spec())
    x = np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3)).astype(np.float32)
    features = feature_model(model)(x)
    head = build_head(features.shape[1], spec())
    copy_weights(model, head)
    for a, b in zip(head(features), model(x), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-6)


def test_weights_move_between_input_sizes() -> None:
    small = build_network(spec())
    large = build_network(NetworkSpec("mobilenet_v1", 0.35, 64, EMOTIONS, AUS))
    copied = copy_weights(small, large)
    assert copied == sum(bool(layer.get_weights()) for layer in small.layers)
    for a, b in zip(small.get_weights(), large.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


_SLOW = pytest.param("densenet201", marks=pytest.mark.slow)  # built like densenet121, of more layers


@pytest.fixture(scope="module", params=[*(_SLOW if b == "densenet201" else b for b in BACKBONES), "awei with vgg"])
def every(request: pytest.FixtureRequest) -> tuple[NetworkSpec, keras.Model]:
    """Each backbone under its head."""
    backbone = request.param.split()[0]
    spec = NetworkSpec(backbone, 1.0, 64, EMOTIONS, AUS, frozen_vgg=backbone != request.param)
    return spec, build_network(spec)


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (count, 64, 64, 3)).astype(np.float32)


def test_every_network_is_flat_and_has_both_heads(every: tuple[NetworkSpec, keras.Model]) -> None:
    _, model = every
    assert not [layer.name for layer in model.layers if isinstance(layer, keras.Model)]
    assert model.output_shape == [(None, 3), (None, 2)] and heads(model) == ("emotion", "au")
    assert [o.shape[1] for o in logits_model(model).outputs] == [3, 2]


def test_a_prediction_depends_on_its_image_alone(every: tuple[NetworkSpec, keras.Model]) -> None:
    """Not on the batch's size or order: a published record attends across the batch."""
    model = logits_model(every[1])
    x = images(4)
    order = np.array([2, 0, 3, 1])
    whole, mixed = model(x), model(x[order])
    alone = [model(x[i : i + 1]) for i in range(4)]
    for head in range(2):
        scale = np.abs(whole[head]).max()
        assert np.ptp(whole[head].numpy(), axis=0).max() > 1e-4 * scale, "the images are told apart"
        np.testing.assert_allclose(mixed[head].numpy(), whole[head].numpy()[order], atol=1e-5 * scale)
        single = np.concatenate([one[head].numpy() for one in alone])
        np.testing.assert_allclose(single, whole[head].numpy(), atol=1e-5 * scale)


def test_weights_come_back_from_a_file(every: tuple[NetworkSpec, keras.Model], tmp_path: Path) -> None:
    spec, model = every
    model.save_weights(str(tmp_path / "model.weights.h5"))
    again = build_network(spec)
    again.load_weights(str(tmp_path / "model.weights.h5"))
    for a, b in zip(model(images(2)), again(images(2)), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_unfreezing_from_a_layer_on_leaves_what_never_trains(every: tuple[NetworkSpec, keras.Model]) -> None:
    _, model = every
    before = {layer.name: layer.trainable for layer in model.layers}
    trainable = [layer for layer in model.layers if layer.trainable_weights]
    chosen = trainable[len(trainable) // 2 :]
    unfreeze(model, chosen[0].name)
    assert [layer.name for layer in model.layers if layer.trainable_weights] == [layer.name for layer in chosen]
    for layer in model.layers:
        layer.trainable = before[layer.name]
