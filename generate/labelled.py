"""Labels of people as a dataset to train on, without a run: pairs with probabilities, in the forms in which a run's are exported.

`p_chosen` follows from who chose what and from how often each person is right (`judges.blending.people`), a tie of all is left out, and
`weight` is design: the inverse chance of having been drawn for labelling, shared by the pairs of a prompt. Asks no model.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from generate.export import ExportReport, ExportSource, PairRow, export_dataset
from generate.export.labelled_card import write_labelled_card
from judges.blending.people import People, Vote, reliabilities
from judges.formats.pairs import TURNED
from judges.probability import logit
from tenet.errors import UsageError
from tenet.ids import Json, content_id, digest
from tenet.records import Choice, Finish, Label, PreferencePair, Prompt, Sample, prompt_id

FORMATS: Final = ("trl-preference", "sft")
SOURCE: Final = "human"
ONE_PRINCIPLE: Final = "labels that were asked about one principle"
SKIPS: Final = "skips"
TIES: Final = "pairs that come to a tie"
AUTHOR: Final = "not known"


@dataclass(frozen=True)
class LabelledPairs:
    """The pairs that people decided, prompt by prompt in the order of the labels; `left_out` counts labels and pairs by reason."""

    rows: Sequence[PairRow]
    people: People
    labels: int
    left_out: Counter[str]

    def lines(self) -> list[str]:
        """Say it in words."""
        found = [f"{self.labels:,} labels of {len(self.people.reliability):,} people, {len(self.rows):,} pairs"]
        return found + [f"{count:,} left out: {reason}" for reason, count in self.left_out.items()]


@dataclass(frozen=True)
class Written:
    """A dataset that was written: its folder, what each format holds, and the pairs it was made from."""

    folder: Path
    reports: Sequence[ExportReport]
    pairs: LabelledPairs

    def as_json(self) -> dict[str, Json]:
        """Give plain values."""
        return {
            "folder": str(self.folder),
            "labels": self.pairs.labels,
            "pairs": len(self.pairs.rows),
            "people": self.pairs.people.as_json(),
            "left_out": dict(self.pairs.left_out),
            "written": {one.name: {"splits": dict(one.splits), "left_out": dict(one.left_out)} for one in self.reports},
        }


@dataclass
class _Pair:
    """A pair with its labels, the last of each person; a and b are those of the first label."""

    prompt: Prompt
    texts: dict[str, str]
    votes: dict[str, Vote]
    chance: float


def labelled_pairs(labels: Iterable[Label]) -> LabelledPairs:
    """Bring labels together by pair, and find what people come to."""
    found: dict[tuple[str, str, str], _Pair] = {}
    left_out: Counter[str] = Counter()
    count = 0
    for label in labels:
        count += 1
        if label.principle is not None or label.preference is Choice.SKIP:
            left_out[SKIPS if label.preference is Choice.SKIP else ONE_PRINCIPLE] += 1
        else:
            _hear(label, found)
    people = reliabilities(list(pair.votes.values()) for pair in found.values())
    by_prompt: defaultdict[str, list[PairRow]] = defaultdict(list)
    for (prompt, a, b), pair in found.items():
        odds = people.log_odds(pair.votes.values())
        if odds == 0.0:
            left_out[TIES] += 1
        else:
            by_prompt[prompt].append(_row(pair, (a, b) if odds > 0 else (b, a), people))
    rows = [_shared(row, len(group)) for group in by_prompt.values() for row in group]
    return LabelledPairs(rows, people, count, left_out)


def write_labelled(
    labels: Iterable[Label], folder: Path, formats: Sequence[str], *, test_share: float, name: str
) -> Written:
    """Write what labels come to as a dataset, with a card.

    Args:
        labels: of people; all are held in memory.
        folder: where to; each format has a folder in it, which is replaced as a whole.
        formats: of `tenet export`.
        test_share: share of the prompts held out as the split test, by their content alone.
        name: what the card calls the labels.

    Raises:
        UsageError: a format is not known, or no label decides a pair.
        StorageFailed: the disk is full or not writable.
    """
    pairs = labelled_pairs(labels)
    if not pairs.rows:
        raise UsageError(f"{name}: no label decides a pair", hint="; ".join(pairs.lines()))
    names = sorted(row.pair.id for row in pairs.rows)
    provenance: dict[str, Json] = {
        "labels": {"name": name, "pairs": digest(names), "people": len(pairs.people.reliability)}
    }

    def rows() -> Iterator[PairRow]:
        return iter(pairs.rows)

    source = ExportSource(rows, test_share=test_share, provenance=provenance)
    reports = export_dataset(source, formats, folder)
    write_labelled_card(folder, name, reports, provenance, pairs.lines())
    return Written(folder, reports, pairs)


def _hear(label: Label, found: dict[tuple[str, str, str], _Pair]) -> None:
    """Count a label; a pair that is there the other way round takes it turned."""
    prompt = prompt_id(label.prompt)
    a = label.response_a_id or content_id("given", prompt, label.response_a)
    b = label.response_b_id or content_id("given", prompt, label.response_b)
    texts, choice = {a: label.response_a, b: label.response_b}, label.preference
    if (prompt, b, a) in found:
        a, b = b, a
        choice = TURNED.get(choice, choice)
    pair = found.setdefault(
        (prompt, a, b), _Pair(Prompt.of(label.prompt, source=label.source), texts, {}, label.inclusion_probability)
    )
    pair.votes[label.annotator] = Vote(label.annotator, choice)


def _row(pair: _Pair, sides: tuple[str, str], people: People) -> PairRow:
    p = people.p(pair.votes.values())
    p = max(p, 1.0 - p)
    chosen, rejected = sides
    half = logit(p) / 2
    made = PreferencePair(
        id=content_id("pair", pair.prompt.id, *sorted(sides)), prompt_id=pair.prompt.id, chosen_id=chosen, rejected_id=rejected,
        p_chosen=p, weight=1.0 / pair.chance, score_chosen=half, score_rejected=-half, source=SOURCE, judgements=len(pair.votes),
    )  # fmt: skip
    better, worse = (
        Sample(side, pair.prompt.id, place, pair.texts[side], AUTHOR, Finish.GIVEN) for place, side in enumerate(sides)
    )
    return PairRow(pair.prompt, made, better, worse)


def _shared(row: PairRow, pairs: int) -> PairRow:
    return replace(row, pair=replace(row.pair, weight=row.pair.weight / pairs))
