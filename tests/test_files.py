"""Files and folders appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fermobile import files
from fermobile.errors import InputError, OutputExistsError


def _contents(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_file_takes_its_name_only_when_the_block_ends_well(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "a.txt"
    with files.writing(target) as temporary:
        temporary.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert _contents(target.parent) == ["a.txt"]


def test_a_full_disk_leaves_the_old_file_and_no_leavings(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(OSError, match="No space"), files.writing(target) as temporary:
        temporary.write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert target.read_text() == "old"
    assert _contents(tmp_path) == ["a.txt"]


def test_written_files_have_the_permissions_of_any_other_file(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    files.write_text(tmp_path / "ours", "x")
    assert (tmp_path / "ours").stat().st_mode == plain.stat().st_mode


def test_a_folder_takes_its_name_only_when_the_block_ends_well(tmp_path: Path) -> None:
    target = tmp_path / "set"
    with pytest.raises(KeyboardInterrupt), files.writing_folder(target, "old") as temporary:
        (temporary / "half").touch()
        raise KeyboardInterrupt
    assert _contents(tmp_path) == []
    with files.writing_folder(target, "old") as temporary:
        (temporary / "whole").touch()
    assert _contents(target) == ["whole"]


def test_a_taken_folder_is_refused_and_replaced_whole_by_force(tmp_path: Path) -> None:
    target = tmp_path / "set"
    target.mkdir()
    (target / "old").touch()
    with pytest.raises(OutputExistsError), files.writing_folder(target, "old"):
        pytest.fail("the work must not begin")
    with files.writing_folder(target, "old", force=True) as temporary:
        (temporary / "new").touch()
    assert _contents(target) == ["new"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_force_deletes_nothing_that_is_not_ours(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "set"
    if kind == "folder":
        target.mkdir()
        (target / "precious").touch()
    else:
        target.touch()
    with pytest.raises(InputError, match="holds no old"), files.writing_folder(target, "old", force=True):
        pytest.fail("the work must not begin")
    assert target.exists() and (kind == "file" or _contents(target) == ["precious"])


def test_refuse_existing(tmp_path: Path) -> None:
    taken = tmp_path / "a"
    files.refuse_existing(taken, force=False)
    taken.touch()
    files.refuse_existing(taken, force=True)
    with pytest.raises(OutputExistsError):
        files.refuse_existing(taken, force=False)
    (tmp_path / "empty").mkdir()
    files.refuse_existing(tmp_path / "empty", force=False)


def test_json_is_stable_and_readable(tmp_path: Path) -> None:
    files.write_json(tmp_path / "a.json", {"b": 1, "a": "é"})
    text = (tmp_path / "a.json").read_text("utf-8")
    assert text == '{\n  "a": "é",\n  "b": 1\n}\n'
    assert json.loads(text) == {"a": "é", "b": 1}


def test_sha256(tmp_path: Path) -> None:
    files.write_bytes(tmp_path / "a", b"x" * 100_000)
    assert files.sha256(tmp_path / "a") == hashlib.sha256(b"x" * 100_000).hexdigest()


def test_a_link_to_a_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "set").symlink_to(tmp_path / "disk")
    for content in ("old", "new"):
        with files.writing_folder(tmp_path / "set", "old", force=True) as temporary:
            (temporary / content).touch()
    assert (tmp_path / "set").is_symlink()
    assert _contents(tmp_path / "disk") == ["new"]
    assert _contents(tmp_path) == ["disk", "set"]


@pytest.mark.parametrize("path", [".", "..", "/proc"])
def test_what_cannot_be_replaced_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    (tmp_path / "outer" / "inner").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "outer" / "inner")
    monkeypatch.setattr(files, "refuse_existing", lambda *_: None)
    with pytest.raises(InputError, match="name a folder inside it"), files.writing_folder(Path(path), "old", True):
        pytest.fail("the work must not begin")


def test_the_old_folder_comes_back_when_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "set"
    target.mkdir()
    (target / "old").touch()
    replace = Path.replace

    def fail(self: Path, to: Path) -> Path:
        if to == target and (self / "new").exists():
            raise KeyboardInterrupt
        return replace(self, to)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(KeyboardInterrupt), files.writing_folder(target, "old", force=True) as temporary:
        (temporary / "new").touch()
    assert _contents(target) == ["old"]
    assert _contents(tmp_path) == ["set"]


def test_a_folder_gets_the_permissions_of_any_other(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        (tmp_path / "plain").mkdir()
        with files.writing_folder(tmp_path / "set", "old"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "set").stat().st_mode == (tmp_path / "plain").stat().st_mode


@contextlib.contextmanager
def _files_end_at(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond ``size`` bytes: write() then fails as on a full disk."""
    resource = pytest.importorskip("resource", reason="needs a POSIX system")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_write_that_fails_names_the_file_that_was_wanted(tmp_path: Path) -> None:
    with _files_end_at(1000), pytest.raises(OSError) as caught:
        files.write_bytes(tmp_path / "a.bin", bytes(2000))
    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(tmp_path / "a.bin"))
    assert _contents(tmp_path) == []


def test_a_dataset_on_a_full_disk_says_so(tmp_path: Path) -> None:
    from fermobile.data.manifest import DatasetInfo, write_dataset

    with _files_end_at(1000), pytest.raises(OSError) as caught, write_dataset(tmp_path / "set", DatasetInfo("x")) as w:
        w.add_array(np.zeros((64, 64), np.uint8), split="train")
    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(tmp_path / "set"))
    assert _contents(tmp_path) == []


def test_other_errors_keep_their_own_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, files.writing(tmp_path / "a"):
        (tmp_path / "source").read_bytes()
    assert caught.value.filename == str(tmp_path / "source")
