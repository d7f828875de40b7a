from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from fermobile.contract import CropSpec
from fermobile.data.joined import join
from fermobile.data.ledger import LEDGER_FILE, Ledger
from fermobile.data.manifest import Dataset, write_dataset
from fermobile.errors import ContractError, DatasetError, InputError, RunError
from fermobile.evaluation.calibration import apply_temperature
from fermobile.models.keras import keras
from fermobile.training.pseudo_label import pseudo_label
from fermobile.training.recipe import recipe_from_dict
from fermobile.training.runs import Run
from fermobile.training.transfer import train

from .colours import colour_network, colour_scores, picture, write_colours

RECIPE = recipe_from_dict(
    {
        "name": "tiny",
        "network": {"alpha": 0.25, "size": 32, "weights": "none"},
        "head": {"epochs": 1, "views": 0},
        "tune": {"epochs": 0},
    }
)

POOL = [(1000 + i, i % 3) for i in range(30)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pseudo")


@pytest.fixture(scope="module")
def labelled(folder: Path) -> Dataset:
    """Of its 24 validation faces, three carry another label than their colour's, so nobody can be quite sure."""
    images, wrong = [(i, i % 3) for i in range(96)], {2: "surprise", 6: "happiness", 10: "neutral"}
    return write_colours(folder / "labelled", images, ("train", "train", "val", "test"), wrong=wrong)


@dataclasses.dataclass(frozen=True)
class ColourRun(Run):
    """A run whose network tells colours, which learning it would take longer."""

    sharpness: float = 4.0

    def load_model(self) -> keras.Model:
        return colour_network(self.sharpness)


@pytest.fixture(scope="module")
def run(labelled: Dataset, folder: Path) -> ColourRun:
    made = train(RECIPE, labelled, folder / "run")
    return ColourRun(made.folder, made.contract, made.recipe, made.info)


@pytest.fixture
def second(run: ColourRun) -> ColourRun:
    return dataclasses.replace(run, sharpness=9.0)


@pytest.fixture(scope="module")
def pool(folder: Path) -> Dataset:
    """Unlabelled; its splits mean nothing."""
    return write_colours(folder / "pool", POOL, ("train", "val", "test"), labelled=False)


def test_sure_faces_become_train_rows_with_their_probabilities_as_votes(
    run: ColourRun, pool: Dataset, tmp_path: Path
) -> None:
    result = pseudo_label([run], pool, tmp_path / "out", floor=0.5)
    made, rows = Dataset(tmp_path / "out"), result.selection.rows
    assert result.faces == len(POOL) and 9 < len(made) == len(rows)
    assert set(made.split) == {"train"} and made.content_sha256() == made.sha256
    assert [POOL[row][1] for row in rows] == made.hard_labels(run.contract.emotions).tolist()
    for i, row in enumerate(rows.tolist()):
        np.testing.assert_array_equal(made.image(i), pool.image(row))
        assert made.subject[i] == pool.subject[row]
    answers = apply_temperature(colour_scores(pool, rows, run.sharpness), result.temperature)
    np.testing.assert_allclose(made.soft_labels(run.contract.emotions), answers, atol=1e-5)
    assert made.info.crop == pool.info.crop and made.info.licence == "CC0"
    assert made.info.extra["pseudo_labels"]["learned_from"] == [[run.info["dataset"]["sha256"], None]]
    assert made.info.extra["pseudo_labels"]["pool"] == {"name": "pool", "sha256": pool.sha256}
    assert made.info.extra["pseudo_labels"]["runs"] == [{"name": "tiny", "weights_sha256": run.weights_sha256}]


def test_every_label_is_in_the_ledger(run: ColourRun, pool: Dataset, tmp_path: Path) -> None:
    result = pseudo_label([run], pool, tmp_path / "out", floor=0.5)
    made, ledger = Dataset(tmp_path / "out"), Ledger(tmp_path / "out" / LEDGER_FILE)
    assert ledger.labels() == dict(zip(made.paths, made.emotion, strict=True))
    assert {change.before for change in ledger.changes()} == {""}
    confidence = made.soft_labels(run.contract.emotions).max(axis=1)
    thresholds = result.thresholds[made.hard_labels(run.contract.emotions)]
    np.testing.assert_allclose([change.margin for change in ledger.changes()], confidence - thresholds, atol=1e-5)


def test_counts_add_up_and_quotas_hold(run: ColourRun, folder: Path, tmp_path: Path) -> None:
    # Far more happy faces than the labelled set's third.
    happy = write_colours(folder / "happy", [(3000 + i, 0 if i % 4 else 2) for i in range(40)], ("train",))
    found = pseudo_label([run], happy, tmp_path / "out", floor=0.5).to_dict()
    assert found["accepted"] == sum(c["accepted"] for c in found["classes"].values()) == len(Dataset(tmp_path / "out"))
    for counts in found["classes"].values():
        assert counts["predicted"] == counts["below_threshold"] + counts["cut_by_quota"] + counts["accepted"]
        assert counts["accepted"] <= counts["quota"]
    assert found["classes"]["neutral"]["cut_by_quota"] > 0
    assert found["classes"]["neutral"]["accepted"] == found["classes"]["neutral"]["quota"]


def test_labels_of_the_pool_are_not_looked_at(run: ColourRun, pool: Dataset, folder: Path, tmp_path: Path) -> None:
    lying = write_colours(folder / "lying", POOL, ("val",), emotions=("fear", "anger", "contempt"))
    pseudo_label([run], lying, tmp_path / "lying", floor=0.5)
    pseudo_label([run], pool, tmp_path / "honest", floor=0.5)
    lied, told = Dataset(tmp_path / "lying"), Dataset(tmp_path / "honest")
    assert lied.sha256 == told.sha256
    assert set(lied.info.emotions) <= set(run.contract.emotions)


def test_several_runs_answer_with_their_mean(run: ColourRun, second: ColourRun, pool: Dataset, tmp_path: Path) -> None:
    result = pseudo_label([run, second], pool, tmp_path / "out", floor=0.5)
    rows = result.selection.rows
    each = [colour_scores(pool, rows, r.sharpness) for r in (run, second)]
    expected = apply_temperature(np.mean(each, axis=0), result.temperature)
    np.testing.assert_allclose(Dataset(tmp_path / "out").soft_labels(run.contract.emotions), expected, atol=1e-5)


def test_a_pool_that_holds_validation_or_test_faces_is_refused_or_relieved_of_them(
    run: ColourRun, labelled: Dataset, folder: Path, tmp_path: Path
) -> None:
    val, test, own = labelled.indices("val")[0], labelled.indices("test")[0], labelled.indices("train")[0]
    trap = write_colours(folder / "trap", [*POOL, (val, val % 3), (test, test % 3), (own, own % 3)], ("train",))
    with pytest.raises(DatasetError, match=r"2 of 33 images .*:30 = val shard.*:31 = test shard.*--leave-out-overlap"):
        pseudo_label([run], trap, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    result = pseudo_label([run], trap, tmp_path / "out", floor=0.5, leave_out_overlap=True)
    assert result.overlapping == 2 and result.faces == 31
    assert not {30, 31} & set(result.selection.rows.tolist())


def test_unsure_faces_are_kept_without_a_label_on_request(run: ColourRun, pool: Dataset, tmp_path: Path) -> None:
    """Their images, so that a teacher can answer for them; without teachers nobody trains on them."""
    result = pseudo_label([run], pool, tmp_path / "out", floor=0.5, keep_unsure=True)
    out, sure = Dataset(tmp_path / "out"), len(result.selection.rows)
    assert 0 < sure < len(pool) == len(out) == len(out.indices("train"))
    assert all(out.emotion[:sure] != "") and all(out.emotion[sure:] == "") and np.isnan(out.votes[sure:]).all()
    assert sorted(out.image(i).tobytes() for i in range(len(out))) == sorted(
        pool.image(i).tobytes() for i in range(len(pool))
    )
    assert len(Ledger(tmp_path / "out" / LEDGER_FILE).labels()) == sure


def test_what_is_read_is_not_replaced(run: ColourRun, pool: Dataset, labelled: Dataset) -> None:
    for folder in (pool.folder, labelled.folder, run.folder):
        with pytest.raises(InputError, match="which is read for it"):
            pseudo_label([run], pool, folder, floor=0.5, force=True)
    assert len(Dataset(pool.folder)) == len(POOL)


def test_a_near_duplicate_of_a_validation_face_is_found(run: ColourRun, labelled: Dataset, tmp_path: Path) -> None:
    val = int(labelled.indices("val")[0])
    with write_dataset(tmp_path / "trap", dataclasses.replace(labelled.info, name="trap")) as writer:
        for i, kind in POOL:
            writer.add_array(picture(i, kind), split="train")
        writer.add_array((picture(val, val % 3) * 0.8 + 10).astype(np.uint8), split="train")
    with pytest.raises(DatasetError, match=r"1 of 31 images .*:30 = val"):
        pseudo_label([run], Dataset(tmp_path / "trap"), tmp_path / "out")


def test_another_framing_is_refused(run: ColourRun, tmp_path: Path) -> None:
    wide = write_colours(tmp_path / "wide", POOL, ("train",), crop=CropSpec(0.25, 0.4))
    with pytest.raises(DatasetError, match="fermobile data crop"):
        pseudo_label([run], wide, tmp_path / "out")


def test_runs_that_mean_something_else_are_refused(
    run: ColourRun, second: ColourRun, labelled: Dataset, pool: Dataset, tmp_path: Path
) -> None:
    quantized = dataclasses.replace(run, info={**run.info, "quantized": True})
    with pytest.raises(RunError, match="is quantized"):
        pseudo_label([quantized], pool, tmp_path / "out")
    units = dataclasses.replace(run, contract=run.contract.replace(emotions=(), action_units=("AU12",)))
    with pytest.raises(RunError, match=r"no emotion head \(au\)"):
        pseudo_label([units], pool, tmp_path / "out")
    turned = dataclasses.replace(second, contract=second.contract.replace(emotions=run.contract.emotions[::-1]))
    with pytest.raises(ContractError, match=r"has other emotions than .*: surprise, happiness, neutral, not neutral"):
        pseudo_label([run, turned], pool, tmp_path / "out")
    cropped = dataclasses.replace(second, contract=second.contract.replace(crop=CropSpec(0.3, 0.4)))
    with pytest.raises(ContractError, match=r"has other crop than .*0\.3"):
        pseudo_label([run, cropped], pool, tmp_path / "out")
    elsewhere = {**run.info["dataset"], "name": "elsewhere", "sha256": "0" * 64}
    other = dataclasses.replace(second, info={**second.info, "dataset": elsewhere})
    with pytest.raises(RunError, match=r"was trained on elsewhere and .* on labelled"):
        pseudo_label([run, other], pool, tmp_path / "out")


def test_a_pool_of_which_nothing_is_sure_says_how_sure_it_was(run: ColourRun, tmp_path: Path) -> None:
    grey = write_colours(tmp_path / "grey", [(seed, -1) for seed, _ in POOL], ("train",), labelled=False)
    with pytest.raises(DatasetError, match=r"grey: no face is sure enough; neutral 0\.33 of 0\.\d\d$"):
        pseudo_label([run], grey, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_dataset_that_was_changed_since_the_training_is_refused(
    run: ColourRun, pool: Dataset, tmp_path: Path
) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(run.folder, moved)
    info = json.loads((moved / "run.json").read_text())
    info["dataset"]["sha256"] = "1" * 64
    (moved / "run.json").write_text(json.dumps(info))
    with pytest.raises(RunError, match=r"is not what .* was trained on"):
        pseudo_label([Run.open(moved)], pool, tmp_path / "out")


@pytest.mark.parametrize("added", ["a folder", [{"name": "x"}], [3]])
def test_a_run_whose_added_sets_are_damaged_is_refused(run: ColourRun, tmp_path: Path, added: object) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(run.folder, moved)
    info = json.loads((moved / "run.json").read_text())
    info["dataset"]["added"] = added
    (moved / "run.json").write_text(json.dumps(info))
    with pytest.raises(RunError, match=r"is damaged: it lacks dataset\.added"):
        Run.open(moved)


def test_training_goes_on_with_both_sets_and_can_label_again(
    run: ColourRun, labelled: Dataset, pool: Dataset, tmp_path: Path
) -> None:
    pseudo_label([run], pool, tmp_path / "first", floor=0.5)
    both = join(labelled, [Dataset(tmp_path / "first")])
    again = train(RECIPE, both, tmp_path / "again")
    assert again.info["dataset"]["added"][0]["path"] == str(tmp_path / "first")
    reopened = again.open_dataset()
    assert reopened.sha256 == both.sha256 == again.info["dataset"]["sha256"] != labelled.sha256
    assert again.contract.provenance["dataset"]["added"][0]["sha256"] == Dataset(tmp_path / "first").sha256
    with pytest.raises(RunError, match="with another dataset"):
        train(RECIPE, labelled, tmp_path / "again", resume=True)
    assert train(RECIPE, both, tmp_path / "again", resume=True).weights_sha256 == again.weights_sha256
    teacher = ColourRun(again.folder, again.contract, again.recipe, again.info)
    result = pseudo_label([teacher, run], pool, tmp_path / "second", floor=0.5)
    assert result.quotas.tolist() == pseudo_label([run], pool, tmp_path / "third", floor=0.5).quotas.tolist()
