from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from fermobile.contract import InputSpec, ModelContract
from fermobile.data.folds import balanced_folds
from fermobile.data.info import set_folds
from fermobile.data.joined import JoinedDataset, where
from fermobile.data.manifest import Dataset
from fermobile.errors import InputError, RunError
from fermobile.models.keras import keras
from fermobile.training.recipe import Recipe
from fermobile.training.runs import Run, start_run
from fermobile.training.start import initial_network, learned_from, refuse_other_splits, starting_points, weights_name
from fermobile.training.transfer import starting_contract, train

from .test_transfer import RECIPE

CONTRACT = ModelContract("m", ("neutral", "happiness", "surprise"), ("AU4", "AU12"), InputSpec(32))
VGG = RECIPE.override(**{"network.backbone": "vgg16", "network.alpha": 1.0, "head.epochs": 0, "tune.epochs": 1})


@pytest.fixture(scope="module")
def vgg(patterns: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(VGG, patterns, tmp_path_factory.mktemp("runs") / "vgg")


def awei(frozen_vgg: Path | str) -> Recipe:
    return VGG.override(**{"network.backbone": "awei", "network.frozen_vgg": str(frozen_vgg), "network.dropout": 0.5})


def test_awei_trains_beside_a_frozen_run_and_opens_without_it(vgg: Run, patterns: Dataset, tmp_path: Path) -> None:
    run = train(awei(vgg.folder), patterns, tmp_path / "awei")
    assert run.contract.provenance["recipe"]["network"]["frozen_vgg"] == f"vgg (sha256 {vgg.weights_sha256})"
    info = run.folder / "run.json"
    assert str(vgg.folder) in info.read_text()
    info.write_text(info.read_text().replace(str(vgg.folder), "/gone"))
    assert_same_vgg(vgg.load_model(), Run.open(run.folder).load_model())


def assert_same_vgg(expected: keras.Model, model: keras.Model) -> None:
    blocks = [layer for layer in expected.layers if layer.name.startswith("block") and layer.weights]
    assert len(blocks) == 13
    for layer in blocks:
        for a, b in zip(layer.get_weights(), model.get_layer(layer.name).get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_force_keeps_the_run_that_the_vgg_comes_from(vgg: Run, patterns: Dataset) -> None:
    with pytest.raises(InputError, match="which is read for it"):
        train(awei(vgg.folder), patterns, vgg.folder, force=True)


def test_a_keras_file_serves_as_the_frozen_vgg(tmp_path: Path) -> None:
    published = keras.applications.VGG16(input_shape=(32, 32, 3), include_top=False, weights=None)
    published.save_weights(str(tmp_path / "vgg.h5"))
    assert_same_vgg(published, initial_network(awei(tmp_path / "vgg.h5"), CONTRACT))


def test_weights_of_another_backbone_are_refused(vgg: Run) -> None:
    with pytest.raises(InputError, match="that run's backbone is vgg16, not resnet18"):
        initial_network(VGG.override(**{"network.backbone": "resnet18", "network.weights": str(vgg.folder)}), CONTRACT)
    with pytest.raises(InputError, match="frozen_vgg is Awei's; vgg16 has none"):
        VGG.override(**{"network.frozen_vgg": "imagenet"})


def test_a_self_cure_stage_starts_from_the_run_before_it(vgg: Run) -> None:
    stage = VGG.override(**{"network.weights": str(vgg.folder), "self_cure.enabled": True, "labels.soft": False})
    for a, b in zip(initial_network(stage, CONTRACT).get_weights(), vgg.load_model().get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_provenance_names_weights_by_their_hash(vgg: Run) -> None:
    assert weights_name("imagenet") == "imagenet"
    assert weights_name(str(vgg.folder)) == f"vgg (sha256 {vgg.weights_sha256})"


def test_what_another_fold_trained_on_is_no_teacher_and_no_start(patterns: Dataset, tmp_path: Path) -> None:
    shutil.copytree(patterns.folder, tmp_path / "d")
    set_folds(tmp_path / "d", balanced_folds(patterns.subject, 3, 0, "d"))
    short = RECIPE.override(**{"head.epochs": 1, "tune.epochs": 0})
    other = train(short, Dataset(tmp_path / "d", fold=2), tmp_path / "two").folder
    for changes in ({"network.weights": str(other)}, {"distill.teachers": [str(other)]}):
        recipe = short.override(**changes)
        with pytest.raises(
            InputError, match=r"comes of a training on another fold of .*, so it has seen faces that are held out here"
        ):
            train(recipe, Dataset(tmp_path / "d", fold=1), tmp_path / "one")
        assert not (tmp_path / "one").exists()
    # Of its own fold it may be.
    train(short.override(**{"distill.teachers": [str(other)]}), Dataset(tmp_path / "d", fold=2), tmp_path / "student")


def test_what_learned_from_a_fold_by_a_detour_is_none_either(patterns: Dataset, tmp_path: Path) -> None:
    for name in ("d", "other"):
        shutil.copytree(patterns.folder, tmp_path / name)
    set_folds(tmp_path / "d", balanced_folds(patterns.subject, 3, 0, "d"))
    dataset, short = Dataset(tmp_path / "d", fold=1), RECIPE.override(**{"head.epochs": 1, "tune.epochs": 0})

    def run(name: str, learned: Dataset, began: str = "none", added: Sequence[Dataset] = ()) -> Path:
        recipe = short.override(**{"network.weights": str(tmp_path / began) if began != "none" else began})
        contract = starting_contract(recipe, learned)
        start_run(tmp_path / name, contract, recipe, dataset=where(JoinedDataset(learned, added) if added else learned))
        return tmp_path / name

    other, second = Dataset(tmp_path / "other"), Dataset(tmp_path / "d", fold=2)
    other.sha256 = "0" * 64  # as if of other images
    detours = [
        run("as an added set", other, added=[Dataset(tmp_path / "d")]),
        run("from its weights", other, began=run("first", second).name),
    ]
    for path in detours:
        for entry in ("network.weights", "distill.teachers"):
            recipe = short.override(**{entry: str(path) if entry == "network.weights" else [str(path)]})
            with pytest.raises(InputError, match="held out here"):
                refuse_other_splits(recipe, dataset)
            refuse_other_splits(recipe, other)
    other.info = dataclasses.replace(other.info, extra={"pseudo_labels": {"learned_from": learned_from(detours)}})
    with pytest.raises(InputError, match=r"other comes of a training on .* held out here"):
        refuse_other_splits(short, JoinedDataset(dataset, [other]))


def test_runs_that_began_with_each_other_are_looked_at_once(patterns: Dataset, tmp_path: Path) -> None:
    for name, other in (("a", "b"), ("b", "a")):
        recipe = RECIPE.override(**{"network.weights": str(tmp_path / other)})
        start_run(tmp_path / name, starting_contract(recipe, patterns), recipe, dataset=where(patterns))
    assert learned_from([tmp_path / "a"]) == [(patterns.sha256, None)]


def test_a_folder_with_the_name_of_published_weights_is_not_taken_for_them(
    vgg: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(vgg.folder, tmp_path / "imagenet")
    monkeypatch.chdir(tmp_path)
    assert weights_name("imagenet") == "imagenet"
    assert starting_points(RECIPE.override(**{"network.weights": "imagenet"})) == []
    assert starting_points(RECIPE.override(**{"distill.teachers": ["imagenet"]})) == [Path("imagenet")]


def test_a_run_does_not_go_on_with_another_teacher_than_it_began_with(
    patterns: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = RECIPE.override(**{"head.epochs": 1, "tune.epochs": 0})
    teacher = tmp_path / "teacher"
    train(short, patterns, teacher)
    student = short.override(**{"distill.teachers": [str(teacher)]})
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("fermobile.training.transfer.teacher_answers", _interrupted)
        train(student, patterns, tmp_path / "student")
    train(short.override(seed=9), patterns, teacher, force=True)
    with pytest.raises(RunError, match="started from other weights or teachers than lie there now"):
        train(student, patterns, tmp_path / "student", resume=True)


def _interrupted(*args: object) -> None:
    raise KeyboardInterrupt
