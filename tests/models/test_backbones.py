from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fermobile.errors import InputError, ModelFileError
from fermobile.models import backbones
from fermobile.models.backbones import build_backbone
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

    (tmp_path / "models").mkdir()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setitem(backbones.BACKBONES, "mobilenet_v1", (construct, *backbones.BACKBONES["mobilenet_v1"][1:]))
    build_backbone("mobilenet_v1", 0.5, 32, "imagenet")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "Downloading data\n")


def test_unknown_names_and_widths_list_the_choices() -> None:
    with pytest.raises(InputError, match="mobilenet_v1, mobilenet_v2"):
        build_backbone("resnet", 1.0, 96, None)
    with pytest.raises(InputError, match=r"0\.25, 0\.5, 0\.75, 1\.0"):
        build_backbone("mobilenet_v1", 0.3, 96, "imagenet")


def test_the_weights_of_public_files_load(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(shared / "weights"))
    for name, alpha in (("mobilenet_v1", 0.5), ("mobilenet_v2", 1.0)):
        weights = build_backbone(name, alpha, 96, "imagenet").get_weights()
        assert all(np.isfinite(w).all() for w in weights)
