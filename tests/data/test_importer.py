"""An import is whole or absent, deterministic, and says what it left out."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fermobile.data.importer import ImportSummary, import_dataset
from fermobile.data.manifest import Dataset
from fermobile.data.readers import open_reader
from fermobile.errors import DatasetError, InputError, OutputExistsError
from fermobile.files import sha256

Writer = Callable[..., Path]


def run(name: str, source: Path, out: Path, **options: object) -> ImportSummary:
    return import_dataset(open_reader(name, source), out, **options)  # type: ignore[arg-type]


def three_parts(write_fer: Writer) -> Path:
    return write_fer([(3, i, u) for i, u in enumerate(["Training"] * 3 + ["PublicTest", "PrivateTest"])])


def test_images_labels_and_provenance_arrive(
    write_fer: Writer, tmp_path: Path, smooth_image: Callable[..., np.ndarray]
) -> None:
    source = three_parts(write_fer)
    run("fer2013", source, tmp_path / "out")
    dataset = Dataset(tmp_path / "out")
    assert dataset.split.tolist() == ["train"] * 3 + ["val", "test"]
    assert dataset.info.emotions == ("happiness",)
    assert "research" in dataset.info.licence
    assert dataset.info.extra["import"]["sources"] == {"fer2013.csv": sha256(source / "fer2013.csv")}
    assert np.array_equal(dataset.image(1)[..., 0], smooth_image(1))


def test_votes_become_soft_labels(write_fer: Writer, tmp_path: Path) -> None:
    votes = ["PrivateTest,a.png,6,2,0,0,0,0,0,0,0,0", "PrivateTest,b.png,3,3,0,0,0,0,0,0,0,0"]
    run("ferplus", write_fer([(0, i, "PrivateTest") for i in range(2)], votes), tmp_path / "out")
    dataset = Dataset(tmp_path / "out")
    assert dataset.emotion.tolist() == ["neutral", ""]
    assert dataset.soft_labels(("happiness", "neutral")).tolist() == [[0.25, 0.75], [0.5, 0.5]]


def test_without_a_private_test_the_public_one_is_test(write_fer: Writer, tmp_path: Path) -> None:
    source = write_fer([(3, i, "Training") for i in range(20)] + [(3, 20 + i, "PublicTest") for i in range(4)])
    summary = run("fer2013", source, tmp_path / "out")
    assert {split: sum(c.values()) for split, c in summary.counts.items()} == {"train": 18, "val": 2, "test": 4}
    assert "10% of train held out as val" in summary.split_rule


def test_duplicates_are_never_divided_between_train_and_val(write_fer: Writer, tmp_path: Path) -> None:
    source = write_fer([(3, i // 2, "Training") for i in range(40)])
    run("fer2013", source, tmp_path / "out", val_fraction=0.3)
    split = Dataset(tmp_path / "out").split.reshape(20, 2)
    assert (split[:, 0] == split[:, 1]).all()
    assert (split == "val").any()


def test_the_same_source_and_seed_give_the_same_dataset(write_fer: Writer, tmp_path: Path) -> None:
    source = write_fer([(i % 7, i, "Training") for i in range(40)])
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        run("fer2013", source, tmp_path / name, seed=seed)
    a, b, c = (Dataset(tmp_path / name) for name in "abc")
    assert a.sha256 == b.sha256
    assert a.sha256 != c.sha256


def test_broken_samples_are_skipped_and_listed(write_fer: Writer, tmp_path: Path) -> None:
    source = write_fer([(0, i, "PrivateTest") for i in range(30)] + [(9, 30, "PrivateTest")])
    assert run("fer2013", source, tmp_path / "out").rejected == 1
    with (tmp_path / "out" / "rejects.csv").open() as stream:
        (row,) = csv.DictReader(stream)
    assert row["where"].endswith("fer2013.csv, line 32")
    assert "column emotion: '9'" in row["reason"]
    assert len(Dataset(tmp_path / "out")) == 30


def test_too_many_broken_samples_stop(write_fer: Writer, tmp_path: Path) -> None:
    source = write_fer([(0, i, "PrivateTest") for i in range(9)] + [(9, 9, "PrivateTest")])
    with pytest.raises(
        DatasetError, match=r"(?s)1 of 10 samples are broken, more than 5.0%.*--max-rejects 0\.1.*line 11"
    ):
        run("fer2013", source, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    run("fer2013", source, tmp_path / "out", max_rejects=0.1)


def test_nothing_usable_stops(write_fer: Writer, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no usable sample: 0 broken, 1 dropped"):
        run("ferplus", write_fer([(0, 1, "Training")], ["Training,,0,0,0,0,0,0,0,0,0,10"]), tmp_path / "out")
    with pytest.raises(DatasetError, match="no usable sample"):
        run("fer2013", write_fer([]), tmp_path / "out")


def test_an_existing_output_is_kept(write_fer: Writer, tmp_path: Path) -> None:
    source = three_parts(write_fer)
    run("fer2013", source, tmp_path / "out")
    with pytest.raises(OutputExistsError):
        run("fer2013", source, tmp_path / "out")
    run("fer2013", source, tmp_path / "out", force=True)


def test_image_files_are_copied_as_they_are(write_folder: Writer, tmp_path: Path) -> None:
    source = write_folder({"train/happy": 20, "train/sad": 20, "test/happy": 1, "test/sad": 1})
    run("imagefolder", source, tmp_path / "out")
    dataset = Dataset(tmp_path / "out")
    assert sorted(set(dataset.emotion)) == ["happiness", "sadness"]
    assert [int((dataset.split == s).sum()) for s in ("train", "val", "test")] == [36, 4, 2]
    copied = tmp_path / "out" / "images" / "train" / "happy" / "000.png"
    assert copied.read_bytes() == (source / "train" / "happy" / "000.png").read_bytes()
    assert dataset.image(0).shape == (64, 64, 3)


@pytest.mark.parametrize(("parts", "said"), [(("",), 1), (("train", "val", "test"), 0)])
def test_a_hold_out_among_people_whom_nobody_knows_is_said(
    write_folder: Writer, tmp_path: Path, parts: tuple[str, ...], said: int
) -> None:
    source = write_folder({f"{part}/{name}".strip("/"): 20 for part in parts for name in ("happy", "sad")})
    notes = run("imagefolder", source, tmp_path / "out").notes
    assert ["nobody knows who is on the images" in note for note in notes] == [True] * said


def test_image_names_with_a_colon_are_files(write_folder: Writer, tmp_path: Path) -> None:
    source = write_folder({"test/happy": 1})
    (source / "test" / "happy" / "000.png").rename(source / "test" / "happy" / "a:1.png")
    run("imagefolder", source, tmp_path / "out")
    assert Dataset(tmp_path / "out").image(0).shape == (64, 64, 3)


def test_unreadable_images_are_rejected(write_folder: Writer, tmp_path: Path) -> None:
    source = write_folder({"test/happy": 3})
    (source / "test" / "happy" / "empty.jpg").touch()
    (source / "test" / "happy" / "text.png").write_text("no image")
    summary = run("imagefolder", source, tmp_path / "out", max_rejects=0.5)
    assert (summary.samples, summary.rejected) == (3, 2)
    listed = (tmp_path / "out" / "rejects.csv").read_text()
    assert "test/happy/empty.jpg,the file is empty" in listed


_PIXELS = " ".join(["7"] * 2304)
_FER = "emotion,pixels,Usage\n" + "".join(f"{i % 7},{i} {_PIXELS[2:]},Training\n" for i in range(6))
_PLUS = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n" + "".join(
    f"Training,fer{i}.png,{i},9,0,0,0,0,0,0,1,0\n" for i in range(6)
)


@st.composite
def damaged(draw: st.DrawFn, text: str) -> bytes:
    """``text`` with bytes replaced, removed, inserted, a piece doubled, or its end cut off."""
    data = bytearray(text.encode())
    for _ in range(draw(st.integers(0, 4))):
        # Half of the damage goes to the ends, where headers and last lines are.
        at = draw(st.one_of(st.integers(0, len(data) - 1), st.integers(0, 80), st.integers(1, 60).map(lambda k: -k)))
        at %= len(data)
        kind = draw(st.sampled_from(["replace", "insert", "delete", "double", "cut"]))
        if kind == "replace":
            data[at] = draw(st.integers(0, 255))
        elif kind == "insert":
            data[at:at] = draw(st.sampled_from([b",", b"\n", b'"', b"\xff", b"\0", b"-", b"99999999", b"\r", b" "]))
        elif kind == "delete":
            del data[at : at + draw(st.integers(1, 50))]
        elif kind == "double":
            data[at:at] = data[at : at + 100]
        elif at > 0:
            del data[at:]
        data = data or bytearray(b"x")
    return bytes(data)


@settings(max_examples=60)
@given(fer=damaged(_FER), plus=damaged(_PLUS), name=st.sampled_from(["fer2013", "ferplus"]))
def test_damaged_files_import_or_end_in_one_clear_error(
    fer: bytes, plus: bytes, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "fer2013.csv").write_bytes(fer)
    (folder / "fer2013new.csv").write_bytes(plus)
    out = folder / "out"
    try:
        summary = run(name, folder, out, max_rejects=0.6)
    except InputError as error:
        assert str(folder) in str(error) or "no usable sample" in str(error) or "nothing can be held out" in str(error)
        assert sorted(p.name for p in folder.iterdir()) == ["fer2013.csv", "fer2013new.csv"]
    else:
        assert len(Dataset(out)) == summary.samples


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_official_files_give_the_published_counts(shared: Path, tmp_path: Path) -> None:
    """FER+ majority and soft-label row counts of the real set, in bounded memory."""
    subprocess.run([sys.executable, shared / "tools" / "write_fer2013.py", tmp_path / "fer"], check=True)
    command = [sys.executable, "-c", _IMPORT_AND_PRINT_MEMORY, tmp_path / "fer", tmp_path / "out"]
    peak_mib = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout) // 1024
    dataset = Dataset(tmp_path / "out")
    assert int((dataset.split != "test").sum()) == 28_386
    assert int(((dataset.split == "test") & (dataset.emotion != "")).sum()) == 3_199
    recorded = json.loads((tmp_path / "out" / "dataset.json").read_text())["extra"]["import"]
    assert recorded["dropped"] == {"annotated as NF": 3, "annotated as unknown": 195}
    assert peak_mib < 2048


# VmHWM, not getrusage: a child's ru_maxrss starts at what its parent, here pytest with TensorFlow, held when it forked.
_IMPORT_AND_PRINT_MEMORY = """
import sys
from pathlib import Path
from fermobile.data.importer import import_dataset
from fermobile.data.readers import open_reader
import_dataset(open_reader("ferplus", sys.argv[1]), Path(sys.argv[2]))
print(next(line.split()[1] for line in Path("/proc/self/status").open() if line.startswith("VmHWM")))
"""
