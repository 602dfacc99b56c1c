"""Turns the numbers that a training wrote down into a few curves worth looking at. Knows no files.

A quantity is looked for under the names that TRL's trainers give it; what was not recorded gives no curve.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from generate.report.model import Curve, Series

MOST_POINTS: Final = 200


@dataclass(frozen=True)
class Quantity:
    """One plot: its words, and the names of the numbers it draws with a label for each."""

    title: str
    caption: str
    names: tuple[tuple[str, str], ...]


QUANTITIES: Final = (
    Quantity(
        "Loss",
        "Cross-entropy with the judge's probabilities: it cannot fall below the doubt in the labels themselves.",
        (("loss", "training"), ("eval_loss", "held out")),
    ),
    Quantity(
        "Agreement with the labels",
        "Share of pairs in which the model ranks the chosen response higher, held-out pairs by their weights. 0.5 is chance.",
        (
            ("accuracy", "training"), ("rewards/accuracies", "training"),
            ("eval_pair_accuracy", "held out"), ("eval_accuracy", "held out"), ("eval_rewards/accuracies", "held out"),
        ),
    ),
    Quantity(
        "Tokens foreseen",
        "Share of the tokens of the responses that the model thought likeliest.",
        (("mean_token_accuracy", "training"), ("eval_mean_token_accuracy", "held out")),
    ),
    Quantity(
        "Margin",
        "Reward of the chosen response minus that of the rejected one. With soft labels it settles near their log-odds.",
        (
            ("margin", "training"), ("rewards/margins", "training"), ("eval_margin", "held out"),
            ("eval_rewards/margins", "held out"),
        ),
    ),
    Quantity(
        "Chosen and rejected",
        "How far the policy has moved from its start on either side, in rewards. Both may fall; the gap is what counts.",
        (("rewards/chosen", "chosen"), ("rewards/rejected", "rejected")),
    ),
    Quantity(
        "Reward",
        "Mean reward of the policy's own responses. It shows that training follows the reward, not that the policy got better.",
        (("reward", "training"), ("eval_reward", "held out")),
    ),
    Quantity(
        "Distance from the start",
        "KL to the model at the beginning, in nats a response. A reward that rises only with it is bought dearly.",
        (("kl_k1", "training"), ("eval_kl_k1", "held out")),
    ),
)  # fmt: skip


LOSSES: Final = {
    "sft": "Mean surprise at a token of the responses, in nats.",
    "kto": "What the trainer made smaller, over responses that are wished for or not. Compare its course, not its height.",
    **dict.fromkeys(
        ("ppo", "rloo", "online-dpo"),
        "What the trainer made smaller. It need not fall: its data are the policy's own answers.",
    ),
}
"""What the loss is to the methods that do not learn from pairs."""


def curves(lines: Sequence[Mapping[str, object]], method: str = "") -> tuple[Curve, ...]:
    """The curves of a training's log lines, each line a mapping with `step` and numbers."""
    found = (_curve(quantity, lines) for quantity in QUANTITIES)
    told = (replace(one, caption=LOSSES.get(method, one.caption)) if one.title == "Loss" else one for one in found)
    return tuple(one for one in told if one.series)


def _curve(quantity: Quantity, lines: Sequence[Mapping[str, object]]) -> Curve:
    series: dict[str, Series] = {}
    for name, label in quantity.names:
        points = tuple(_points(name, lines))
        if points and label not in series:
            series[label] = Series(label, thinned(points))
    return Curve(quantity.title, quantity.caption, tuple(series.values()))


def _points(name: str, lines: Iterable[Mapping[str, object]]) -> Iterable[tuple[float, float]]:
    for line in lines:
        step, value = line.get("step"), line.get(name)
        if isinstance(step, int | float) and isinstance(value, int | float):
            yield float(step), float(value)


def thinned(points: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """At most `MOST_POINTS` points: means of neighbours, so that a long training stays a small page; the last stands."""
    if len(points) <= MOST_POINTS:
        return tuple(points)
    size = -(-len(points) // MOST_POINTS)
    groups = [points[i : i + size] for i in range(0, len(points), size)]
    means = [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]
    return (*means[:-1], points[-1])
