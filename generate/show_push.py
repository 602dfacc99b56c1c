"""Uploads a dataset, or says what would be uploaded, on the console. Knows no run and no network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from generate.export import ExportReport
from generate.publish import Target, files_of
from tenet.console import Console
from tenet.ids import Json


def push_and_show(
    target: Target, folder: Path, reports: Sequence[ExportReport], name: Json, console: Console, *, dry_run: bool
) -> None:
    """Upload a written dataset, unless `dry_run`, and print its files.

    Raises:
        MissingInput: see `Target.push`; the dataset stays written.
    """
    address = None if dry_run else target.push(folder, reports, f"Dataset of the run {name}, by tenet export")
    told: dict[str, Json] = {**target.as_json(folder, reports), "folder": str(folder), "uploaded": address}
    if console.json:
        console.data(told)
        return
    console.table(["file", "bytes"], [[file, size] for file, size in files_of(folder, reports)])
    where = f"{told['visibility']} data set {target.repo}"
    console.say(
        f"Nothing is uploaded (--dry-run); these would go to the {where}"
        if dry_run
        else f"Uploaded to the {where}: {address}"
    )
