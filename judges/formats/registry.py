"""The formats of opinions, which of them a file is, and reading one: what was read, what was skipped, where and why.

To add one, write its module (see `judges.formats.base`) and a line in `FORMATS`; the most particular come first, for the first that
recognises a file reads it, before those of plug-ins: a file that is read today is read the same when a package is installed. Knows no
run folder and no store of labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from judges.formats import tenet
from judges.formats.alpaca_eval import ALPACA_EVAL
from judges.formats.arena import ARENA, ARENA_55K
from judges.formats.argilla import ARGILLA, ARGILLA_1
from judges.formats.base import Columns, Format, Item, Keyed, Skipped, Source, Withdrawn
from judges.formats.helpsteer2 import HELPSTEER2, HELPSTEER2_PREFERENCE
from judges.formats.helpsteer3 import HELPSTEER3
from judges.formats.hh_rlhf import HH_RLHF
from judges.formats.label_studio import LABEL_STUDIO, LABEL_STUDIO_MIN
from judges.formats.llmbar import LLMBAR, LLMBAR_VERDICTS
from judges.formats.pandalm import PANDALM, PANDALM_VERDICTS
from judges.formats.safety_rbr import SAFETY_RBR
from judges.formats.shp import SHP
from judges.formats.trl import TRL
from judges.formats.ultrafeedback import ULTRAFEEDBACK
from judges.formats.ultrafeedback_binarized import ULTRAFEEDBACK_BINARIZED
from judges.humans.labels import REQUIRED
from tenet.errors import InvalidInput, PluginBroken, Problem, UsageError
from tenet.ids import Json
from tenet.plugins import Kind, Plugin, find, installed, names
from tenet.reading.clean import Cleaning
from tenet.reading.rows import Rows, open_rows
from tenet.yamlfile import suggest

AUTO: Final = "auto"
SHOWN: Final = 20
FORMATS: Final[Mapping[str, Format]] = {
    one.name: one
    for one in (
        LLMBAR_VERDICTS, LLMBAR, PANDALM, PANDALM_VERDICTS, SAFETY_RBR, ULTRAFEEDBACK, ULTRAFEEDBACK_BINARIZED, HELPSTEER2_PREFERENCE,
        HELPSTEER2, HELPSTEER3, SHP, ARENA, ARENA_55K, ALPACA_EVAL, ARGILLA, ARGILLA_1, LABEL_STUDIO, LABEL_STUDIO_MIN, HH_RLHF, TRL,
        tenet.TENET,
    )
}  # fmt: skip


@dataclass
class Tally:
    """What became of the rows of a file so far; it is whole when the file has been read to its end.

    `places` are the rows read, `skipped` what cannot be read (with a cure where there is one), `left_out` the rows that are right and
    hold nothing to use, `several_turns` those whose conversation has more than one turn of a user.
    """

    places: set[int] = field(default_factory=set)
    skipped: list[Problem] = field(default_factory=list)
    bad: set[int] = field(default_factory=set)
    left_out: dict[str, list[int]] = field(default_factory=dict)
    several_turns: set[int] = field(default_factory=set)
    items: int = 0


@dataclass
class Stream:
    """A file whose items go by one after the other, with their places; `tally` counts them. Iterate it once.

    Raises (while it is iterated):
        UsageError: a mapped column is not known, or nothing says who judged.
        InvalidInput: the file cannot be read or is empty, or (at its end) rows cannot be read: with `strict` any, else all of them.
    """

    source: Source
    format: Format
    strict: bool = True
    tally: Tally = field(default_factory=Tally)

    @property
    def rows(self) -> Rows:
        """The file."""
        return self.source.rows

    def __iter__(self) -> Iterator[tuple[int, Item]]:
        tally = self.tally
        for place, item in self.format.read(self.source):
            tally.places.add(place)
            if isinstance(item, Skipped):
                self._skip(place, item)
                continue
            tally.items += 1
            if not isinstance(item, Keyed | Withdrawn) and sum(turn.role == "user" for turn in item.prompt) > 1:
                tally.several_turns.add(place)
            yield place, item
        tally.places |= self.source.joined
        self._check()

    def _skip(self, place: int, why: Skipped) -> None:
        if why.several_turns:
            self.tally.several_turns.add(place)
        if why.fact:
            self.tally.left_out.setdefault(why.reason, []).append(place)
            return
        self.tally.bad.add(place)
        self.tally.skipped.append(self.rows.problem(place, why.reason, why.hint or self._other(why.columns)))

    def _other(self, columns: frozenset[str]) -> str:
        """A cure for a row that has the columns of another format."""
        if not columns or self.format.recognises(columns):
            return ""
        other = next((one.name for one in FORMATS.values() if one.recognises(columns)), None)
        return f"this row has the columns of {other}: give each format a file of its own" if other else ""

    def _check(self) -> None:
        skipped, name = self.tally.skipped, self.rows.name
        if skipped and (self.strict or not self.tally.items):
            more = len(skipped) - SHOWN
            shown = [*skipped[:SHOWN], *([Problem(f"and {more:,} more")] if more > 0 else [])]
            raise InvalidInput(f"{name} cannot be imported; nothing was written", shown)
        if not self.tally.places:
            raise InvalidInput(f"no labels in {name}", [Problem("the file is empty", self.source.path)])


@dataclass(frozen=True)
class Reading:
    """What a file held: items with their places in its order, the rows skipped, and how many were left out by reason."""

    rows: Rows
    format: Format
    items: tuple[tuple[int, Item], ...]
    skipped: tuple[Problem, ...]
    cleaning: Cleaning
    total: int
    left_out: Mapping[str, int] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """The counts in words, with the first places of what was skipped."""
        told = [f"{self.rows.name}: {self.total:,} rows read as {self.format.name}"]
        told += [f"{count:,} left out: {reason}" for reason, count in self.left_out.items()]
        if self.skipped:
            told.append(f"{len(self.skipped):,} rows skipped; the first:")
            told += [f"  {problem}" for problem in self.skipped[:3]]
        return told

    def as_json(self) -> dict[str, Json]:
        """The counts for `--json`."""
        return {
            "file": self.rows.name,
            "format": self.format.name,
            "rows": self.total,
            "left_out": dict(self.left_out),
            "skipped": len(self.skipped),
            "first_skipped": [str(problem) for problem in self.skipped[:3]],
        }


def named(name: str) -> Format:
    """Return the format of a name.

    Raises:
        UsageError: there is none, with the nearest; or several.
        PluginBroken: it is a plug-in's, and cannot be used.
    """
    plugin = find(Kind.IMPORTERS, name, FORMATS)
    if plugin is not None:
        return _of(plugin)
    if name in FORMATS:
        return FORMATS[name]
    known = (*FORMATS, *names(Kind.IMPORTERS))
    hint = suggest(name, known) or f"the formats are {', '.join((AUTO, *known))}"
    raise UsageError(f'no label format "{name}"', hint=hint)


def _of(plugin: Plugin) -> Format:
    found = plugin.load()
    if not (isinstance(found, Format) and found.name == plugin.name):
        raise plugin.broken(f"{plugin.where} is no judges.formats.base.Format with name = {plugin.name!r}")
    return found


def choose(rows: Rows, format: str = AUTO) -> Format:  # noqa: A002
    """Return the format that is named, or the first that recognises the first readable row; Tenet's own where none does.

    Plug-ins are looked at where no format of ours recognises the row.

    Raises:
        UsageError: there is no format of that name, or several plug-ins recognise the row.
        PluginBroken: nothing recognises the row, Tenet's own columns are not there, and a plug-in that might know it cannot be used.
    """
    if format != AUTO:
        return named(format)
    first = next((row.value for row in rows if isinstance(row.value, Mapping)), {})
    columns = frozenset(str(name) for name in first)
    found = next((one for one in FORMATS.values() if one.recognises(columns) and one.fits(first)), None)
    return found or _plugged(columns, first) or tenet.TENET


def _plugged(columns: frozenset[str], first: Mapping[str, object]) -> Format | None:
    """The format of a plug-in that recognises a row."""
    fitting: list[Plugin] = []
    broken: PluginBroken | None = None
    for plugin in installed(Kind.IMPORTERS):
        try:
            form = _of(plugin)
        except PluginBroken as error:
            broken = error
            continue
        if form.recognises(columns) and form.fits(first):
            fitting.append(plugin)
    if len(fitting) > 1:
        told = " and ".join(f"{one.name} (of {one})" for one in fitting)
        raise UsageError(f"this may be a file of {told}", hint=f"say which: --format {fitting[0].name}")
    if broken is not None and not fitting and columns and not columns >= {*REQUIRED} - {"annotator"}:
        raise broken  # without it, an error about the columns would hide the cause
    return named(fitting[0].name) if fitting else None


def stream_file(
    path: Path,
    *,
    format: str = AUTO,  # noqa: A002
    judge: str = "",
    columns: Columns | None = None,
    strict: bool = True,
    end: int | None = None,
) -> Stream:
    """Open a file of opinions. Strict: a row that cannot be read is an error. Lenient: it is skipped and counted.

    A mapping of columns without a format means Tenet's own; with a format, it names that format's columns. `end` as in `open_rows`.

    Raises:
        MissingInput: there is no such file.
        UsageError: the format is not known.
        InvalidInput: the file cannot be opened as rows.
    """
    rows = open_rows(path, end=end)
    mapped = columns or Columns()
    form = tenet.TENET if format == AUTO and mapped.given else choose(rows, format)
    return Stream(Source(rows, path, judge, mapped), form, strict)


def read_file(
    path: Path,
    *,
    format: str = AUTO,  # noqa: A002
    judge: str = "",
    columns: Columns | None = None,
    strict: bool = True,
) -> Reading:
    """Read a file of opinions as a whole; see `stream_file`.

    Raises:
        MissingInput: there is no such file.
        UsageError: the format or a mapped column is not known, or nothing says who judged.
        InvalidInput: the file cannot be read, holds nothing, or, strictly, some rows cannot; all together, with their places.
    """
    stream = stream_file(path, format=format, judge=judge, columns=columns, strict=strict)
    items = tuple(stream)
    tally = stream.tally
    left_out = {reason: len(places) for reason, places in tally.left_out.items()}
    return Reading(
        stream.rows, stream.format, items, tuple(tally.skipped), stream.source.cleaning, len(tally.places), left_out
    )
