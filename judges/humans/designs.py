"""The queues that were drawn of a run, and how likely each pair was to be labelled through any of them. Knows no page and draws nothing.

A run may have several queues. Each is drawn from all pairs of its time, whatever was labelled before, by random numbers of its own (its
number is part of their seed), so that a pair comes into one queue independently of the others. A queue's pairs are shown in random order:
whoever stopped has labelled a random part f of it, and with pi the probability of being in it, f * pi is that of being labelled
through it. Through any of the queues q, pair i is labelled with probability

    1 - prod_q (1 - f_q * pi_q(i)),

whose inverse is its weight (Horvitz and Thompson 1952). f_q is told by the pairs of q that no other queue has, for those can have been
labelled through q alone. All this is exact where pi_q(i) does not depend on labels. It does where a judge was calibrated anew between two
queues: then a pair's chance in the second follows, a little, from who was drawn in the first.

The file keeps each queue's pairs, and of all pairs of its time the probabilities: few values, each with eight bytes a pair.
"""

from __future__ import annotations

import base64
import json
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from judges.aggregate import Pair
from judges.humans.queue import Chosen, Plan, Queue
from judges.humans.store import NAME, read_store
from tenet.errors import InvalidInput, Problem
from tenet.ids import Json, digest
from tenet.records import Choice, Label, prompt_id
from tenet.runs import atomic

FILE: Final = "labelling.json"
"""The file in a run that keeps its queues, so that a page that is started again shows the same one."""
PAGE: Final = "labelling page"
"""The source of labels that were given on the page."""
_FORMAT: Final = 2
Keys = NDArray[np.uint64]


@dataclass(frozen=True)
class Design:
    """One queue: what was asked for, the plan that was drawn, and the probability of every pair of its time to be in it."""

    wanted: Mapping[str, Json]
    plan: Plan
    chances: Mapping[float, Keys]

    @classmethod
    def of(cls, wanted: Mapping[str, Json], plan: Plan, chances: Mapping[Pair, float]) -> Design:
        """Keep what was drawn; `chances` are those of all pairs."""
        groups: defaultdict[float, list[int]] = defaultdict(list)
        for pair, chance in chances.items():
            groups[chance].append(_key(pair))
        return cls(wanted, plan, {chance: np.sort(np.array(keys, np.uint64)) for chance, keys in groups.items()})

    @cached_property
    def pairs(self) -> frozenset[Pair]:
        """The pairs in the queue."""
        return frozenset(one.pair for one in self.plan.chosen)

    def chance(self, pair: Pair) -> float:
        """The probability with which the pair was to be in the queue; 0 for one that was no pair of the run then."""
        key = np.uint64(_key(pair))
        for chance, keys in self.chances.items():
            place = int(np.searchsorted(keys, key))
            if place < len(keys) and keys[place] == key:
                return chance
        return 0.0

    def as_json(self) -> dict[str, Json]:
        """For the file."""
        packed: list[Json] = [
            [chance, base64.b64encode(keys.astype("<u8").tobytes()).decode()] for chance, keys in self.chances.items()
        ]
        rows: list[Json] = [one.as_json() for one in self.plan.chosen]
        return {"wanted": dict(self.wanted), "pool": self.plan.pool, "pairs": rows, "chances": packed}

    @classmethod
    def from_json(cls, held: Mapping[str, Json]) -> Design:
        """Read one back; ValueError, KeyError or TypeError where it is none."""
        wanted, pairs = cast("dict[str, Json]", held["wanted"]), cast("list[list[Json]]", held["pairs"])
        rows = tuple(_chosen(*row) for row in pairs)
        packed = cast("list[tuple[float, str]]", held["chances"])
        chances = {
            float(chance): np.frombuffer(base64.b64decode(keys), "<u8").astype(np.uint64) for chance, keys in packed
        }
        plan = Plan(Queue(str(wanted["queue"])), int(str(wanted["seed"])), int(str(held["pool"])), rows)
        return cls(wanted, plan, chances)


def _chosen(pair: Json, probability: Json, random: Json, doubt: Json) -> Chosen:
    prompt, a, b = cast("list[str]", pair)
    return Chosen(
        (str(prompt), str(a), str(b)), float(cast("float", probability)), bool(random), float(cast("float", doubt))
    )


def _key(pair: Pair) -> int:
    return int(digest(list(pair))[:16], 16)


def read_designs(path: Path) -> tuple[Design, ...]:
    """The queues of the run at `path`, the first one first; none where there is no file.

    Raises:
        InvalidInput: the file does not read back.
    """
    file = path / FILE
    if not file.is_file():
        return ()
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
        if held["format"] != _FORMAT:
            raise ValueError(f"it is of format {held['format']}, and this version of tenet reads {_FORMAT}")
        return tuple(Design.from_json(one) for one in held["queues"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        hint = "delete it to draw a queue anew; no label is lost, and each keeps the probability of the queue it was given in"
        raise InvalidInput("The kept queues cannot be read.", [Problem(str(error), file, hint=hint)]) from error


def write_designs(path: Path, designs: Sequence[Design]) -> None:
    """Keep the queues of the run at `path`.

    Raises:
        StorageFailed: the disk is full or not writable.
    """
    value: dict[str, Json] = {"format": _FORMAT, "queues": [one.as_json() for one in designs]}
    atomic.write_text(path / FILE, json.dumps(value) + "\n")


class Inclusion:
    """How likely each pair was to be labelled on the page, given the queues and the pairs that were labelled or skipped there."""

    def __init__(self, designs: Sequence[Design], shown: Collection[Pair]) -> None:
        self._designs = tuple(designs)
        times = Counter(pair for one in designs for pair in one.pairs)
        self.shares = tuple(
            _share([pair for pair in one.pairs if times[pair] == 1] or one.pairs, shown) for one in designs
        )

    def of(self, pair: Pair) -> float:
        """The probability of being labelled through any of the queues; 0 where no queue can have had the pair."""
        return 1.0 - self._through_none(pair)

    def within(self, number: int, pair: Pair) -> float:
        """The probability of being in that queue and labelled through any, for figures of the queue's own pairs."""
        chance, share = self._designs[number].chance(pair), self.shares[number]
        return chance * (1.0 - (1.0 - share) * self._through_none(pair, but=number))

    def _through_none(self, pair: Pair, but: int | None = None) -> float:
        return math.prod(
            1.0 - share * one.chance(pair)
            for number, (one, share) in enumerate(zip(self._designs, self.shares, strict=True)) if number != but
        )  # fmt: skip


def _share(pairs: Collection[Pair], shown: Collection[Pair]) -> float:
    return sum(pair in shown for pair in pairs) / len(pairs) if pairs else 0.0


def run_labels(path: Path) -> tuple[Label, ...]:
    """The labels that the run at `path` keeps, those of the page with the probability with which their pair was labelled through any queue.

    Labels from elsewhere keep the probability that they came with. Where that is 1, they are taken for a random sample of the pairs of
    the latest queue's time: to weigh as certain to be labelled, all of those would have to be. A label of a pair that no kept queue can
    have had keeps its probability too.

    Raises:
        InvalidInput: the labels or the queues do not read back.
    """
    labels = read_store(path / NAME)
    pairs = {one.id: pair for one in labels if (pair := page_pair(one)) is not None}
    designs = read_designs(path) if pairs else ()
    if not designs:
        return labels
    inclusion = Inclusion(designs, frozenset(pairs.values()))
    joint = {pair: inclusion.of(pair) for pair in pairs.values()}
    labels = _as_sampled(labels, designs[-1].plan.pool)
    return tuple(
        replace(one, inclusion_probability=joint[pairs[one.id]])
        if joint.get(pairs.get(one.id, ("", "", "")), 0.0) > 0.0
        else one
        for one in labels
    )


def labelled_pairs(path: Path) -> int:
    """How many pairs the labels of the run at `path` have an opinion of as a whole, skips and labels of one principle left out.

    Raises:
        InvalidInput: the labels do not read back.
    """
    told = (one for one in read_store(path / NAME) if one.principle is None and one.preference is not Choice.SKIP)
    return len({_texts(one) for one in told})


def _as_sampled(labels: Sequence[Label], pool: int) -> tuple[Label, ...]:
    """The labels, those from elsewhere that name no chance below 1 with the share of the `pool` that they are about."""
    certain = {one.id: _texts(one) for one in labels if one.source != PAGE and one.inclusion_probability == 1.0}
    share = len(set(certain.values())) / pool if pool else 1.0
    if not 0.0 < share < 1.0:
        return tuple(labels)
    return tuple(replace(one, inclusion_probability=share) if one.id in certain else one for one in labels)


def _texts(label: Label) -> tuple[str, frozenset[str]]:
    return prompt_id(label.prompt), frozenset((label.response_a, label.response_b))


def page_pair(label: Label) -> Pair | None:
    """The pair of a label that was given on the page; None for any other label."""
    if label.source != PAGE or label.response_a_id is None or label.response_b_id is None:
        return None
    a, b = sorted((label.response_a_id, label.response_b_id))
    return prompt_id(label.prompt), a, b
