from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fermobile.contract import CropSpec
from fermobile.data.manifest import Dataset
from fermobile.errors import ContractError, InputError
from fermobile.training import distillation
from fermobile.training.distillation import same_meaning, teacher_answers
from fermobile.training.loop import Silent
from fermobile.training.runs import Run
from fermobile.training.scoring import predict_rows, predict_two_views
from fermobile.training.transfer import train

from .test_transfer import RECIPE as TINY

RECIPE = TINY.override(**{"head.views": 0})


@pytest.fixture(scope="module")
def teachers(patterns: Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    folder = tmp_path_factory.mktemp("teachers")
    return train(RECIPE, patterns, folder / "a"), train(
        RECIPE.override(**{"seed": 5, "tasks": ["emotion"]}), patterns, folder / "b"
    )


def test_several_teachers_answer_with_the_mean_of_their_softened_scores(
    patterns: Dataset, teachers: tuple[Run, Run], tmp_path: Path
) -> None:
    rows = patterns.indices("train")
    answers = teacher_answers(teachers, patterns, rows, teachers[0].contract, 2.0, tmp_path, Silent())
    expected = []
    for teacher in teachers:
        scores = predict_two_views(teacher.load_model(), patterns, rows, teacher.contract)["emotion"] ** 0.5
        expected.append(scores / scores.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(answers["emotion"], np.mean(expected, axis=0), atol=1e-5)
    # One of them has action units too; at T = 2 the odds are the square roots of what they were.
    units = predict_two_views(teachers[0].load_model(), patterns, rows, teachers[0].contract)["au"]
    odds = np.sqrt(units / (1 - units))
    np.testing.assert_allclose(answers["au"], odds / (1 + odds), atol=1e-4)


def test_two_views_are_the_face_and_its_mirror_image(patterns: Dataset, teachers: tuple[Run, Run]) -> None:
    rows, teacher = patterns.indices("val"), teachers[0]
    model = teacher.load_model()
    images = np.stack([patterns.image(row) for row in rows]).astype(np.float32) / 127.5 - 1
    views = [model(x)[0].numpy() for x in (images, images[:, :, ::-1])]
    both = predict_two_views(model, patterns, rows, teacher.contract, batch=7)["emotion"]
    np.testing.assert_allclose(both, np.mean(views, axis=0), atol=1e-5)


def test_a_student_learns_from_answers_alone(
    patterns: Dataset, teachers: tuple[Run, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With weight 1 the labels count nothing: a student of a teacher that always says surprise says so too."""

    def always_surprise(*args: object) -> dict[str, np.ndarray]:
        return {"emotion": np.tile(np.array([0.05, 0.05, 0.9], np.float32), (len(patterns.indices("train")), 1))}

    monkeypatch.setattr("fermobile.training.transfer.teacher_answers", always_surprise)
    recipe = RECIPE.override(
        **{"tasks": ["emotion"], "distill.teachers": [str(teachers[1].folder)], "distill.weight": 1.0, "tune.epochs": 6}
    )
    student = train(recipe.override(**{"head.epochs": 6, "head.learning_rate": 0.05}), patterns, tmp_path / "s")
    scores = predict_rows(student.load_model(), patterns, patterns.indices("val"), student.contract)["emotion"]
    assert (scores.argmax(axis=1) == 2).mean() > 0.9


def test_a_student_names_its_teachers_by_hash_and_not_by_place(
    patterns: Dataset, teachers: tuple[Run, Run], tmp_path: Path
) -> None:
    recipe = RECIPE.override(**{"distill.teachers": [str(teachers[0].folder)], "tune.epochs": 1})
    student = train(recipe, patterns, tmp_path / "s")
    (named,) = student.contract.provenance["recipe"]["distill"]["teachers"]
    assert teachers[0].weights_sha256 in named and str(tmp_path) not in named
    assert not (student.folder / "features").exists()


def test_answers_are_computed_once_per_run(
    patterns: Dataset, teachers: tuple[Run, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = patterns.indices("val")
    first = teacher_answers(teachers, patterns, rows, teachers[0].contract, 2.0, tmp_path, Silent())
    monkeypatch.setattr(distillation, "predict_two_views", None)
    again = teacher_answers(teachers, patterns, rows, teachers[0].contract, 2.0, tmp_path, Silent())
    np.testing.assert_array_equal(again["emotion"], first["emotion"])


def test_a_teacher_that_means_something_else_is_refused(teachers: tuple[Run, Run]) -> None:
    contract = teachers[1].contract
    assert same_meaning(teachers[1], contract) == ("emotion",)
    for changes, message in (
        ({"emotions": ("neutral", "surprise")}, "other emotion labels .neutral, happiness, surprise. than the student"),
        ({"crop": CropSpec(0.5, 0.4)}, "knows faces cropped as .*data crop"),
        ({"crop": None}, "how the student's set frames its faces is not known.*data measure"),
        ({"emotions": (), "action_units": ("AU4",)}, "the student has au"),
    ):
        with pytest.raises(ContractError, match=message):
            same_meaning(teachers[1], contract.replace(**changes))


def test_a_student_does_not_replace_its_teacher(patterns: Dataset, teachers: tuple[Run, Run]) -> None:
    recipe = RECIPE.override(**{"distill.teachers": [str(teachers[0].folder)]})
    with pytest.raises(InputError, match="which is read for it"):
        train(recipe, patterns, teachers[0].folder, force=True)
