"""``fermobile predict``: find faces in pictures and read them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import runtime_option

if TYPE_CHECKING:
    from ..inference.annotate import VideoFile
    from ..inference.pipeline import Pipeline
    from ..inference.session import Session
    from ..inference.sources import Picture, Source, Video


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PHOTO|FOLDER|VIDEO]...")
@click.option("--model", "-m", type=click.Path(path_type=Path), help="A .tflite with a contract. [default: shipped]")
@click.option("--webcam", type=click.IntRange(min=0), metavar="N", help="Read camera N until Ctrl-C.")
@click.option("--cropped", is_flag=True, help="The pictures are faces cropped already: find nothing, read all of it.")
@click.option("--annotate", "-a", type=click.Path(path_type=Path), help="Draw the results: a file, or a folder.")
@click.option("--every", type=click.IntRange(min=1), default=1, show_default=True, help="One video frame of so many.")
@runtime_option
@click.option("--threads", type=click.IntRange(1, 64), default=1, show_default=True, help="Threads of the interpreter.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per picture.")
@click.option("--force", is_flag=True, help="Replace what --annotate names.")
def predict(
    paths: tuple[Path, ...],
    model: Path | None,
    webcam: int | None,
    cropped: bool,
    annotate: Path | None,
    every: int,
    runtime: str,
    threads: int,
    as_json: bool,
    force: bool,
) -> int:
    """Find the faces in photos, folders, videos or a webcam and say what each expresses.

    A picture that cannot be read is skipped and listed; the exit code is 2 when none could be read.

    \b
    Example:
      fermobile predict photo.jpg --annotate out.png
      fermobile predict holiday/ --json > holiday.jsonl
      fermobile predict interview.mp4 --every 5 --annotate interview_faces.mp4
      fermobile predict faces/ --cropped --model fer_int8.tflite
    """
    from ..errors import InputError
    from ..inference.pipeline import Pipeline
    from ..inference.session import DEFAULT_MODEL, Session
    from ..inference.sources import find_sources

    if bool(paths) == (webcam is not None):
        raise InputError("name photos, folders or videos, or a camera with --webcam 0 (one of the two)")
    sources = find_sources(paths)
    target = _Target(annotate, sources, single=webcam is not None or (len(paths) == 1 and not paths[0].is_dir()))
    target.check(force)
    with contextlib.ExitStack() as stack:
        detector = None
        if not cropped:
            from ..face.detector import Detector

            detector = stack.enter_context(Detector())
        session = Session.open(model or DEFAULT_MODEL, runtime, threads)
        work = _Work(Pipeline(session, detector), session, target, every, as_json)
        if webcam is not None:
            work.read_webcam(webcam)
        else:
            work.read_all(sources)
    return work.finish()


class _Target:
    """Where annotated pictures go."""

    def __init__(self, path: Path | None, sources: list[Source], single: bool) -> None:
        self.path, self._single, self._sources = path, single, sources

    def check(self, force: bool) -> None:
        """Refuse what cannot be written, or must not be, before anything is read.

        Raises:
            InputError: says what is in the way.
        """
        from ..data.images import IMAGE_SUFFIXES
        from ..errors import InputError
        from ..files import refuse_existing

        path = self.path
        if path is None:
            return
        if self._single:
            allowed = (".mp4",) if not self._sources or self._sources[0].is_video else IMAGE_SUFFIXES
            if path.suffix.lower() not in allowed:
                raise InputError(f"--annotate {path}: the name must end in {' or '.join(allowed)}")
            if path.is_dir():
                raise InputError(f"--annotate {path}: this is a folder; name the file to write")
        elif path.exists() and not path.is_dir():
            raise InputError(f"--annotate {path}: this is a file; several pictures need a folder")
        _refuse_unwritable(path)
        originals, targets = {s.path.resolve() for s in self._sources}, set()
        for source in self._sources:
            target = self.of(source)
            assert target is not None
            if target in targets:
                raise InputError(f"--annotate {path}: two of the pictures would both become {target}")
            if target.resolve() in originals:
                raise InputError(f"--annotate {path}: {target} is one of the pictures to read; choose another path")
            targets.add(target)
        refuse_existing(path, force)

    def of(self, source: Source) -> Path | None:
        """The file for one source; None when nothing is drawn."""
        if self.path is None or self._single:
            return self.path
        return self.path / (source.relative.with_suffix(".mp4") if source.is_video else source.relative)


def _refuse_unwritable(path: Path) -> None:
    """Raise InputError where neither ``path`` nor the folders that are missing above it can be made."""
    from ..errors import InputError

    folder = path if path.is_dir() else path.parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise InputError(f"--annotate {path}: {folder} is a file, not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"--annotate {path}: the folder {folder} cannot be written to")


class _Work:
    """Reads sources one after the other, prints, draws, and counts what went wrong."""

    def __init__(self, pipeline: Pipeline, session: Session, target: _Target, every: int, as_json: bool) -> None:
        self._pipeline, self._contract, self._target = pipeline, session.contract, target
        self._every, self._as_json = every, as_json
        self._pictures = self._faces = 0
        self._skipped = 0
        self._notes: list[str] = []  # shown at the end, where no bar is in the way
        self._advance: Callable[[int], None]
        self._stopped: KeyboardInterrupt | None = None

    def read_all(self, sources: list[Source]) -> None:
        from ..errors import ImageError
        from ..inference.sources import count_pictures
        from .progress import progress

        with progress("predict", count_pictures(sources, self._every), "pictures", prints=True) as self._advance:
            for source in sources:
                try:
                    self._read_file(source)
                except ImageError as error:
                    self._skipped += 1
                    self._notes.append(f"skipped: {error}")
                    self._advance(1)
                if self._stopped:
                    return

    def read_webcam(self, number: int) -> None:
        from ..inference.sources import Video
        from .progress import progress

        with (
            contextlib.closing(Video(number, self._every)) as video,
            progress("predict", None, "pictures", prints=True) as self._advance,
        ):
            self._read_video(video, f"webcam {number}", self._target.path)

    def finish(self) -> int:
        """Say what was done; returns the exit code.

        Raises:
            KeyboardInterrupt: the one that ended a video.
        """
        for note in self._notes:
            click.echo(note, err=True)
        if not self._as_json or self._skipped:
            total = f"{_count(self._pictures, 'picture')}, {_count(self._faces, 'face')}"
            skipped = f", {self._skipped} skipped" if self._skipped else ""
            click.echo(f"{total}{skipped}", err=True)
        if self._stopped:
            raise self._stopped
        return 2 if self._skipped and not self._pictures else 0

    def _read_file(self, source: Source) -> None:
        from ..data.images import write_image
        from ..inference.sources import Video, read_photo

        target = self._target.of(source)
        if source.is_video:
            with contextlib.closing(Video(source.path, self._every)) as video:
                self._read_video(video, str(source.path), target)
            return
        drawn = self._read(read_photo(source.path), str(source.path), target is not None)
        if target is not None:
            write_image(target, drawn)

    def _read_video(self, video: Video, name: str, target: Path | None) -> None:
        """All frames; Ctrl-C ends it, and what was drawn until then is a whole video."""
        from ..errors import ImageError

        count = 0
        with _video_file(target, video.rate) as file:
            try:
                for picture in video:
                    drawn = self._read(picture, name, file is not None)
                    if file is not None:
                        file.write(drawn)
                    count += 1
            except KeyboardInterrupt as stop:
                if not count:
                    raise
                self._stopped = stop
            if not count:
                raise ImageError(f"{name}: no frame of this video can be decoded")
        if video.length is not None and count < video.length and not self._stopped:
            self._notes.append(f"warning: {name}: only {count} of its {video.length} frames could be read")

    def _read(self, picture: Picture, name: str, draw: bool) -> Any:
        """Read one picture and print it; returns the annotated picture when asked to draw."""
        result = self._pipeline.run(picture.image)
        self._pictures += 1
        self._advance(1)
        self._faces += len(result.faces)
        from ..inference.as_json import photo_record

        record = photo_record(name, picture, result, self._contract)
        if self._as_json:
            import json

            click.echo(json.dumps(record, ensure_ascii=False))
        else:
            _show(record)
        if not draw:
            return None
        from ..inference.annotate import annotate

        return annotate(picture.image, result.faces, self._contract)


@contextlib.contextmanager
def _video_file(path: Path | None, rate: float) -> Iterator[VideoFile | None]:
    from ..files import writing
    from ..inference.annotate import VideoFile

    if path is None:
        yield None
        return
    with writing(path) as temporary, contextlib.closing(VideoFile(temporary, rate)) as file:
        yield file


def _show(record: dict[str, Any]) -> None:
    """One picture for people: a line for it, one per face."""
    where = record["image"] + (f" frame {record['frame']}" if "frame" in record else "")
    times = ", ".join(f"{stage} {ms:.1f}" for stage, ms in record["milliseconds"].items())
    count = _count(len(record["faces"]), "face")
    click.echo(f"{click.style(where, bold=True)}  {record['width']}x{record['height']}  {count}  ({times} ms)")
    for number, face in enumerate(record["faces"], 1):
        click.echo(f"  {number}  {_describe(face)}")


def _describe(face: dict[str, Any]) -> str:
    if "error" in face:
        return f"not read: {face['error']}"
    parts = []
    if "emotion" in face:
        best, *others = sorted(face["scores"].items(), key=lambda item: -item[1])
        parts.append(click.style(f"{best[0]} {best[1]:.2f}", fg="green", bold=True))
        parts += [f"{name} {score:.2f}" for name, score in others[:2] if score >= 0.05]
    present = [f"{name} {au['score']:.2f}" for name, au in face.get("aus", {}).items() if au["present"]]
    if "aus" in face:
        parts.append(click.style(" ".join(present) or "no action unit", fg="cyan"))
    x, y, width, height = face["box"]
    return "  ".join(parts) + click.style(f"  at {x:.0f},{y:.0f} {width:.0f}x{height:.0f}", dim=True)


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"
