"""``fermobile data``: the verbs that make and check dataset folders."""

from __future__ import annotations

import click

from .lazy import LazyGroup

_VERBS = {
    "import": ("data_import", "Read a public dataset as distributed into a dataset folder."),
    "synth": ("data_synth", "Render synthetic faces with exact labels."),
    "crop": ("data_crop", "Find, align and crop the faces of a dataset."),
    "label-aus": ("data_label_aus", "Label action units by MediaPipe's blendshapes."),
    "measure": ("data_measure", "Measure how an already cropped dataset frames its faces."),
    "folds": ("data_folds", "Divide a dataset by subject for a cross-validation."),
    "check": ("data_check", "Counts, duplicates, leaks between splits, and a contact sheet."),
}


@click.group(cls=LazyGroup, verbs=_VERBS)
def data() -> None:
    """Import, render, crop and check labelled faces.

    \b
    Example:
      fermobile data synth --out data/synth --count 4000
    """
