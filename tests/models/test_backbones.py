from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from fermobile.errors import InputError, ModelFileError
from fermobile.models import backbones
from fermobile.models.backbones import BACKBONES, build_backbone
from fermobile.models.keras import keras


def test_weights_come_from_a_file(tmp_path: Path) -> None:
    source = build_backbone("mobilenet_v1", 0.25, 32, None)
    source.save_weights(str(tmp_path / "w.h5"))
    loaded = build_backbone("mobilenet_v1", 0.25, 64, str(tmp_path / "w.h5"))
    np.testing.assert_array_equal(source.get_weights()[0], loaded.get_weights()[0])


def test_a_file_that_does_not_fit_is_named(tmp_path: Path) -> None:
    build_backbone("mobilenet_v1", 0.25, 32, None).save_weights(str(tmp_path / "w.h5"))
    with pytest.raises(ModelFileError, match=r"w\.h5 does not fit mobilenet_v1 with alpha 0\.5"):
        build_backbone("mobilenet_v1", 0.5, 32, str(tmp_path / "w.h5"))
    (tmp_path / "text.h5").write_text("no weights")
    with pytest.raises(ModelFileError, match=r"text\.h5"):
        build_backbone("mobilenet_v1", 0.5, 32, str(tmp_path / "text.h5"))


def test_imagenet_weights_are_found_in_the_cache_whatever_size_they_were_published_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models").mkdir()
    source = build_backbone("mobilenet_v1", 0.25, 32, None)
    source.save_weights(str(tmp_path / "models" / "mobilenet_2_5_128_tf_no_top.h5"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    loaded = build_backbone("mobilenet_v1", 0.25, 96, "imagenet")
    np.testing.assert_array_equal(source.get_weights()[0], loaded.get_weights()[0])


def test_a_failed_download_says_where_keras_looks_and_how_to_pass_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*args: object, **kwargs: object) -> None:
        raise OSError("no network")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras.utils, "get_file", no_network)
    monkeypatch.setattr("tf_keras.src.utils.data_utils.get_file", no_network)
    with pytest.raises(InputError) as error:
        build_backbone("mobilenet_v1", 0.5, 96, "imagenet")
    for part in (str(tmp_path / "models"), "mobilenet_5_0_*_tf_no_top.h5", "--weights PATH", "--weights none"):
        assert part in str(error.value)


def test_a_download_keeps_stdout_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = build_backbone("mobilenet_v1", 0.5, 32, None)

    def construct(weights: str | None, **kwargs: object) -> object:
        if weights == "imagenet":
            print("Downloading data")
            source.save_weights(str(tmp_path / "models" / "mobilenet_5_0_128_tf_no_top.h5"))
            return source
        return keras.applications.MobileNet(weights=weights, **kwargs)

    (tmp_path / "models").mkdir()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setitem(BACKBONES, "mobilenet_v1", dataclasses.replace(BACKBONES["mobilenet_v1"], network=construct))
    build_backbone("mobilenet_v1", 0.5, 32, "imagenet")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "Downloading data\n")


def test_unknown_names_and_widths_list_the_choices() -> None:
    with pytest.raises(InputError, match="mobilenet_v1, mobilenet_v2, densenet121, densenet201, resnet18, vgg16, awei"):
        build_backbone("resnet", 1.0, 96, None)
    with pytest.raises(InputError, match=r"0\.25, 0\.5, 0\.75, 1\.0"):
        build_backbone("mobilenet_v1", 0.3, 96, "imagenet")
    with pytest.raises(InputError, match=r"vgg16 has no width multiplier.*mobilenet_v1, mobilenet_v2"):
        build_backbone("vgg16", 0.5, 96, None)
    with pytest.raises(InputError, match=r"Keras publishes no ImageNet weights for resnet18"):
        build_backbone("resnet18", 1.0, 96, "imagenet")


#: weights of the published network without its top, and the channels of its last feature map
_KNOWN = {
    "mobilenet_v1": (3_228_864, 1024),
    "mobilenet_v2": (2_257_984, 1280),
    "densenet121": (7_037_504, 1024),
    "densenet201": (18_321_984, 1920),
    "resnet18": (11_176_512 + 9_600, 512),  # torchvision's 11,689,512 less its top's 513,000; its BatchNorm statistics
    "vgg16": (14_714_688, 512),
}


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n == "densenet201" else n for n in _KNOWN])
def test_a_backbone_is_the_published_network(name: str) -> None:
    model = build_backbone(name, 1.0, 64, None)
    weights, channels = _KNOWN[name]
    converts = BACKBONES[name].input != "signed"
    assert model.count_params() - (3 * 3 + 3) * converts == weights
    assert model.input_shape == (None, 64, 64, 3) and model.output_shape == (None, 2, 2, channels)


def pixels(size: int = 32) -> np.ndarray:
    """Every channel has values of its own, black and white among them."""
    images = np.random.default_rng(0).integers(0, 256, (2, size, size, 3)).astype(np.float32)
    images[0, 0, 0], images[0, 0, 1] = 0, 255
    return images * np.float32([1, 0.8, 0.6])


_PREPROCESSING = {
    "densenet121": keras.applications.densenet.preprocess_input,
    "densenet201": keras.applications.densenet.preprocess_input,
    "resnet18": lambda x: keras.applications.imagenet_utils.preprocess_input(x, mode="torch"),
    "vgg16": keras.applications.vgg16.preprocess_input,
    "awei": lambda x: x / 255,
}


@pytest.mark.parametrize("name", _PREPROCESSING)
def test_the_fixed_input_layer_is_the_published_preprocessing(name: str) -> None:
    images = keras.Input((32, 32, 3))
    model = keras.Model(images, backbones._published_input(name, images))
    expected = _PREPROCESSING[name](pixels())
    np.testing.assert_allclose(model(pixels() / 127.5 - 1).numpy(), expected, atol=2e-7 * np.abs(expected).max())
    assert not model.trainable_weights


@pytest.mark.parametrize("name", [pytest.param("densenet121", marks=pytest.mark.slow), "vgg16"])
def test_a_published_file_gives_what_it_gives_in_keras(name: str, tmp_path: Path) -> None:
    published = BACKBONES[name].network(input_shape=(32, 32, 3), include_top=False, weights=None)
    published.save_weights(str(tmp_path / "w.h5"))
    ours = build_backbone(name, 1.0, 32, str(tmp_path / "w.h5"))
    expected = published(_PREPROCESSING[name](pixels())).numpy()
    assert expected.std() > 0
    np.testing.assert_allclose(ours(pixels() / 127.5 - 1).numpy(), expected, atol=1e-5 * np.abs(expected).max())


def test_statistics_follow_a_short_training() -> None:
    normalised = [layer for layer in build_backbone("mobilenet_v2", 0.35, 32, None).layers if "momentum" in vars(layer)]
    assert len(normalised) == 52 and {layer.momentum for layer in normalised} == {0.99}


def test_the_weights_of_public_files_load(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(shared / "weights"))
    for name, alpha in (("mobilenet_v1", 0.5), ("mobilenet_v2", 1.0)):
        weights = build_backbone(name, alpha, 96, "imagenet").get_weights()
        assert all(np.isfinite(w).all() for w in weights)
