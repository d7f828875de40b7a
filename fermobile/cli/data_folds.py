"""``fermobile data folds``: divide a dataset by subject for a cross-validation."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("folds")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--count", type=click.IntRange(min=2), required=True, help="Number of folds.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of who is in which fold.")
@click.option("--force", is_flag=True, help="Replace the folds that the dataset has, such as its official ones.")
@click.option("--json", "as_json", is_flag=True, help="Print the folds as JSON.")
def data_folds(folder: Path, count: int, seed: int, force: bool, as_json: bool) -> None:
    """Divide the subjects of FOLDER into folds with about as many images each, for 'fermobile train --fold'.

    Everybody is tested in one fold. A set whose images name no subject is refused: folds by image would put one
    person on both sides.

    \b
    Example:
      fermobile data folds data/disfa --count 5
    """
    import json
    from collections import Counter

    from ..data.folds import balanced_folds
    from ..data.info import set_folds
    from ..data.manifest import Dataset
    from ..errors import DatasetError

    dataset = Dataset(folder)
    if dataset.info.folds and not force:
        raise DatasetError(f"{folder} has {len(dataset.info.folds)} folds already; pass --force to replace them")
    folds = balanced_folds(dataset.subject, count, seed, folder)
    set_folds(folder, folds)
    images = Counter(dataset.subject.tolist())
    summary = [{"images": sum(images[subject] for subject in fold), "subjects": fold} for fold in folds]
    if as_json:
        click.echo(json.dumps({"folds": summary, "seed": seed}, indent=2))
        return
    for number, (fold, entry) in enumerate(zip(folds, summary, strict=True), 1):
        names = ", ".join(fold[:8]) + (", …" if len(fold) > 8 else "")
        click.echo(f"fold {number}: {entry['images']} images of {len(fold)} subjects ({names})")
