"""Reads a file of human labels, strictly: one that cannot be read is an error, so that no work vanishes.

Knows what labels are and nothing of where they are kept; the formats are in `judges.formats.registry`. What is a fact of the data
and no mistake (an empty or identical response, a label that stands twice or was taken back) is counted and left out. `Labels` goes
through a file without holding it; `read_labels` holds all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from judges.formats.base import Columns, Comparison, Item
from judges.formats.identity import Identities
from judges.formats.registry import AUTO, Stream, stream_file
from judges.humans.counts import Gathered, LabelCounts
from judges.humans.labels import labels_of
from tenet.errors import InvalidInput, Problem
from tenet.records import Label

SHOWN: Final = 3


@dataclass(frozen=True)
class LabelSet:
    """The labels of a file in its order, no two alike, what became of its rows, and the ids of labels that were taken back."""

    labels: tuple[Label, ...]
    counts: LabelCounts
    withdrawn: frozenset[str] = frozenset()


class Labels:
    """The labels of a file one after the other, no two alike; `counts` is whole once they have been iterated, which is done once.

    `end` is the byte to which a store is read that may grow meanwhile.
    `models` takes the opinions of models as labels too. `known` says whether the run that the labels are for holds a label's pair.

    Raises (when made):
        MissingInput: there is no such file.
        UsageError: the format is not known.
        InvalidInput: the file holds no labels of comparisons.

    Raises (while it is iterated):
        InvalidInput: the file holds no labels, a column is missing or unknown, or (strictly) a row is not a label; all problems together.
    """

    def __init__(
        self,
        path: Path,
        *,
        format: str = AUTO,  # noqa: A002
        columns: Columns | None = None,
        strict: bool = True,
        stored: bool = False,
        models: bool = False,
        known: Callable[[Label], bool] | None = None,
        end: int | None = None,
    ) -> None:
        self.stream = stream_file(path, format=format, columns=columns, strict=strict, end=end)
        self.models = models
        self.known = known
        self._stored = stored
        form = self.stream.format
        if not form.labels:
            hint = f"import what {form.name} holds with: tenet verdicts import {path} --to runs/NAME"
            raise InvalidInput(f"{path} holds no labels of comparisons", [Problem(form.summary, path, hint=hint)])

    @cached_property
    def withdrawn(self) -> frozenset[str]:
        """The ids of the labels that rows of the file take back; they are found before any label is given."""
        return self.stream.format.withdrawn(self.stream.source)

    @cached_property
    def _gathered(self) -> Gathered:
        return Gathered(stored=self._stored, withdrawn=self.withdrawn)

    def __iter__(self) -> Iterator[Label]:
        names, gathered, kept = Identities(), self._gathered, 0
        for place, item in self.stream:
            for label in self._of(item, self.stream, place, names):
                if gathered.keep(label, place):
                    if self.known is not None and not self.known(label):
                        gathered.note("unknown", place)
                    kept += 1
                    yield label
        if not kept and gathered.counts["models"]:
            path, count = self.stream.source.path, gathered.counts["models"]
            hint = f"take them as labels with --models, or as a judge's verdicts: tenet verdicts import {path} --to runs/NAME"
            raise InvalidInput(
                f"{path} holds no labels of people; nothing was written",
                [Problem(f"{count:,} opinions of models", path, hint=hint)],
            )

    def _of(self, item: Item, stream: Stream, place: int, names: Identities) -> Iterable[Label]:
        if isinstance(item, Label):
            return (item,)
        if not isinstance(item, Comparison):
            return ()
        models = sum(not one.person for one in item.opinions)
        if models and not self.models:
            self._gathered.note("models", place, models)
        where, ids = stream.rows.where(place), names.of_pair(item)
        return labels_of(item, source=where, response_ids=ids, models=self.models)

    @property
    def counts(self) -> LabelCounts:
        """What became of the rows so far."""
        tally, found = self.stream.tally, self._gathered
        return LabelCounts(
            rows=len(tally.places),
            labels=found.preferences.total(),
            duplicates=found.counts["duplicates"],
            empty=found.counts["empty"],
            identical=found.counts["identical"],
            repeated=found.counts["repeated"],
            annotators=len(found.annotators),
            prompts=len(found.prompts),
            preferences=dict(found.preferences),
            cleaning=self.stream.source.cleaning,
            skipped=len(tally.bad),
            withdrawn=found.counts["withdrawn"],
            contradictions=found.counts["contradictions"],
            unknown=found.counts["unknown"],
            models=found.counts["models"],
            several_turns=len(tally.several_turns),
            left_out=dict(tally.left_out),
            first_skipped=[str(problem) for problem in tally.skipped[:SHOWN]],
            places=found.places,
            one_sided=found.one_sided(),
            unit=self.stream.rows.unit,
        )


def read_labels(
    path: Path,
    *,
    format: str = AUTO,  # noqa: A002
    names: Mapping[str, str] | None = None,
    ignored: Sequence[str] = (),
    strict: bool = True,
    stored: bool = False,
    end: int | None = None,
) -> LabelSet:
    """Read a file of labels (JSONL, JSON, CSV, TSV or Parquet; gzip or not).

    `stored`: the file is a store of Tenet's own, of which nothing is left out but what was taken back; `end` as in `Labels`.

    Raises:
        MissingInput: there is no such file.
        UsageError: the format or a mapped column is not known.
        InvalidInput: the file has no labels, a column is missing or unknown, or (strictly) a row is not a label; all problems
            together, with their lines.
    """
    columns = Columns(names or {}, frozenset(ignored))
    labels = Labels(path, format=format, columns=columns, strict=strict, stored=stored, end=end)
    found = tuple(labels)
    return LabelSet(found, labels.counts, labels.withdrawn)
