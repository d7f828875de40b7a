"""The report of a cross-validation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .content import Section
from .fold_sections import curves, folds, overview, provenance, scores
from .page import write_page

if TYPE_CHECKING:
    from ..training.cross_validation import CrossValidation

#: The report, in order.
ALL = (overview, scores, curves, folds, provenance)


def write_fold_report(result: CrossValidation) -> Path:
    """Write the figures of all folds beside their runs.

    Returns:
        The file written, ``report.html`` in the folder of the cross-validation.
    Raises:
        MissingExtraError: a package of the report is not installed.
    """
    path = result.folder / "report.html"
    network = result.recipe.network
    subtitle = (
        f"{result.recipe.name}: {network.backbone} {network.alpha:g}, {network.size} px, on "
        f"{result.contract.provenance['dataset']['name']}"
    )
    write_page(path, f"Cross-validation over {result.count} folds", subtitle, build_fold_sections(result))
    return path


def build_fold_sections(result: CrossValidation) -> list[Section]:
    """All sections that have something to say."""
    return [section for make in ALL if (section := make(result))]
