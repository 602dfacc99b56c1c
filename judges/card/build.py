"""Puts a judge card together and writes it into the run as `card.json`. Knows a run folder; the metrics are elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from judges.card import principles
from judges.card.beside import beside
from judges.card.bootstrap import Resampler
from judges.card.figures import Figure
from judges.card.gather import CardData, gather
from judges.card.people import between, people_counts, people_figures
from judges.card.sections import SECTIONS, View, principle_figures
from judges.card.warnings import warnings_of
from judges.humans.store import NAME, store_digest
from tenet.ids import Json
from tenet.runs import atomic

CARD: Final = "card.json"
REPLICATES: Final = 1000
FORMAT: Final = 1


@dataclass(frozen=True)
class JudgeCard:
    """One judge: figures by name, in the order of the sections, and its principles."""

    figures: Mapping[str, Figure]
    sections: Mapping[str, tuple[str, ...]]
    principles: Mapping[str, principles.PrincipleFigures]
    calls: int
    pairs: int

    def as_json(self) -> dict[str, Json]:
        """For `card.json`: the figures stand beside the counts."""
        return {
            "calls": self.calls,
            "pairs": self.pairs,
            **{name: figure.as_json() for name, figure in self.figures.items()},
            "principles": {name: one.as_json() for name, one in self.principles.items()},
        }


@dataclass(frozen=True)
class Card:
    """All judges of a run, its people, annotators two by two, ratings by principle, and what to know before any figure.

    `beside` is what other commands have left in the run about its judges: its calibration, a panel's weights, audits.
    `labels` is the digest of the run's labels that it was measured against; None where it was another file.
    """

    name: str
    validated: bool
    warnings: tuple[str, ...]
    judges: Mapping[str, JudgeCard]
    counts: Mapping[str, Json]
    people: Mapping[str, Figure]
    between: Mapping[str, Mapping[str, Figure]]
    ratings: Mapping[str, Mapping[str, Json]]
    seed: int
    replicates: int
    beside: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    labels: str | None = None

    def as_json(self) -> dict[str, Json]:
        """What `card.json` holds."""
        return {
            "format": FORMAT,
            "name": self.name,
            "validated": self.validated,
            "labels_digest": self.labels,
            "warnings": list(self.warnings),
            "judges": {name: judge.as_json() for name, judge in self.judges.items()},
            "humans": {**self.counts, **{name: figure.as_json() for name, figure in self.people.items()}},
            "between": {
                names: {name: figure.as_json() for name, figure in figures.items()}
                for names, figures in self.between.items()
            },
            "ratings": self.ratings,
            **self.beside,
            "bootstrap": {"unit": "prompt", "replicates": self.replicates, "seed": self.seed},
        }


def make_card(path: Path, anchors: Path | None = None, *, seed: int = 0, replicates: int = REPLICATES) -> Card:
    """Compute the card of the run at `path`, against the labels in `anchors`, else the run's own.

    Raises:
        MissingInput, InvalidInput: as `judges.card.gather.gather` and `judges.card.beside.beside`.
    """
    labels = store_digest(path / NAME) if anchors is None else None  # first: what comes meanwhile makes the card stale
    made = card_of(gather(path, anchors), seed=seed, replicates=replicates)
    return replace(made, beside=beside(path), labels=labels)


def card_of(data: CardData, *, seed: int = 0, replicates: int = REPLICATES) -> Card:
    """Compute a card from what a run holds."""
    draws = Resampler(data.prompts, replicates, seed)
    judges = {name: _judge(View(data, rows, draws)) for name, rows in data.judges.items()}
    return Card(
        name=data.name,
        validated=data.labelled > 0,
        warnings=tuple(warnings_of(data, {name: one.figures for name, one in judges.items()})),
        judges=judges,
        counts=people_counts(data),
        people=people_figures(data, draws) if data.labelled else {},
        between=between(data, draws),
        ratings=principles.of_ratings(data.ratings, data.rated_prompt, data.classes, draws),
        seed=seed,
        replicates=replicates,
    )


def _judge(view: View) -> JudgeCard:
    figures: dict[str, Figure] = {}
    sections: dict[str, tuple[str, ...]] = {}
    for title, section in SECTIONS:
        found = section(view)
        sections[title] = tuple(found)
        figures |= found
    return JudgeCard(figures, sections, principle_figures(view), len(view.call_pair), len(view.pairs))


def write_card(path: Path, card: Card) -> Path:
    """Write `card.json` into a run's folder, as a whole or not at all.

    Raises:
        StorageFailed: the disk is full or not writable.
    """
    file = path / CARD
    atomic.write_text(file, json.dumps(card.as_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    return file
