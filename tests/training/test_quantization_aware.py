from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fermobile.contract import InputSpec, ModelContract
from fermobile.data.manifest import Dataset
from fermobile.errors import RunError
from fermobile.models.keras import keras, tf
from fermobile.models.network import NetworkSpec, build_network, fold_head
from fermobile.training.quantization_aware import _freeze_statistics, quantize, quantized_network, settle_ranges
from fermobile.training.scoring import predict_rows
from fermobile.training.transfer import train

from .test_transfer import RECIPE

CONTRACT = ModelContract("m", ("neutral", "happiness"), ("AU4", "AU12", "AU25"), InputSpec(32))


def test_the_folded_head_is_the_same_function() -> None:
    model = build_network(NetworkSpec("mobilenet_v1", 0.25, 32, CONTRACT.emotions, CONTRACT.action_units))
    rng = np.random.default_rng(0)
    bn = model.get_layer("head_bn")
    bn.set_weights([rng.uniform(0.5, 2, w.shape).astype(np.float32) for w in bn.get_weights()])
    x = rng.uniform(-1, 1, (4, 32, 32, 3)).astype(np.float32)
    for a, b in zip(model(x), fold_head(model, {"emotion": 2, "au": 3})(x), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=2e-6)


@pytest.mark.slow
def test_quantizing_keeps_the_answers_and_reloads(patterns: Dataset, tmp_path: Path) -> None:
    recipe = RECIPE.override(**{"tune.epochs": 6, "quantize.epochs": 3, "quantize.batch": 16})
    run = train(recipe, patterns, tmp_path / "float")
    quantized = quantize(run, patterns, tmp_path / "qat")
    assert quantized.quantized and quantized.info["parent"] == run.weights_sha256
    rows = patterns.indices("val")
    before = predict_rows(run.load_model(), patterns, rows, run.contract)
    after = predict_rows(quantized.load_model(), patterns, rows, quantized.contract)
    assert (before["emotion"].argmax(1) == after["emotion"].argmax(1)).mean() > 0.8
    with pytest.raises(RunError, match="quantized already"):
        quantize(quantized, patterns, tmp_path / "again")


@pytest.mark.slow
def test_the_input_range_is_that_of_the_bytes() -> None:
    model = build_network(NetworkSpec("mobilenet_v1", 0.25, 32, CONTRACT.emotions, ()))
    quantized = quantized_network(model, CONTRACT.replace(action_units=()))
    # A second network of the same process is named otherwise by Keras.
    for network in (quantized, quantized_network(model, CONTRACT.replace(action_units=()))):
        ends = sorted(float(w.numpy()) for w in network.layers[1].weights if w.name.endswith(("_min:0", "_max:0")))
        assert ends == [-1.0, 1.0]


@pytest.mark.slow
def test_ranges_start_where_the_activations_are() -> None:
    model = build_network(NetworkSpec("mobilenet_v1", 0.25, 32, CONTRACT.emotions, ()))
    x = np.random.default_rng(0).uniform(-1, 1, (8, 32, 32, 3)).astype(np.float32)
    largest = keras.Model(model.input, model.get_layer("conv1_relu").output)(x).numpy().max()
    quantized = quantized_network(model, CONTRACT.replace(action_units=()))
    _freeze_statistics(quantized)
    settle_ranges(quantized, [tf.constant(x)] * 20)
    found = [float(w.numpy()) for w in quantized.weights if "conv1_relu" in w.name and "max" in w.name]
    assert found == pytest.approx([largest], rel=0.05)  # weights are rounded to eight bits
