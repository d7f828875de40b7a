"""Where pictures come from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fermobile.data.images import write_image
from fermobile.errors import ImageError, InputError
from fermobile.inference.annotate import VideoFile
from fermobile.inference.sources import Video, find_sources, read_photo


def test_folders_are_searched_all_through_in_order(tmp_path: Path) -> None:
    for name in ("z.JPG", "a/b.png", "a/notes.txt", "a/walk.MOV", "clip.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = find_sources([tmp_path, tmp_path / "z.JPG"])
    assert [str(s.relative) for s in found] == ["a/b.png", "a/walk.MOV", "clip.mp4", "z.JPG", "z.JPG"]
    assert [s.is_video for s in found] == [False, True, True, False, False]


def test_what_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.png: no such file or folder"):
        find_sources([tmp_path / "nothing.png"])
    with pytest.raises(InputError, match="no images or videos in this folder"):
        find_sources([tmp_path])


def test_pictures_are_rgb(tmp_path: Path) -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    image[..., 0] = 250
    write_image(tmp_path / "red.png", image)
    picture = read_photo(tmp_path / "red.png")
    assert np.array_equal(picture.image, image) and picture.frame is None and picture.milliseconds > 0


def test_an_ending_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"cannot write an image with the ending '\.xyz'"):
        write_image(tmp_path / "a.xyz", np.zeros((8, 8, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("every,expected", [(1, [0, 1, 2, 3, 4]), (2, [0, 2, 4]), (9, [0])])
def test_a_video_there_and_back(tmp_path: Path, every: int, expected: list[int]) -> None:
    path = tmp_path / "v.mp4"
    file = VideoFile(path, 20.0)
    for i in range(5):
        file.write(np.full((49, 65, 3), (40 * i, 0, 0), np.uint8))
    file.close()
    video = Video(path, every)
    pictures = list(video)
    video.close()
    assert [p.frame for p in pictures] == expected
    assert (video.length, video.rate) == (len(expected), 20.0 / every)
    assert pictures[-1].image.shape == (48, 64, 3)
    red, green, _ = pictures[-1].image.mean((0, 1))
    assert red == pytest.approx(40 * expected[-1], abs=12) and green < 12


def test_what_is_no_video_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "v.mp4").write_bytes(
        bytes.fromhex("00000018667479706d703432000000006d70343269736f6d")
    )  # a head, and no more
    with pytest.raises(ImageError, match=r"v\.mp4: not a video that OpenCV can open"):
        Video(tmp_path / "v.mp4")
    with pytest.raises(ImageError, match="webcam 97: there is no such camera"):
        Video(97)
    assert capfd.readouterr().err == "", "the decoder does not say it a second time"
