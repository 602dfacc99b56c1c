"""A run's report: one self-contained HTML page that says what the run gave and how far to trust it.

`gather` reads a run folder, `render` draws it, `write_report` does both. Nothing here judges, trains or changes a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

__all__ = ["FILE", "write_report"]

FILE = "report.html"


def write_report(
    run: Path,
    out: Path | None = None,
    *,
    evaluation: Path | None = None,
    trainings: Sequence[Path] | None = None,
    measured: Sequence[Path] = (),
) -> Path:
    """Write the report of a run folder and return where: `out`, or `report.html` in the folder.

    `evaluation` (a file) and `trainings` (folders) may lie outside the run; by default its own are read.
    `measured` names files and folders of evaluations, curves, comparisons and measured reward models.

    Raises:
        MissingInput: there is no run folder, or a shard of it does not read back.
        InvalidInput: a file of the run is not what it should be.
        StorageFailed: the page cannot be written.
    """
    from generate.report.data import gather
    from generate.report.render import render
    from tenet.runs.atomic import write_text

    path = out or run / FILE
    write_text(path, render(gather(run, evaluation=evaluation, trainings=trainings, measured=measured)))
    return path
