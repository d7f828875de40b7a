"""``fermobile predict``: what it prints, draws, skips and refuses."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import models_util
import numpy as np
import pytest

from fermobile.errors import RuntimeFailure
from fermobile.inference import session as session_module
from fermobile.inference.pipeline import Pipeline
from fermobile.inference.sources import Video

Command = Callable[..., Any]


@pytest.fixture(autouse=True)
def no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "try_in_child", lambda data, runtime: None)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.tflite"
    path.write_bytes(models_util.tiny_file())
    return path


@pytest.fixture
def photo(tmp_path: Path, portrait: np.ndarray) -> Path:
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), portrait[..., ::-1])
    return path


@pytest.fixture
def crops(tmp_path: Path) -> Path:
    """A folder with two small pictures, one of them further down, and a file that is no picture."""
    folder = tmp_path / "crops"
    (folder / "b").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("a.png", "b/c.jpg"):
        cv2.imwrite(str(folder / name), rng.integers(0, 256, (40, 40, 3)).astype(np.uint8))
    (folder / "notes.txt").write_text("nothing")
    return folder


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (64, 48))
    for i in range(7):
        writer.write(np.full((48, 64, 3), 30 * i, np.uint8))
    writer.release()
    return path


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def frames(path: Path) -> int:
    capture, count = cv2.VideoCapture(str(path)), 0
    while capture.read()[0]:
        count += 1
    capture.release()
    return count


def test_json_of_a_photo(fermobile: Command, model: Path, photo: Path) -> None:
    pytest.importorskip("mediapipe")
    result = fermobile("predict", photo, "--model", model, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    (record,) = lines(result.stdout)
    assert list(record) == ["image", "width", "height", "faces", "milliseconds"]
    assert (record["image"], record["width"], record["height"]) == (str(photo), 512, 512)
    assert list(record["milliseconds"]) == ["decode", "detect", "align", "infer"]
    (face,) = record["faces"]
    documented = (Path(__file__).resolve().parents[2] / "docs" / "json.md").read_text("utf-8")
    assert [key for key in (*record, *face, "error", "frame") if f"`{key}`" not in documented] == []
    x, y, width, height = face["box"]
    assert 150 < x < 200 and 50 < y < 100 and 80 < width < 140 and 80 < height < 140
    assert face["score"] > 0.7 and np.shape(face["keypoints"]) == (6, 2)
    assert list(face["scores"]) == ["neutral", "happiness", "surprise"]
    assert sum(face["scores"].values()) == pytest.approx(1, abs=1e-4)
    assert face["emotion"] == max(face["scores"], key=lambda n: face["scores"][n])
    assert {n: au["present"] for n, au in face["aus"].items()} == {
        "AU1": face["aus"]["AU1"]["score"] >= 0.4,
        "AU12": face["aus"]["AU12"]["score"] >= 0.5,
    }


def test_a_photo_for_people_and_drawn(fermobile: Command, model: Path, photo: Path, tmp_path: Path) -> None:
    pytest.importorskip("mediapipe")
    out = tmp_path / "out.png"
    result = fermobile("predict", photo, "--model", model, "--annotate", out)
    assert result.exit_code == 0
    first, second = result.stdout.splitlines()
    assert first.startswith(f"{photo}  512x512  1 face  (decode ") and "infer" in first
    assert second.strip().startswith("1  ") and " at 1" in second
    assert "\x1b" not in result.stdout
    assert result.stderr == "1 picture, 1 face\n"
    drawn, original = cv2.imread(str(out)), cv2.imread(str(photo))
    assert drawn.shape[0] == 512 and drawn.shape[1] > 512
    changed = np.abs(drawn[:, :512].astype(int) - original).max(2) > 0
    assert changed[73:175, 173:275].any() and not changed[200:].any()


def test_the_shipped_model_sees_that_the_portrait_smiles(fermobile: Command, photo: Path) -> None:
    result = fermobile("predict", photo, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    (face,) = lines(result.stdout)[0]["faces"]
    assert face["emotion"] == "happiness" and face["scores"]["happiness"] > 0.9


def test_no_face_is_no_error(fermobile: Command, model: Path, tmp_path: Path) -> None:
    pytest.importorskip("mediapipe")
    path = tmp_path / "grey.png"
    cv2.imwrite(str(path), np.full((200, 300, 3), 128, np.uint8))
    result = fermobile("predict", path, "--model", model, "--json")
    assert result.exit_code == 0
    assert lines(result.stdout)[0]["faces"] == []


def test_cropped_faces_in_a_folder(fermobile: Command, model: Path, crops: Path) -> None:
    result = fermobile("predict", crops, "--cropped", "--model", model, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    records = lines(result.stdout)
    assert [r["image"] for r in records] == [str(crops / "a.png"), str(crops / "b" / "c.jpg")]
    for record in records:
        (face,) = record["faces"]
        assert (face["box"], face["score"], face["keypoints"]) == ([0, 0, 40, 40], None, None)
        assert list(record["milliseconds"]) == ["decode", "infer"]


def test_a_folder_is_drawn_into_a_folder(fermobile: Command, model: Path, crops: Path, tmp_path: Path) -> None:
    out = tmp_path / "drawn"
    assert fermobile("predict", crops, "--cropped", "--model", model, "-a", out).exit_code == 0
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*.*")) == ["a.png", "b/c.jpg"]
    assert min(cv2.imread(str(out / "a.png")).shape[:2]) >= 480, "small pictures are enlarged"
    again = fermobile("predict", crops, "--cropped", "--model", model, "-a", out)
    assert again.exit_code == 2 and "exists already" in again.stderr and again.stdout == ""
    assert fermobile("predict", crops, "--cropped", "--model", model, "-a", out, "--force").exit_code == 0


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_the_pictures_themselves_are_never_replaced(
    fermobile: Command, model: Path, crops: Path, force: tuple[str, ...], tmp_path: Path
) -> None:
    before = {p: p.read_bytes() for p in crops.rglob("*.*")}
    (tmp_path / "link").symlink_to(crops)
    for source, target in ((crops, crops), (crops, tmp_path / "link"), (crops / "a.png", tmp_path / "link" / "a.png")):
        result = fermobile("predict", source, "--cropped", "--model", model, "-a", target, *force)
        assert result.exit_code == 2 and "is one of the pictures to read" in result.stderr
    assert {p: p.read_bytes() for p in crops.rglob("*.*")} == before


def test_every_nth_frame_of_a_video(fermobile: Command, model: Path, video: Path, tmp_path: Path) -> None:
    out = tmp_path / "drawn.mp4"
    result = fermobile("predict", video, "--cropped", "--model", model, "--every", 3, "--json", "-a", out)
    assert result.exit_code == 0
    assert [r["frame"] for r in lines(result.stdout)] == [0, 3, 6]
    assert {r["image"] for r in lines(result.stdout)} == {str(video)}
    assert frames(out) == 3


def test_an_interrupted_video_is_a_whole_video(
    fermobile: Command, model: Path, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, calls = Pipeline.run, iter(range(100))

    def interrupted(self: Pipeline, image: np.ndarray) -> Any:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return run(self, image)

    monkeypatch.setattr(Pipeline, "run", interrupted)
    out = tmp_path / "drawn.mp4"
    result = fermobile("predict", video, "--cropped", "--model", model, "-a", out)
    assert result.exit_code == 130
    assert frames(out) == 2
    assert list(tmp_path.glob(".*")) == []


def test_unreadable_pictures_are_skipped_and_listed(fermobile: Command, model: Path, crops: Path) -> None:
    (crops / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    (crops / "empty.jpg").touch()
    result = fermobile("predict", crops, "--cropped", "--model", model, "--json")
    assert result.exit_code == 0
    assert len(lines(result.stdout)) == 2
    skipped = [line for line in result.stderr.splitlines() if line.startswith("skipped: ")]
    assert len(skipped) == 2 and "broken.png" in skipped[0] and "empty.jpg" in skipped[1]
    assert result.stderr.endswith("2 pictures, 2 faces, 2 skipped\n")


def test_when_nothing_can_be_read_the_exit_code_is_2(fermobile: Command, model: Path, tmp_path: Path) -> None:
    for name in ("x.png", "x.mp4"):
        (tmp_path / name).write_bytes(b"no picture")
        result = fermobile("predict", tmp_path / name, "--cropped", "--model", model)
        assert result.exit_code == 2 and f"skipped: {tmp_path / name}: " in result.stderr


def test_a_video_without_a_frame_is_skipped_and_leaves_nothing(
    fermobile: Command, model: Path, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Video, "__iter__", lambda self: iter(()))
    out = tmp_path / "drawn.mp4"
    result = fermobile("predict", video, "--cropped", "--model", model, "-a", out)
    assert result.exit_code == 2
    assert f"skipped: {video}: no frame of this video can be decoded" in result.stderr
    assert not out.exists()


def test_frames_that_are_missing_are_told(fermobile: Command, model: Path, tmp_path: Path) -> None:
    path = tmp_path / "noise.mp4"
    writer, rng = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (64, 48)), np.random.default_rng(0)
    for _ in range(9):
        writer.write(rng.integers(0, 256, (48, 64, 3)).astype(np.uint8))
    writer.release()
    content = bytearray(path.read_bytes())
    half, end = len(content) // 2, content.index(b"moov") - 4
    content[half:end] = bytes(end - half)
    path.write_bytes(content)
    result = fermobile("predict", path, "--cropped", "--model", model, "--json")
    count = len(lines(result.stdout))
    assert 0 < count < 9 and result.exit_code == 0
    assert f"warning: {path}: only {count} of its 9 frames could be read\n" in result.stderr


def test_videos_in_a_folder_are_read(fermobile: Command, model: Path, crops: Path, video: Path, tmp_path: Path) -> None:
    video.rename(crops / "clip.avi")
    out = tmp_path / "drawn"
    result = fermobile("predict", crops, "--cropped", "--model", model, "--every", 3, "-a", out)
    assert (result.exit_code, result.stderr) == (0, "5 pictures, 5 faces\n")
    assert frames(out / "clip.mp4") == 3


def on_terminals(command: list[str], stdout_too: bool) -> tuple[str, str]:
    """What a command prints on stdout, and on a terminal that is its stderr (and, when wanted, its stdout)."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "200"}
    process = subprocess.Popen(
        command, stdout=theirs if stdout_too else subprocess.PIPE, stderr=theirs, env=environment
    )
    os.close(theirs)
    printed = b"" if process.stdout is None else process.stdout.read()
    shown = b""
    with contextlib.suppress(OSError):  # how Linux says that the other end is closed
        while piece := os.read(ours, 1 << 16):
            shown += piece
    os.close(ours)
    assert process.wait() == 0
    return printed.decode(), shown.decode().replace("\r\n", "\n")


def test_a_bar_counts_pictures_where_no_result_is_in_its_way(model: Path, crops: Path, video: Path) -> None:
    arguments = ["predict", str(crops), str(video), "--cropped", "--model", str(model)]
    command = [sys.executable, "-c", "from fermobile.cli import main; main()", *arguments]
    printed, shown = on_terminals(command, stdout_too=False)
    assert len(printed.splitlines()) == 2 * 9 and "9/9" in shown
    _, shown = on_terminals(command, stdout_too=True)
    assert len(shown.splitlines()) == 2 * 9 + 1
    assert not re.search("━|9/9|\x1b\\[\\?25|\x1b\\[2?[AK]|\r", shown)


@pytest.mark.parametrize(
    "target,message",
    [
        ("{crops}/a.png/out.png", "{crops}/a.png is a file, not a folder"),
        ("{crops}/b/folder.png", "this is a folder; name the file to write"),
        ("{crops}/new/out.png", "the folder {crops} cannot be written to"),
    ],
)
def test_a_target_that_cannot_be_written_is_refused_first(
    fermobile: Command, crops: Path, target: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)  # root may write anywhere
    (crops / "b" / "folder.png").mkdir()
    result = fermobile("predict", crops / "b" / "c.jpg", "--annotate", target.format(crops=crops), "--force")
    assert result.exit_code == 2 and result.stdout == ""
    assert message.format(crops=crops) in result.stderr


def test_several_pictures_are_not_drawn_into_a_file(fermobile: Command, crops: Path) -> None:
    result = fermobile("predict", crops, "--annotate", crops / "notes.txt", "--force")
    assert result.exit_code == 2 and "this is a file; several pictures need a folder" in result.stderr


@pytest.mark.parametrize(
    "arguments,message",
    [
        ((), "name photos, folders or videos, or a camera"),
        (("nowhere.png",), "nowhere.png: no such file or folder"),
        (("{empty}",), "no images or videos in this folder; looked for .jpg"),
        (("{crops}/a.png", "--webcam", 0), "one of the two"),
        (("{crops}/a.png", "--annotate", "out.gif"), "the name must end in .jpg or"),
        (("{video}", "--annotate", "out.png"), "the name must end in .mp4"),
        (("{crops}/a.png", "{crops}/a.png", "--annotate", "{empty}/out"), "would both become {empty}/out/a.png"),
        (("{crops}/a.png", "--model", "{crops}/notes.txt"), "notes.txt is not a usable .tflite"),
        (("{crops}/a.png", "--model", "{bare}"), "has no fermobile contract"),
    ],
)
def test_bad_usage_is_explained(
    fermobile: Command,
    model: Path,
    crops: Path,
    video: Path,
    tmp_path: Path,
    arguments: tuple[object, ...],
    message: str,
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bare.tflite").write_bytes(models_util.tiny_model(32, {"emotion": 3}))
    names = {"empty": tmp_path / "empty", "crops": crops, "video": video, "bare": tmp_path / "bare.tflite"}
    words = [str(a).format(**names) for a in arguments]
    result = fermobile("predict", "--cropped", *([] if "--model" in words else ["--model", model]), *words)
    assert result.exit_code == 2 and result.stdout == ""
    assert message.format(**names) in result.stderr and result.stderr.count("error: ") == 1


@pytest.mark.parametrize(
    "option,value,message",
    [
        ("--runtime", "onnx", "is not one of 'ai-edge-litert', 'tflite-runtime', 'tf.lite'"),
        ("--threads", 100000, "is not in the range 1<=x<=64"),
    ],
)
def test_values_that_cannot_be_are_bad_usage(
    fermobile: Command, crops: Path, option: str, value: object, message: str
) -> None:
    result = fermobile("predict", crops, "--cropped", option, value)
    assert result.exit_code == 2 and result.stdout == "" and message in result.stderr


def test_without_a_crop_only_cropped_faces_can_be_read(fermobile: Command, photo: Path, tmp_path: Path) -> None:
    pytest.importorskip("mediapipe")
    path = tmp_path / "uncropped.tflite"
    path.write_bytes(models_util.tiny_file(crop=None))
    result = fermobile("predict", photo, "--model", path)
    assert result.exit_code == 2 and "the contract does not say how" in result.stderr and "--cropped" in result.stderr
    assert fermobile("predict", photo, "--model", path, "--cropped").exit_code == 0


def test_a_crashing_interpreter_is_a_message(
    fermobile: Command, model: Path, crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(data: bytes, runtime: str) -> None:
        raise RuntimeFailure("ai-edge-litert crashed (SIGSEGV) while running the model")

    monkeypatch.setattr(session_module, "try_in_child", crash)
    result = fermobile("predict", crops, "--cropped", "--model", model)
    assert result.exit_code == 1 and result.stdout == ""
    assert result.stderr == "error: ai-edge-litert crashed (SIGSEGV) while running the model\n"
