"""The report that a training run leaves in its own folder."""

from __future__ import annotations

from pathlib import Path

from ..training.runs import Run
from .content import ReportData, Step
from .page import write_page
from .sections import build_sections


def write_run_report(run_folder: str | Path) -> Path:
    """Write learning curves, validation figures and the contract of a finished run.

    Args:
        run_folder: a run of ``fermobile train`` or ``fermobile quantize``.
    Returns:
        The file written, ``report.html`` in the run folder.
    Raises:
        RunError: the folder is no finished run.
    """
    run = Run.open(run_folder)
    path = run.folder / "report.html"
    epochs = run.metrics()
    network = run.recipe.network
    subtitle = (
        f"{network.backbone} {network.alpha:g}, {network.size} px, {'quantized, ' if run.quantized else ''}"
        f"trained on {run.info['dataset']['name']}"
    )
    data = ReportData(title=f"Run {run.folder.name}", contract=run.contract, epochs=epochs, steps=_stages(epochs))
    write_page(path, data.title, subtitle, build_sections(data))
    return path


def _stages(epochs: list[dict[str, object]]) -> list[Step]:
    """One line per stage: its time, and the figures of its best epoch."""
    steps = []
    for stage in dict.fromkeys(str(e["stage"]) for e in epochs):
        rows = [e for e in epochs if e["stage"] == stage]
        best = max(rows, key=lambda e: float(str(e["score"])))
        figures = ", ".join(f"{key.removeprefix('val_')} {best[key]:.3f}" for key in best if key.startswith("val_"))
        seconds = sum(float(str(e["seconds"])) for e in rows)
        steps.append(Step(f"stage {stage}", seconds, f"best epoch {best['epoch']} of {len(rows)}: {figures}"))
    return steps
