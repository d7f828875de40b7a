"""Rendered faces: determinism, labels, keypoints, visibility of every unit, framing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fermobile.contract import CropSpec
from fermobile.data.synthetic import SAMPLES_PER_SUBJECT, UNITS, expression, render_face, render_faces, render_photo
from fermobile.data.synthetic.expressions import _LEAST
from fermobile.data.synthetic.head import measured_head
from fermobile.data.synthetic.render import render
from fermobile.data.synthetic.scene import plain_scene
from fermobile.data.synthetic.subjects import HAIR_STYLES, make_subject
from fermobile.errors import InputError
from fermobile.labels import EMOTIONS

_CROP = CropSpec(eye_distance=0.31, eye_y=0.36)


def _draw(units: dict[str, float], side: str = "both", subject: int = 1, size: int = 96) -> np.ndarray:
    head = measured_head()
    person = make_subject(5, subject, head.identities)
    return render(head, person, expression(intensities=units, side=side), plain_scene(), _CROP, size)[0].astype(int)


def test_a_face_depends_on_seed_and_index_only() -> None:
    first = render_face(7, 30)
    render_face(1, 3)  # another person in between
    again = render_face(7, 30)
    assert (first.image == again.image).all() and first.aus == again.aus
    assert (first.image != render_face(8, 30).image).any()
    assert (first.image != render_face(7, 31).image).any()


def test_workers_do_not_change_the_bytes() -> None:
    one = list(render_faces(60, seed=3, size=32, workers=1))
    two = list(render_faces(60, seed=3, size=32, workers=2))
    assert [f.index for f in two] == list(range(60))
    for a, b in zip(one, two, strict=True):
        assert (a.image == b.image).all() and a.intensities == b.intensities and a.emotion == b.emotion


def test_more_faces_begin_with_the_same_faces() -> None:
    few, many = list(render_faces(5, seed=2, size=24)), list(render_faces(9, seed=2, size=24))
    assert all((a.image == b.image).all() for a, b in zip(few, many, strict=False))


def test_everybody_shows_every_emotion_once() -> None:
    faces = list(render_faces(2 * SAMPLES_PER_SUBJECT, seed=4, size=16))
    for k in range(2):
        own = faces[k * SAMPLES_PER_SUBJECT : (k + 1) * SAMPLES_PER_SUBJECT]
        assert len({f.subject for f in own}) == len({f.split for f in own}) == 1
        assert sorted(f.emotion for f in own if f.emotion) == sorted(EMOTIONS)
    assert faces[0].subject != faces[-1].subject


@pytest.mark.parametrize("unit", UNITS)
def test_every_unit_is_visible_at_its_weakest(unit: str) -> None:
    head = measured_head()
    for number in range(3):
        subject = make_subject(9, number, head.identities)
        still, shown = (
            render(head, subject, expression(intensities=units), plain_scene(), _CROP, 96)[0].astype(float)
            for units in ({}, {unit: max(0.42, _LEAST.get(unit, 0))})
        )
        changed = np.abs(still - shown).mean(axis=2) > 8
        assert changed.sum() >= 12, f"{unit} changes {changed.sum()} pixels of person {number}"


def test_one_sided_smiles_change_one_side() -> None:
    change = np.abs(_draw({"AU12": 1.0}, "left") - _draw({})).sum(axis=2)
    assert change[:, 52:].sum() > 20 * change[:, :44].sum()


@settings(max_examples=12)
@given(
    st.integers(0, 999),
    st.integers(0, 400),
    st.floats(0.25, 0.45),
    st.floats(0.3, 0.45),
    st.sampled_from([24, 48, 96]),
)
def test_crops_are_framed_as_the_specification_says(seed: int, index: int, d: float, y: float, size: int) -> None:
    face = render_face(seed, index, size, CropSpec(d, y))
    right, left = face.keypoints[:2] / size
    np.testing.assert_allclose(left - right, [d, 0], atol=1e-3)
    np.testing.assert_allclose((left + right) / 2, [0.5, y], atol=1e-3)
    assert face.image.shape == (size, size, 3) and face.image.dtype == np.uint8


@settings(max_examples=12)
@given(st.integers(0, 999), st.integers(0, 400))
def test_keypoints_of_photos_lie_inside_and_in_order(seed: int, index: int) -> None:
    face = render_photo(seed, index, 64)
    k = face.keypoints
    assert k.shape == (6, 2) and (k >= 0).all() and (k < 64).all()
    right_eye, left_eye, nose, mouth, right_ear, left_ear = k
    assert right_eye[0] < left_eye[0] and right_ear[0] < left_ear[0]  # the subject's right is the viewer's left
    assert nose[1] > (right_eye[1] + left_eye[1]) / 2 and mouth[1] > nose[1]


def test_keypoints_follow_the_expression_and_the_lids_do_not_move_the_eyes() -> None:
    head = measured_head()
    subject = make_subject(0, 0, head.identities)

    def points(units: dict[str, float]) -> np.ndarray:
        return render(head, subject, expression(intensities=units), plain_scene(), _CROP, 96)[1]

    assert points({"AU27": 1.0, "AU25": 1.0})[3, 1] > points({})[3, 1] + 3
    np.testing.assert_allclose(points({"AU43": 1.0})[:2], points({})[:2], atol=0.2)


def test_a_photo_shows_the_emotion_asked_for() -> None:
    face = render_photo(0, 0, 64, emotion="disgust")
    assert face.emotion == "disgust" and face.aus["AU9"] == 1


def test_a_larger_picture_shows_the_same_face() -> None:
    import cv2

    small = render_face(3, 0, 48).image.astype(float)
    large = cv2.resize(render_face(3, 0, 192).image, (48, 48), interpolation=cv2.INTER_AREA).astype(float)
    assert np.abs(small - large).mean() < 8


@pytest.mark.parametrize("style", HAIR_STYLES)
def test_every_hair_style_draws(style: str) -> None:
    head = measured_head()
    subject = replace(make_subject(0, 0, head.identities), hair_style=style)
    image, _ = render(head, subject, expression(), plain_scene(), _CROP, 64)
    assert image.std() > 10


def test_people_differ() -> None:
    assert np.abs(_draw({}, subject=1) - _draw({}, subject=2)).mean() > 5


@pytest.mark.parametrize("size", [0, 15, 1025])
def test_an_impossible_size_is_refused(size: int) -> None:
    with pytest.raises(InputError, match="size"):
        next(iter(render_faces(1, size=size)))


def test_an_unknown_mesh_is_refused_with_the_choices() -> None:
    with pytest.raises(InputError, match="ict:PATH"):
        next(iter(render_faces(1, mesh="flame:model.npz")))
