"""RAF-DB, basic emotions (Li, Deng & Du 2017): photos from the web, also aligned to 100x100, in seven emotions."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ...contract import CropSpec
from ...errors import DatasetError
from ..images import IMAGE_SUFFIXES
from .base import Drop, Face, Reject
from .lines import Lines
from .walk import first_existing, name_in

#: The list's label numbers, from 1.  Copies of the set in class folders number otherwise, see :mod:`.imagefolder`.
EMOTION_ORDER = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
#: The list, whose name is misspelt in the distribution.
LIST = "EmoLabel/list_patition_label.txt"
#: Faces per emotion, in the list's order.
COUNTS = {"train": (1290, 281, 717, 4772, 1982, 705, 2524), "test": (329, 74, 160, 1185, 478, 162, 680)}
_NAME = re.compile(r"((train|test)_\d+)\.jpg")


class RafDb:
    """Reader of ``EmoLabel/list_patition_label.txt`` with ``Image/aligned`` or ``Image/original``.

    Aligned images are named ``train_00001_aligned.jpg`` for the list's ``train_00001.jpg``.
    """

    name = "raf-db"
    licence = "RAF-DB: non-commercial research only, by agreement with its authors (BUPT)"
    citation = "Li, Deng & Du 2017, Reliable crowdsourcing and deep locality-preserving learning (CVPR); RAF-DB basic"
    vote_emotions: tuple[str, ...] = ()
    action_units: tuple[str, ...] = ()
    crop: CropSpec | None = None
    unit = "bytes"

    def __init__(self, path: Path) -> None:
        """Find the list and the images.

        Args:
            path: the folder that holds ``EmoLabel`` and ``Image``, whose aligned images are taken where it has both
                kinds; or ``Image/original`` or ``Image/aligned`` in it, which chooses.
        Raises:
            DatasetError: the list or the images are missing.
        """
        path = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow a link away from EmoLabel
        chosen = path.name in ("aligned", "original") and path.is_dir()
        self._root = path.parents[1] if chosen else path
        label_list = self._root / LIST
        if not label_list.is_file():
            raise DatasetError(
                f"{label_list} does not exist; give the folder that holds EmoLabel/ and Image/ as distributed "
                "(a copy in class folders has no list: name its folders by emotion and import it as imagefolder)"
            )
        places = [path] if chosen else [self._root / "Image" / kind for kind in ("aligned", "original")]
        self._images = first_existing("images of RAF-DB", places)
        self._ending = "_aligned.jpg" if self._images.name == "aligned" else ".jpg"
        self._list = Lines(label_list)
        self.sources: tuple[Path, ...] = (label_list,)
        self.total = label_list.stat().st_size

    def read(self, advance: Callable[[int], None]) -> Iterator[Face | Reject | Drop]:
        """Yield the faces in the list's order, then a reject per image that it does not name."""
        seen: dict[str, int] = {}
        counts = {part: dict.fromkeys(EMOTION_ORDER, 0) for part in COUNTS}
        for words in self._list.words(advance):
            where = self._list.where
            named = _NAME.fullmatch(words[0])
            if named is None or len(words) != 2:
                raise DatasetError(
                    f"{where}: {' '.join(words)[:60]!r} is not like 'train_00001.jpg 5'; get a fresh copy"
                )
            if words[0] in seen:
                raise DatasetError(
                    f"{where}: {words[0]} stands in line {seen[words[0]]} already; which label is right?"
                )
            seen[words[0]] = self._list.line
            emotion = _emotion(words[1], where)
            counts[named[2]][emotion] += 1
            file = self._images / f"{named[1]}{self._ending}"
            yield Face(name_in(self._root, file), file, named[2], stratum=emotion, emotion=emotion)
        self._refuse_other_order(counts)
        for file in sorted(self._images.iterdir()):
            listed = f"{file.name.removesuffix(self._ending)}.jpg" in seen
            if file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith(".") and not listed:
                yield Reject(name_in(self._root, file), f"the image is not in {LIST}")

    def _refuse_other_order(self, counts: Mapping[str, Mapping[str, int]]) -> None:
        """A whole part with other counts is numbered in another order, though by 1 to 7 (a subset tells nothing)."""
        for part, found in counts.items():
            if sum(found.values()) == sum(COUNTS[part]) and tuple(found.values()) != COUNTS[part]:
                said = ", ".join(f"{count} {emotion}" for emotion, count in found.items())
                raise DatasetError(
                    f"{self._list.path}: {said} in {part}, of which RAF-DB has {', '.join(map(str, COUNTS[part]))}: "
                    "the labels are of another order; get the list as distributed"
                )


def _emotion(label: str, where: str) -> str:
    """Raises DatasetError unless it is a number of the official order: another one puts every label in doubt."""
    numbers = {str(number): emotion for number, emotion in enumerate(EMOTION_ORDER, 1)}
    if label not in numbers:
        order = ", ".join(f"{number} {emotion}" for number, emotion in numbers.items())
        raise DatasetError(
            f"{where}: label {label[:20]!r} is not of RAF-DB's basic emotions ({order}); lists that count from 0 have "
            "another order, and numbers above 7 are compound emotions: get the basic set's list as distributed"
        )
    return numbers[label]
