"""What a reader of a card must know before any figure: rules over the figures, with every threshold in one place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from judges.card.figures import Figure
from judges.card.gather import CardData

FEW_PAIRS: Final = 100
LOW_CONSISTENCY: Final = 0.8
MANY_FAILURES: Final = 0.05
SMALL_P: Final = 0.001
LOW_MASS: Final = 0.9
_FAILURES: Final = ("low_mass_rate", "unparsed_rate", "refused_rate", "error_rate")


def warnings_of(data: CardData, judges: Mapping[str, Mapping[str, Figure]]) -> Iterator[str]:
    """Every warning that the figures call for, the run's first."""
    if not data.labelled and judges:
        yield (
            "Unvalidated: no labels of people are about this run's pairs, so nothing here says whether people would agree. "
            "Label some of them with tenet labels page RUN, or bring labels in with tenet labels import."
        )
        yield "Consistent is not right: a judge can name the same winner in both orders and be wrong both times."
    elif judges and data.labelled < FEW_PAIRS:
        yield f"Few labels: people have an opinion of {data.labelled:,} pairs; the intervals are wide."
    if data.unmatched:
        yield f"{data.unmatched:,} of {data.labels:,} labels are about pairs that this run does not hold, and were left out."
    if len(judges) > 1:
        yield "Several judges: an equal vote of uneven judges can be worse than the best of them alone; weigh them by their reliability."
    for name, figures in judges.items():
        for text in _of_judge(figures, validated=data.labelled > 0):
            yield f"{name}: {text}"


def _of_judge(figures: Mapping[str, Figure], *, validated: bool) -> Iterator[str]:
    same, right = figures["position_consistency"], figures["accuracy_where_consistent"]
    if same.value is None:
        yield "asked in one order only, so nothing tells what the order of showing does"
    elif same.value < LOW_CONSISTENCY:
        yield f"the verdict depends on the order of showing in {1 - same.value:.0%} of the questions"
    p_value = figures["first_slot_rate"].more.get("p_value")
    if isinstance(p_value, float) and p_value < SMALL_P:
        yield f"the place shown first wins {figures['first_slot_rate'].value:.0%} of the calls (p = {p_value:.1g})"
    if validated and right.value is not None and same.value is not None and right.value < same.value - 0.1:
        yield f"consistent is not right: {same.value:.0%} of its verdicts are consistent, {right.value:.0%} of these are what people say"
    failed = sum(figures[name].value or 0.0 for name in _FAILURES)
    if failed > MANY_FAILURES:
        yield f"{failed:.0%} of the calls gave no opinion"
    tenth = figures["label_mass"].more.get("lowest_tenth")
    if isinstance(tenth, float) and tenth < LOW_MASS:
        yield f"in a tenth of the calls less than {tenth:.0%} of the probability went to a verdict"
    kappa = figures["cohen_kappa"]
    if kappa.low is not None and kappa.low <= 0.0:
        yield "its agreement with people cannot be told from chance"
    votes = figures["vote_rate"].value
    if votes:
        yield f"{votes:.0%} of its opinions are votes without a probability, so how sure it was is not known"
