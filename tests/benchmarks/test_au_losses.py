from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from fermobile.data.manifest import Dataset, DatasetInfo, write_dataset

Load = Callable[[str], ModuleType]


def test_thresholds_come_from_val_and_the_figures_from_test(script: Load, tmp_path: Path) -> None:
    module = script("papers/au_losses.py")
    with write_dataset(tmp_path / "d", DatasetInfo("d", action_units=("AU12",))) as writer:
        for split, truth in [("val", 1), ("val", 0), ("test", 1), ("test", 1), ("test", 0), ("test", 0)]:
            writer.add_array(np.zeros((8, 8), np.uint8), split=split, aus={"AU12": truth})
    # On test no threshold above 0.2 is right for both positives; val says 0.3.
    scores = {"val": np.array([[0.4], [0.2]], np.float32), "test": np.array([[0.45], [0.2], [0.1], [0.6]], np.float32)}
    found = module.figures(Dataset(tmp_path / "d"), scores)
    assert found["thresholds"] == {"AU12": pytest.approx(0.3)}
    assert found["f1"] == 0  # at 0.5: none right, one wrong, both missed
    assert found["f1_tuned"] == pytest.approx(0.5)
    assert found["average_precision"] == pytest.approx(0.5 * (1 / 2) + 0.5 * (2 / 3))
    assert found["all_positive_f1"] == pytest.approx(2 / 3) and found["test_faces"] == 4


def test_differences_are_taken_to_the_same_round(script: Load) -> None:
    module = script("papers/au_losses.py")
    bce = {"figures": {"f1": 0.25, "f1_tuned": 0.5, "micro_f1": 0.5, "average_precision": 0.5}}
    better = {"f1": 0.5, "f1_tuned": 0.25, "micro_f1": 0.5, "average_precision": 0.5}
    expected = {"f1": 0.25, "f1_tuned": -0.25, "micro_f1": 0.0, "average_precision": 0.0}
    assert module.to_bce(better, bce) == {"to_bce": expected}
    assert module.to_bce(better, None) == {}  # cross-entropy itself, which comes first


@pytest.mark.slow
def test_both_stages_run_and_a_finished_row_is_not_run_again(
    script: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fermobile.data.folds import balanced_folds
    from fermobile.data.info import set_folds
    from fermobile.data.synthetic import write_synthetic

    folder = write_synthetic(tmp_path / "set", count=420, size=32, rates="disfa", workers=1)
    set_folds(folder, balanced_folds(Dataset(folder).subject, 2, 0, folder))
    module = script("papers/au_losses.py")
    small = {"network": {"size": 32, "weights": "faces"}, "head": {**module.RECIPE["head"], "epochs": 1}}
    monkeypatch.setattr(module, "RECIPE", {**module.RECIPE, **small})
    monkeypatch.setattr(module, "BACKBONES", {"mobilenet_v1": {"alpha": 0.25, "epochs": 1}})
    monkeypatch.setattr(module, "Record", lambda table: script("papers/record.py").Record(table, tmp_path))
    arguments = f"au_losses.py {folder} --work {tmp_path / 'work'} --folds 2 --seeds 0 --losses".split()
    monkeypatch.setattr("sys.argv", [*arguments, "L_pr pooled"])
    module.main()
    module.main()
    frozen, tuned = [json.loads(line) for line in (tmp_path / "au_losses.jsonl").read_text().splitlines()]
    assert (frozen["setting"]["stage"], tuned["setting"]["stage"]) == ("frozen", "tuned")
    assert frozen["figures"]["epochs"] == tuned["figures"]["epochs"] == 1
    assert 0 < tuned["figures"]["f1"] < 1 and tuned["setting"]["fold"] == 2

    monkeypatch.setattr("sys.argv", [*arguments, "L_pr per AU after BCE"])
    module.main()
    *_, after = [json.loads(line) for line in (tmp_path / "au_losses.jsonl").read_text().splitlines()]
    assert after["setting"]["stage"] == "tuned"
    assert [run.name for run in (tmp_path / "work" / "runs").iterdir()].count("mobilenet_v1-bce-2-0") == 1

    monkeypatch.setattr("sys.argv", [*arguments, "BCE", "--head-rates", "0.001", "0.1"])
    module.main()
    slow, fast = [json.loads(line) for line in (tmp_path / "au_loss_rates.jsonl").read_text().splitlines()]
    assert (slow["setting"]["learning_rate"], fast["setting"]["learning_rate"]) == (0.001, 0.1)
    assert slow["figures"]["thresholds"] != fast["figures"]["thresholds"]
