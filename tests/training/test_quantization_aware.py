from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from fermobile.contract import InputSpec, ModelContract
from fermobile.data.manifest import Dataset
from fermobile.data.synthetic import render_faces
from fermobile.errors import InputError, RunError
from fermobile.models.backbones import BACKBONES
from fermobile.models.keras import keras, tf
from fermobile.models.network import NetworkSpec, build_network, feature_model, heads
from fermobile.training.quantization_aware import _freeze_statistics, quantize, quantized_network, settle_ranges
from fermobile.training.runs import Run
from fermobile.training.scoring import calibrated, predict_rows
from fermobile.training.transfer import train

from .test_transfer import DYING, RECIPE, assert_same, killed

_QUANTIZE = """
quantization_aware.quantize(Run.open(sys.argv[4]), dataset, folder)
"""

CONTRACT = ModelContract("m", ("neutral", "happiness"), ("AU4", "AU12", "AU25"), InputSpec(32))


@pytest.mark.slow
def test_quantizing_keeps_the_answers_and_reloads(patterns: Dataset, tmp_path: Path) -> None:
    recipe = RECIPE.override(**{"tune.epochs": 6, "quantize.epochs": 3, "quantize.batch": 16})
    run = train(recipe, patterns, tmp_path / "float")
    run = dataclasses.replace(run, recipe=recipe.override(**{"quantize.learning_rate": 3e-5}))  # as an option does
    quantized = quantize(run, patterns, tmp_path / "qat")
    assert quantized.quantized and quantized.info["parent"] == run.weights_sha256
    assert quantized.contract.provenance["recipe"]["quantize"]["learning_rate"] == 3e-5
    assert quantized.contract.provenance["parent_sha256"] == run.weights_sha256
    assert quantized.contract.provenance["dataset"] == run.contract.provenance["dataset"]
    rows = patterns.indices("val")
    before = predict_rows(run.load_model(), patterns, rows, run.contract)
    after = predict_rows(quantized.load_model(), patterns, rows, quantized.contract)
    assert (before["emotion"].argmax(1) == after["emotion"].argmax(1)).mean() > 0.8
    decided = calibrated(run.contract, patterns, rows, after)  # by what int8 arithmetic says of val, not the float run
    assert quantized.contract.thresholds == decided.thresholds != run.contract.thresholds
    assert quantized.contract.temperature == decided.temperature
    first, second = ([layer.name for layer in quantized.load_model().layers] for _ in range(2))
    assert first == second, "names go into the exported file"
    with pytest.raises(RunError, match="quantized already"):
        quantize(quantized, patterns, tmp_path / "again")


@pytest.mark.slow
def test_a_killed_quantization_is_resumed_by_its_own_command_to_the_same_numbers(
    patterns: Dataset, tmp_path: Path
) -> None:
    recipe = RECIPE.override(**{"tune.epochs": 1, "quantize.epochs": 2, "quantize.batch": 16})
    run = train(recipe, patterns, tmp_path / "float")
    whole, folder = quantize(run, patterns, tmp_path / "whole"), tmp_path / "killed"
    killed(DYING + _QUANTIZE, "quantize", patterns, folder, run.folder)
    with pytest.raises(RunError, match="was started by 'fermobile quantize'"):
        train(recipe, patterns, folder, resume=True)
    other = train(recipe.override(seed=4), patterns, tmp_path / "other")
    with pytest.raises(RunError, match=f"was started from another run than .*other: {run.folder.resolve()}"):
        quantize(other, patterns, folder, resume=True)
    assert_same(quantize(run, patterns, folder, resume=True), whole)
    with pytest.raises(InputError, match="which is read for it"):
        quantize(run, patterns, run.folder, force=True)


@pytest.mark.slow
@pytest.mark.parametrize("backbone", [name for name in BACKBONES if name != "densenet201"])
def test_a_backbone_says_whether_it_can_be_trained_quantized(backbone: str) -> None:
    model = build_network(NetworkSpec(backbone, 1.0, 64, CONTRACT.emotions, CONTRACT.action_units))
    refused = pytest.raises(RuntimeError, match="is not supported")
    with contextlib.nullcontext() if BACKBONES[backbone].quantizes else refused:
        quantized = quantized_network(model, CONTRACT.replace(input=InputSpec(64)))
        assert heads(quantized) == ("emotion", "au")


def test_what_cannot_be_trained_quantized_says_so_and_what_to_do(patterns: Dataset, tmp_path: Path) -> None:
    recipe = RECIPE.override(**{"network.backbone": "densenet121", "network.alpha": 1.0})
    run = Run(tmp_path / "run", CONTRACT, recipe, {"quantized": False, "dataset": {"sha256": patterns.sha256}})
    with pytest.raises(InputError, match=r"densenet121 cannot be .*mobilenet_v1, .*fermobile export .*run --int8"):
        quantize(run, patterns, tmp_path / "qat")


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


@pytest.mark.slow
def test_a_trained_network_survives_eight_bits() -> None:
    """Before any fine-tuning: what is left is rounding, not channels that have lost their bits."""
    model = build_network(NetworkSpec("mobilenet_v1", 0.25, 96, CONTRACT.emotions, CONTRACT.action_units), "faces")
    contract = CONTRACT.replace(input=InputSpec(96))
    faces = [face.image for face in render_faces(32, seed=0, size=96)]
    x = tf.constant(np.stack(faces) / np.float32(127.5) - 1)
    before = feature_model(model)(x).numpy()
    quantized = quantized_network(model, contract)
    _freeze_statistics(quantized)
    settle_ranges(quantized, [x] * 20)
    pooled = next(layer for layer in quantized.layers if layer.name.endswith("head_gap"))
    after = keras.Model(quantized.input, pooled.output)(x).numpy().reshape(before.shape)
    print(np.abs(after - before).mean(), before.std())
    assert np.abs(after - before).mean() < 0.1 * before.std()
