from __future__ import annotations

import numpy as np
import pytest

from fermobile.errors import InputError
from fermobile.models.backbones import build_backbone
from fermobile.models.keras import keras
from fermobile.models.network import (
    NetworkSpec,
    build_head,
    build_network,
    copy_weights,
    feature_model,
    set_frozen_vgg,
)

SPEC = NetworkSpec("awei", 1.0, 64, tuple("abcdefg"), (), dropout=0.5, frozen_vgg=True)


def images(size: int = 64) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (3, size, size, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    return build_network(SPEC)


def test_the_paper_s_shapes_and_weights() -> None:
    model = build_network(NetworkSpec("awei", 1.0, 224, tuple("abcdefg"), ()))
    assert model.get_layer("awei_add").output_shape == (None, 7, 7, 512)
    assert feature_model(model).output_shape == (None, 7 * 7 * 512)
    convolutions = sum(9 * a * b + b for a, b in ((3, 32), (32, 64), (64, 128), (128, 256), (256, 512), (3, 512)))
    dense = (7 * 7 * 512) * 1792 + 1792 + 1792 * 7 + 7
    assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) == convolutions + dense
    assert model.count_params() == convolutions + dense + (3 * 3 + 3)  # the fixed input layer


def test_the_jump_sees_the_brightest_of_each_32_pixels(network: keras.Model) -> None:
    jump = keras.Model(network.input, network.get_layer("awei_jump_pool").output)(images()).numpy()
    unit = images() / 2 + 0.5
    np.testing.assert_allclose(jump, unit.reshape(3, 2, 32, 2, 32, 3).max(axis=(2, 4)), atol=1e-6)


def test_vgg_features_are_added_and_never_trained(network: keras.Model) -> None:
    vgg = build_backbone("vgg16", 1.0, 64, None)
    set_frozen_vgg(network, vgg)
    own = keras.Model(network.input, network.get_layer("awei_add").output)(images()).numpy()
    expected = own.reshape(3, -1) + vgg(images()).numpy().reshape(3, -1)
    np.testing.assert_allclose(feature_model(network)(images()).numpy(), expected, atol=1e-5 * np.abs(expected).max())
    trained = {w.name.split("/")[0] for w in network.trainable_weights}
    assert trained == {*(f"awei_conv{i}" for i in range(1, 6)), "awei_jump", "head_dense", "emotion_logits"}
    assert network.count_params() == build_network(SPEC_WITHOUT).count_params() + vgg.count_params()


SPEC_WITHOUT = NetworkSpec("awei", 1.0, 64, tuple("abcdefg"), (), dropout=0.5)


def test_another_network_is_no_vgg(network: keras.Model) -> None:
    other = build_network(NetworkSpec("resnet18", 1.0, 64, tuple("abcdefg"), ()))
    with pytest.raises(InputError, match=r"must be a VGG-16; resnet18 has no layer 'vgg16_input'"):
        set_frozen_vgg(network, other)


def test_the_head_alone_continues_the_features(network: keras.Model) -> None:
    head = build_head(2 * 2 * 512, SPEC)
    assert copy_weights(network, head) == 2
    features = feature_model(network)(images())
    np.testing.assert_allclose(head(features).numpy(), network(images()).numpy(), atol=1e-6)
