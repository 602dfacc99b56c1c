"""Refuses labels and weights that no loss can read, by row and column, before anything is tokenised.

One such value stops a training: a `p_chosen` of 1.4 is a score under a wrong name, and dropping the rows that happen to show it
would leave the others wrong. Knows columns, no text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from tenet.errors import InvalidInput, Problem
from train.sources import Source

if TYPE_CHECKING:
    from datasets import Dataset

_TOLD: Final = 5
_CURES: Final = {
    "p_chosen": "p_chosen is P(chosen is better), from 0 to 1: turn a score s into 1 / (1 + exp(-s)), or name it otherwise",
    "p_good": "p_good is P(the response is good), from 0 to 1",
    "weight": "weights are finite numbers from 0 up; give 0 to rows that should not count, or leave the column out",
    "label": "label is true for a good response and false for a bad one",
}


def check_labels(source: Source) -> None:
    """Look through the columns `p_chosen`, `p_good`, `weight` and `label` of all rows.

    Raises:
        InvalidInput: a value is missing, no number, not finite or out of range, or no weight is above 0; names the first
            rows, counted from 1.
    """
    problems: list[Problem] = []
    for split, rows in (("", source.train), ("held out, ", source.test)):
        if rows is not None:
            for name in _CURES:
                if name in rows.column_names:
                    problems += _problems(rows, name, split, source)
    if problems:
        raise InvalidInput(f"{source.name}: labels or weights that cannot be learnt from", problems)


def _problems(rows: Dataset, name: str, split: str, source: Source) -> Iterator[Problem]:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    column = _column(rows, name)
    kind = column.type
    if not (
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind)
    ):
        yield Problem(f"{split}column {name} holds {kind}, no numbers", source.location, hint=_CURES[name])
        return
    values: Any = pc.fill_null(column.cast(pa.float64()), float("nan")).to_numpy(zero_copy_only=False)
    high = np.inf if name == "weight" else 1.0
    bad = ~(np.isfinite(values) & (values >= 0.0) & (values <= high))
    if name == "label":
        bad |= ~np.isin(values, (0.0, 1.0))
    places = np.flatnonzero(bad)
    for place in places[:_TOLD]:
        more = f"; {len(places):,} rows in all" if place == places[0] and len(places) > 1 else ""
        said = column[int(place)].as_py()
        yield Problem(f"{split}row {place + 1}, column {name}: {said}{more}", source.location, hint=_CURES[name])
    if name == "weight" and len(values) and not len(places) and not (values > 0).any():
        yield Problem(f"{split}column weight: no row weighs more than 0", source.location, hint=_CURES[name])


def _column(rows: Dataset, name: str) -> Any:
    """The column in the order of the rows, which a selection of rows may have changed."""
    import pyarrow as pa

    table = rows.select_columns([name]).with_format("arrow")[:]
    found = table.column(name)
    return pa.concat_arrays(found.chunks) if found.num_chunks else found.combine_chunks()
