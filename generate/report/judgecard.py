"""What a run's `card.json` says of its judges: rows for the page, a sentence for the dataset card. Works nothing out.

What the file lacks is left out, and an unknown key is no error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from generate.report.measured import rate_of
from generate.report.model import CardRow, JudgeCard, Rate
from generate.report.source import as_mapping
from generate.report.words import number, percent
from tenet.console import plural
from tenet.ids import Json

SHARES: Final = {
    "accuracy": "Single verdicts that say what most people say (a, b or tie); one that failed is wrong",
    "accuracy_without_ties": "The same, of the pairs in which most people name a winner",
    "human_ceiling": "One person against the majority of the others, on the same pairs",
    "accuracy_where_consistent": "The same where both orders give one verdict",
    "position_consistency": "The same verdict whichever response is shown first",
    "first_slot_rate": "Won by the response shown first, both orders asked",
    "transitivity_violations": "Triples of responses that go round in a circle",
}
NUMBERS: Final = {
    "cohen_kappa": "Agreement with people beyond chance",
    "log_loss": "Of its probabilities against people, in nats; always one half gives 0.693",
    "calibration_error": "Mean distance of certainty and share right",
    "length_bias": "Weight of length at equal human label, in log-odds",
}


def judge_cards_of(
    value: Mapping[str, Json], calls: int | None = None, labels: str | None = None
) -> tuple[JudgeCard, ...]:
    """The judges of a `card.json`; none of an empty one.

    `calls` are the run's judge calls now and `labels` the digest of its labels: a card of other calls is stale, and so is one of
    other labels, unless it was measured against a file of its own.
    """
    judges = as_mapping(value.get("judges"))
    humans = as_mapping(value.get("humans"))
    counted = sum(_whole(as_mapping(one).get("calls")) for one in judges.values())
    warnings = value.get("warnings")
    measured = value.get("labels_digest")
    stale = (calls is not None and counted != calls) or (None not in (labels, measured) and measured != labels)
    told = tuple(str(one) for one in warnings) if isinstance(warnings, list) else ()
    return tuple(
        JudgeCard(
            name=name,
            rows=tuple(_rows(as_mapping(figures))),
            warnings=tuple(one for one in told if one.startswith(f"{name}: ") or not _of_some(one, judges)),
            labelled=_whole(humans.get("pairs")) if value.get("validated") is True else 0,
            annotators=_whole(humans.get("annotators")),
            stale=stale,
        )
        for name, figures in judges.items()
    )


def principles_by_people(value: Mapping[str, Json]) -> dict[str, Rate]:
    """How often people name the same winner as each principle of a `card.json`; empty unless it has one judge, held against people."""
    judges = as_mapping(value.get("judges"))
    if value.get("validated") is not True or len(judges) != 1:
        return {}
    told = as_mapping(as_mapping(next(iter(judges.values()))).get("principles"))
    found = {name: rate_of(as_mapping(one).get("agreement")) for name, one in told.items()}
    return {name: rate for name, rate in found.items() if rate is not None}


def sentence(cards: Sequence[JudgeCard]) -> str:
    """How the judges fared against people, for the dataset card; empty where there were no labels, or the card is stale."""
    parts = []
    for card in cards:
        rows = {row.name: row for row in card.rows}
        right = rows.get("accuracy")
        if not card.labelled or card.stale or right is None or not right.value:
            continue
        between = f" ({right.interval})" if right.interval else ""
        ceiling = rows.get("human_ceiling")
        beside = f", beside {ceiling.value} for one person against the others" if ceiling and ceiling.value else ""
        parts.append(
            f"{card.name} gave the verdict of {plural(card.annotators, 'person', 'people')} in {right.value}{between} of its calls "
            f"about {plural(card.labelled, 'labelled pair')}{beside}."
        )
    return " ".join(parts)


def _rows(figures: Mapping[str, Json]) -> Iterator[CardRow]:
    for name, meaning in {**SHARES, **NUMBERS}.items():
        figure = as_mapping(figures.get(name))
        value, low, high = (figure.get(key) for key in ("value", "low", "high"))
        if "value" not in figure:
            continue
        share = name in SHARES
        between = ""
        if isinstance(low, int | float) and isinstance(high, int | float):
            between = f"{_told(low, share=share)} to {_told(high, share=share)}"
        yield CardRow(
            name, name.replace("_", " ").capitalize(), meaning,
            _told(value, share=share) if isinstance(value, int | float) else "", between, str(figure.get("reason") or ""),
            *(float(end) if isinstance(end, int | float) else None for end in (low, high)),
        )  # fmt: skip


def _told(value: float, *, share: bool) -> str:
    return percent(value, 1) if share else number(value, 3)


def _of_some(text: str, judges: Mapping[str, Json]) -> bool:
    return any(text.startswith(f"{name}: ") for name in judges)


def _whole(value: Json) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
