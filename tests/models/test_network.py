from __future__ import annotations

import numpy as np
import pytest

from fermobile.models.network import (
    NetworkSpec,
    build_head,
    build_network,
    copy_weights,
    feature_model,
    heads,
    logits_model,
)

EMOTIONS, AUS = ("neutral", "happiness", "surprise"), ("AU4", "AU12")


def spec(
    backbone: str = "mobilenet_v1", emotions: tuple[str, ...] = EMOTIONS, aus: tuple[str, ...] = AUS
) -> NetworkSpec:
    return NetworkSpec(backbone, 0.35, 32, emotions, aus)


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
