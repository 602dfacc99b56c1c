"""What a run's `card.json` says of its judges: rows for the page, a sentence for the dataset card. Works nothing out.

What the file lacks is left out, and an unknown key is no error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from generate.report.model import CardRow, JudgeCard
from generate.report.source import as_mapping
from generate.report.words import plural
from tenet.ids import Json

SHARES: Final = {
    "accuracy": "Verdicts that name what most people say; one that failed is wrong",
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


def judge_cards_of(value: Mapping[str, Json], calls: int | None = None) -> tuple[JudgeCard, ...]:
    """The judges of a `card.json`; none of an empty one. `calls` are the run's judge calls now: a card of fewer or more is stale."""
    judges = as_mapping(value.get("judges"))
    humans = as_mapping(value.get("humans"))
    counted = sum(_whole(as_mapping(one).get("calls")) for one in judges.values())
    warnings = value.get("warnings")
    told = tuple(str(one) for one in warnings) if isinstance(warnings, list) else ()
    return tuple(
        JudgeCard(
            name=name,
            rows=tuple(_rows(as_mapping(figures))),
            warnings=tuple(one for one in told if one.startswith(f"{name}: ") or not _of_some(one, judges)),
            labelled=_whole(humans.get("pairs")) if value.get("validated") is True else 0,
            annotators=_whole(humans.get("annotators")),
            stale=calls is not None and counted != calls,
        )
        for name, figures in judges.items()
    )


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
        )  # fmt: skip


def _told(value: float, *, share: bool) -> str:
    return f"{100 * value:.1f} %" if share else f"{value:.3f}"


def _of_some(text: str, judges: Mapping[str, Json]) -> bool:
    return any(text.startswith(f"{name}: ") for name in judges)


def _whole(value: Json) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
