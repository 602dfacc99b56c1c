"""The YAML head of a dataset card: what the hub and `datasets.load_dataset(folder)` read.

Knows no figures of a run.

Values are written as JSON, which YAML 1.2 holds whole, so no text of the user's can break out of its place. A
licence is the user's to choose: one already chosen in the card that is there is kept, and none is made up.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from tenet.ids import Json

if TYPE_CHECKING:
    from generate.export import ExportReport

TAGS: Final = ("preference", "rlaif", "constitutional-ai", "synthetic", "trl", "tenet")
_SIZES: Final = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def front_matter(
    name: str,
    reports: Sequence[ExportReport],
    provenance: Mapping[str, Json],
    licence: str | None,
    *,
    tags: Sequence[str] = TAGS,
) -> str:
    """Write the head; the first report is the configuration that `load_dataset(folder)` opens by itself."""
    largest = max((report.rows for report in reports), default=0)
    lines = [
        f"license: {licence}"
        if licence
        else "# license: yours to choose, for example cc-by-4.0; kept when the card is written anew",
        f"pretty_name: {_json(name)}",
        "task_categories:",
        "- text-generation",
        "size_categories:",
        f"- {size_category(largest)}",
        "tags:",
        *(f"- {tag}" for tag in tags),
        *_configurations(reports),
        f"tenet: {_json(dict(provenance))}",
    ]
    return "\n".join(["---", *lines, "---", ""])


def size_category(rows: int) -> str:
    """Return the hub's name for a number of rows."""
    return next((name for limit, name in _SIZES if rows < limit), "n>1M")


def _configurations(reports: Sequence[ExportReport]) -> Iterator[str]:
    if reports:
        yield "configs:"
    for place, report in enumerate(reports):
        yield f"- config_name: {report.name}"
        if place == 0:
            yield "  default: true"
        yield "  data_files:"
        for split in sorted({file.split for file in report.files}, reverse=True):
            yield f"  - split: {split}"
            yield f"    path: {report.name}/{split}-*.parquet"


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
