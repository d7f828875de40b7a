"""A session: from a crop to calibrated scores, exactly as the contract and the file say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import models_util
import numpy as np
import pytest

from fermobile.contract import InputSpec
from fermobile.data.images import normalise, resize_square
from fermobile.errors import ContractError, ModelFileError
from fermobile.inference import session as session_module
from fermobile.inference.session import DEFAULT_MODEL, Session

ModelPath = Callable[..., Path]


@pytest.fixture(autouse=True)
def no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child process has tests of its own."""
    monkeypatch.setattr(session_module, "try_in_child", lambda data, runtime: None)


def calibrated(p: np.ndarray, temperature: float) -> np.ndarray:
    q = p ** (1 / temperature)
    return q / q.sum(-1, keepdims=True)


@pytest.mark.parametrize(
    "kind,io_type,tolerance",
    [("float", "float32", 0.0), ("int8", "float32", 0.05), ("int8", "int8", 0.05), ("int8", "uint8", 0.05)],
)
def test_all_input_types_give_the_scores_of_the_float_model(
    model_path: ModelPath, faces: list[np.ndarray], kind: str, io_type: str, tolerance: float
) -> None:
    reference = Session.open(model_path("float", "float32"))
    session = Session.open(model_path(kind, io_type))
    for face in faces:
        expected, found = reference.run(face), session.run(face)
        assert found.emotion is not None and expected.emotion is not None
        assert found.emotion.shape == (3,) and found.emotion.dtype == np.float32
        assert found.emotion.sum() == pytest.approx(1, abs=1e-3)
        assert np.abs(found.emotion - expected.emotion).max() <= tolerance
        assert found.au is not None and found.au.shape == (2,) and found.au.dtype == np.float32
        assert found.milliseconds > 0


def test_prepare_is_the_one_way_from_pixels_to_tensors(model_path: ModelPath, faces: list[np.ndarray]) -> None:
    face = faces[0]
    assert np.array_equal(Session.open(model_path("int8", "uint8")).prepare(face), face[None])
    int8 = Session.open(model_path("int8", "int8")).prepare(face)
    assert int8.dtype == np.int8 and np.array_equal(int8[0].astype(int), face.astype(int) - 128)
    real = Session.open(model_path("float", "float32")).prepare(face)
    assert np.array_equal(real, normalise(face, InputSpec(32))[None])


def test_faces_of_other_sizes_are_resized_as_in_training(model_path: ModelPath) -> None:
    session = Session.open(model_path())
    large = np.random.default_rng(1).integers(0, 256, (96, 80, 3)).astype(np.uint8)
    assert np.array_equal(session.prepare(large)[0], resize_square(large, 32))


def test_the_face_is_not_changed(model_path: ModelPath, faces: list[np.ndarray]) -> None:
    face = faces[0].copy()
    Session.open(model_path("int8", "int8")).run(face)
    assert np.array_equal(face, faces[0])


def test_run_tensor_is_not_calibrated_and_run_is(model_path: ModelPath, faces: list[np.ndarray]) -> None:
    session = Session.open(model_path("int8", "uint8", temperature=2.5))
    raw = session.run_tensor(session.prepare(faces[1]))
    assert raw["emotion"].shape == (1, 3) and raw["emotion"].dtype == np.float32
    assert np.all(raw["emotion"] * 256 == np.round(raw["emotion"] * 256))
    scores = session.run(faces[1])
    assert np.allclose(scores.emotion, calibrated(raw["emotion"][0], 2.5), atol=1e-6)
    assert np.array_equal(scores.au, raw["au"][0])


def test_heads_come_in_the_contracts_output_order(model_path: ModelPath, faces: list[np.ndarray]) -> None:
    one = Session.open(model_path("float", "float32", outputs=("emotion", "au"), temperature=1.0))
    other = Session.open(model_path("float", "float32", outputs=("au", "emotion"), temperature=1.0))
    for session in (one, other):
        raw = session.run_tensor(session.prepare(faces[0]))
        assert raw["emotion"].shape == (1, 3) and raw["au"].shape == (1, 2)
        assert session.run(faces[0]).emotion.sum() == pytest.approx(1)  # type: ignore[union-attr]


@pytest.mark.parametrize("labels", [{"emotions": ()}, {"action_units": ()}])
def test_a_model_may_have_one_head(model_path: ModelPath, faces: list[np.ndarray], labels: dict[str, object]) -> None:
    thresholds = {} if "action_units" in labels else {"AU1": 0.4}
    session = Session.open(model_path(outputs=(), thresholds=thresholds, **labels))
    scores = session.run(faces[0])
    assert (scores.emotion is None) == ("emotions" in labels)
    assert (scores.au is None) == ("action_units" in labels)
    assert list(session.predict(faces)) == list(session.contract.heads)


@pytest.mark.parametrize("workers", [1, 3])
def test_predict_gives_what_run_gives_whoever_does_it(
    model_path: ModelPath, faces: list[np.ndarray], workers: int
) -> None:
    session = Session.open(model_path())
    many = faces * 5
    taken = []

    def one_by_one() -> Iterator[np.ndarray]:
        for i, face in enumerate(many):
            taken.append(i)
            yield face

    found = session.predict(one_by_one(), workers=workers)
    expected = [session.run(face) for face in many]
    assert np.array_equal(found["emotion"], np.stack([s.emotion for s in expected]))  # type: ignore[misc]
    assert np.array_equal(found["au"], np.stack([s.au for s in expected]))  # type: ignore[misc]
    assert taken == list(range(len(many)))


def test_predict_of_nothing_is_empty(model_path: ModelPath) -> None:
    found = Session.open(model_path()).predict([])
    assert found["emotion"].shape == (0, 3) and found["au"].shape == (0, 2)


def test_errors_in_a_worker_come_out(model_path: ModelPath) -> None:
    def broken() -> Iterator[np.ndarray]:
        yield np.zeros((32, 32, 3), np.uint8)
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        Session.open(model_path()).predict(broken(), workers=2)


def with_other_contract(tmp_path: Path, **changes: object) -> Path:
    """The standard model under a contract that does not fit it."""
    model = models_util.tiny_model(32, {"emotion": 3, "au": 2})
    path = tmp_path / "odd.tflite"
    path.write_bytes(models_util.with_contract(model, models_util.contract(**changes)))  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize(
    "changes,message",
    [
        ({"input": InputSpec(48)}, r"an input of \(1, 48, 48, 3\), the file's input is \(1, 32, 32, 3\)"),
        ({"emotions": ("neutral", "fear")}, r"2 labels for emotion, the file's output is \(1, 3\)"),
        ({"outputs": ("au", "emotion")}, "labels for au, the file's output"),
        ({"outputs": ()}, "does not say which output is which head"),
        ({"emotions": (), "outputs": ()}, "names 1 outputs, the file has 2"),
        ({"input": InputSpec(32, 0.0, 255.0)}, r"takes pixel 0 for -1\.004, .* say 0\.000"),
        ({"input": InputSpec(32, 127.5, 255.0)}, "takes pixel 0 for"),
    ],
)
def test_a_contract_that_does_not_fit_is_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ContractError, match=rf"odd\.tflite: .*{message}"):
        Session.open(with_other_contract(tmp_path, **changes))


def test_an_unknown_file_goes_through_the_child(model_path: ModelPath, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    monkeypatch.setattr(session_module, "try_in_child", lambda data, runtime: tried.append(runtime))
    Session.open(model_path())
    assert tried == ["ai-edge-litert"]


def test_a_missing_default_model_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(session_module, "DEFAULT_MODEL", tmp_path / "none.tflite")
    with pytest.raises(ModelFileError, match=r"shipped with fermobile is not in this installation .*--model"):
        Session.open(tmp_path / "none.tflite")


@pytest.mark.skipif(not DEFAULT_MODEL.exists(), reason="the shipped model is not in this checkout")
def test_the_shipped_model_opens() -> None:
    session = Session.open(DEFAULT_MODEL)
    scores = session.run(np.full((64, 64, 3), 128, np.uint8))
    assert scores.emotion is not None and scores.emotion.sum() == pytest.approx(1, abs=1e-3)
