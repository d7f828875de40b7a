from __future__ import annotations

import numpy as np
import pytest

from fermobile.models.keras import keras
from fermobile.models.resnet import resnet18


@pytest.fixture(scope="module")
def network() -> keras.Model:
    images = keras.Input((32, 32, 3))
    return keras.Model(images, resnet18(images))


def test_the_groups_halve_the_map_and_double_the_channels(network: keras.Model) -> None:
    maps = [network.get_layer(f"layer{group}_1_relu2").output_shape[1:] for group in (1, 2, 3, 4)]
    assert maps == [(8, 8, 64), (4, 4, 128), (2, 2, 256), (1, 1, 512)]
    shortcuts = [layer.name for layer in network.layers if layer.name.endswith("downsample_0")]
    assert shortcuts == ["layer2_0_downsample_0", "layer3_0_downsample_0", "layer4_0_downsample_0"]


@pytest.mark.parametrize(("layer", "before"), [("conv1", None), ("layer2_0_conv1", "layer1_1_relu2")])
def test_strided_convolutions_are_centred_on_every_second_pixel_as_torch_pads(
    network: keras.Model, layer: str, before: str | None
) -> None:
    conv = network.get_layer(layer)
    (kernel,) = conv.get_weights()
    centre = np.zeros_like(kernel)
    middle = kernel.shape[0] // 2
    centre[middle, middle] = np.eye(*kernel.shape[2:])
    conv.set_weights([centre])
    source = network.input if before is None else network.get_layer(before).output
    given, found = keras.Model(network.input, [source, conv.output])(
        np.random.default_rng(0).normal(size=(1, 32, 32, 3)).astype(np.float32)
    )
    channels = given.shape[-1]
    np.testing.assert_allclose(found.numpy()[..., :channels], given.numpy()[:, ::2, ::2], atol=1e-6)


def test_a_block_whose_last_norm_is_zero_passes_its_input_on(network: keras.Model) -> None:
    norm = network.get_layer("layer1_1_bn2")
    gamma, *rest = norm.get_weights()
    norm.set_weights([np.zeros_like(gamma), *rest])
    inner = [network.get_layer(f"layer1_{block}_relu2").output for block in (0, 1)]
    before, after = keras.Model(network.input, inner)(np.random.default_rng(0).normal(size=(1, 32, 32, 3)))
    assert before.numpy().any()
    np.testing.assert_array_equal(before.numpy(), after.numpy())
