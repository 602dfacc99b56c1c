"""Who labels which pair next, and what the labels so far come to. Knows the store of labels and no protocol.

Everything is worked out from the store, so that a server that was killed goes on where it was. A pair of the queue is done when one person
has given an opinion of it; of a share of pairs (`overlap`) a second person is asked, and a share of a person's pairs (`repeat`) comes again
to the same person after `GAP` others. Both are drawn by the pairs' ids, whatever was said of them. What several people are shown at the
moment is kept in memory for `LEASE` seconds, so that two do not label the same pair at once; nothing breaks if they do.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from judges.aggregate import Pair
from judges.humans.designs import PAGE, Design, Inclusion, page_pair
from judges.humans.gain import Worth, worth
from judges.humans.labels import with_id
from judges.humans.store import append_label, read_all, withdraw_label
from tenet.errors import UsageError
from tenet.ids import Json, content_id, unit_interval
from tenet.reading.clean import clean
from tenet.records import Choice, Label, Message, prompt_id

GAP: Final = 10
LEASE: Final = 900.0
LONGEST_NAME: Final = 64
LONGEST_COMMENT: Final = 4000


@dataclass(frozen=True)
class Item:
    """A pair of the queue with all that a person sees of it. `probability` is that of being in the queue; `p` is the judge's P(a is
    better) and `doubt` the probability that its verdict is wrong, both unseen.
    """

    pair: Pair
    prompt: tuple[Message, ...]
    a: str
    b: str
    probability: float
    p: float
    doubt: float = 0.0
    principles: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> str:
        """What the page calls the pair."""
        return content_id("pair", *self.pair)


@dataclass(frozen=True)
class Shown:
    """What one person is to be shown: the pair, which response stands first, and how often they have labelled it before."""

    item: Item
    first: Choice
    occasion: int


@dataclass(frozen=True)
class Answer:
    """What a person said of a pair, as the page sends it; the same answer twice is one label."""

    key: str
    annotator: str
    choice: str
    first: Choice
    occasion: int
    time: str
    strength: float | None = None
    comment: str | None = None


@dataclass(frozen=True)
class Same:
    """How many of how many comparisons of two opinions agree."""

    same: int = 0
    of: int = 0

    def as_json(self) -> dict[str, Json]:
        """For the page."""
        return {"same": self.same, "of": self.of}


@dataclass(frozen=True)
class Tally:
    """The labels of the queue so far: pairs with an opinion, one person's own, and how far opinions agree."""

    done: int
    pairs: int
    own: int
    skipped: int
    people: Mapping[str, int]
    between: Same
    within: Same
    worth: Worth
    mends: float | None


@dataclass
class _Held:
    """The live labels of the queue's pairs, in the order given."""

    by_pair: defaultdict[Pair, list[Label]] = field(default_factory=lambda: defaultdict(list))
    by_person: defaultdict[str, list[tuple[Pair, Label]]] = field(default_factory=lambda: defaultdict(list))
    ids: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    page: Counter[Pair] = field(default_factory=Counter)
    size: int = -1


class AlreadyAnswered(UsageError):
    """The person has labelled this pair since it was shown, in another window perhaps."""


class Session:
    """The labelling of one queue by any number of people; safe to call from several threads.

    `designs` are all queues of the run, of which this one has the `number`; without them each pair weighs by its own probability.
    """

    def __init__(
        self, store: Path, items: Sequence[Item], *, seed: int, overlap: float = 0.2, repeat: float = 0.1,
        designs: Sequence[Design] = (), number: int = 0, clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.items = tuple(items)
        self._store, self._seed, self._overlap, self._repeat, self._clock = store, seed, overlap, repeat, clock
        self._designs, self._number = tuple(designs), number
        self._by_key = {one.key: one for one in items}
        self._texts = {(one.pair[0], text.strip()): name for one in items for name, text in _ends(one)}
        self._pairs = {one.pair: one for one in items}
        self._leases: defaultdict[Pair, dict[str, float]] = defaultdict(dict)
        self._current: dict[str, Pair] = {}
        self._lock = threading.Lock()
        self._held = _Held()

    def shown(self, annotator: str) -> Shown | None:
        """What the person is to be shown now, the same until it is answered; None where nothing is left for them.

        Raises:
            UsageError: the name is empty or too long.
            InvalidInput, StorageFailed: the store cannot be read.
        """
        name = checked_name(annotator)
        with self._lock:
            self._refresh()
            pair = self._current.get(name)
            if pair is None:
                pair = self._next(name)
                if pair is None:
                    return None
                self._current[name] = pair
            self._leases[pair][name] = self._clock()
            occasion = self._occasion(pair, name)
            item = self._pairs[pair]
            a_first = unit_interval("order", self._seed, name, item.key, occasion) < 0.5
            return Shown(item, Choice.A if a_first else Choice.B, occasion)

    def answer(self, told: Answer) -> str:
        """Keep an answer; it is on the disk when this returns. The label's id.

        Raises:
            AlreadyAnswered: the person has labelled the pair since it was shown.
            UsageError: the answer is about no pair of this queue, or a part of it is out of range.
            StorageFailed: the disk is full or not writable.
        """
        label = self._label(told)
        with self._lock:
            self._refresh()
            pair = self._by_key[told.key].pair
            if label.id not in self._held.ids | self._held.gone:
                if self._occasion(pair, label.annotator) != told.occasion:
                    self._let_go(label.annotator)
                    raise AlreadyAnswered(
                        "you have labelled this pair already", hint="go on with the pair that is shown now"
                    )
                self._wrote(append_label(self._store, label))
                self._keep(label)
            self._let_go(label.annotator)
        return label.id

    def undo(self, annotator: str, label_id: str, when: str) -> None:
        """Take back a label that this person gave on the page; the pair is then theirs to label again.

        Raises:
            UsageError: it is no such label.
            StorageFailed: the disk is full or not writable.
        """
        name = checked_name(annotator)
        with self._lock:
            self._refresh()
            if label_id in self._held.gone:
                return
            found = [(pair, one) for pair, one in self._held.by_person[name] if one.id == label_id]
            if not found or found[0][1].source != PAGE:
                raise UsageError(
                    "this is no label that you gave here", hint="undo takes back your own last label of this queue"
                )
            self._wrote(withdraw_label(self._store, label_id, name, _time(when)))
            (pair, label) = found[0]
            self._held.gone.add(label_id)
            self._held.ids.discard(label_id)
            self._held.by_person[name].remove((pair, label))
            self._held.page -= Counter([pair])
            self._held.by_pair[pair].remove(label)
            self._let_go(name)
            self._current[name] = pair

    def last(self, annotator: str) -> str | None:
        """The id of the last label that the person gave on the page and can take back."""
        with self._lock:
            own = [label.id for _, label in self._held.by_person.get(annotator, ()) if label.source == PAGE]
        return own[-1] if own else None

    def tally(self, annotator: str = "") -> Tally:
        """What the labels come to so far."""
        with self._lock:
            self._refresh()
            by_pair = {pair: list(labels) for pair, labels in self._held.by_pair.items()}
            own = list(self._held.by_person.get(annotator, ()))
            people = {name: len(told) for name, told in sorted(self._held.by_person.items()) if told}
            inclusion = Inclusion(self._designs, frozenset(self._held.page))
        between = within = Same()
        agreed: list[float] = []
        weights: list[float] = []
        done: set[Pair] = set()
        for pair, labels in by_pair.items():
            said: defaultdict[str, list[Choice]] = defaultdict(list)
            for label in labels:
                if label.preference is not Choice.SKIP:
                    said[label.annotator].append(self._choice(pair, label))
            if not said:
                continue
            done.add(pair)
            again = said.get(annotator, [])
            if len(again) > 1:
                within = Same(within.same + (again[0] is again[-1]), within.of + 1)
            last = [choices[-1] for choices in said.values()]
            if len(last) > 1:
                between = Same(between.same + (last[0] is last[1]), between.of + 1)
            agreed.append(sum(_agrees(self._pairs[pair].p, choice) for choice in last) / len(last))
            chance = inclusion.within(self._number, pair) if self._designs else 0.0
            weights.append(1.0 / (chance or self._pairs[pair].probability))
        left = [one.doubt for one in self.items if one.pair not in done]
        return Tally(
            len(done), len(self.items), len(own), sum(label.preference is Choice.SKIP for _, label in own), people,
            between, within, worth(agreed, weights, len(self.items) - len(done)), sum(left) / len(left) if left else None,
        )  # fmt: skip

    def _label(self, told: Answer) -> Label:
        item = self._by_key.get(told.key)
        if item is None:
            raise UsageError("the pair is not in this queue", hint="load the page again")
        second = Choice.B if told.first is Choice.A else Choice.A
        choices = {"1": told.first, "2": second, "tie": Choice.TIE, "skip": Choice.SKIP}
        if told.choice not in choices:
            raise UsageError("no such choice", hint=f"the choices are {', '.join(choices)}")
        sided = choices[told.choice] in (Choice.A, Choice.B)
        if told.strength is not None and not 0.0 <= told.strength <= 1.0:
            raise UsageError("a strength runs from 0 to 1")
        comment = clean(told.comment or "")[0].strip() or None
        if comment is not None and len(comment) > LONGEST_COMMENT:
            raise UsageError(f"a comment has {LONGEST_COMMENT:,} characters at most")
        return with_id(
            Label(
                id="", prompt=item.prompt, response_a=item.a, response_b=item.b, preference=choices[told.choice],
                annotator=checked_name(told.annotator), strength=told.strength if sided else None, shown_first=told.first,
                time=_time(told.time), inclusion_probability=item.probability, source=PAGE, response_a_id=item.pair[1],
                response_b_id=item.pair[2], comment=comment,
            )
        )  # fmt: skip

    def _next(self, name: str) -> Pair | None:
        own = self._held.by_person[name]
        counts: defaultdict[Pair, int] = defaultdict(int)
        for pair, _ in own:
            counts[pair] += 1
        repeated = sum(count > 1 for count in counts.values())
        if repeated < int(self._repeat * len(counts)):
            recent = {pair for pair, _ in own[-GAP:]}
            again = [
                pair for pair, label in own
                if counts[pair] == 1 and pair not in recent and label.preference is not Choice.SKIP
            ]  # fmt: skip
            if again:
                return min(again, key=lambda pair: unit_interval("again", self._seed, name, *pair))
        now = self._clock()
        for one in self.items:
            if one.pair in counts:
                continue
            heard = {label.annotator for label in self._held.by_pair[one.pair] if label.preference is not Choice.SKIP}
            busy = {other for other, since in self._leases[one.pair].items() if now - since < LEASE}
            if len((heard | busy) - {name}) < (2 if self._overlaps(one.pair) else 1):
                return one.pair
        return None

    def _overlaps(self, pair: Pair) -> bool:
        return unit_interval("overlap", self._seed, *pair) < self._overlap

    def _occasion(self, pair: Pair, name: str) -> int:
        return sum(label.annotator == name for label in self._held.by_pair[pair])

    def _let_go(self, name: str) -> None:
        pair = self._current.pop(name, None)
        if pair is not None:
            self._leases[pair].pop(name, None)

    def _refresh(self) -> None:
        """Read the store again if others wrote to it."""
        size = self._store.stat().st_size if self._store.is_file() else 0
        if size == self._held.size:
            return
        found = read_all(self._store)
        self._held = _Held(gone=set(found.withdrawn), size=size)
        for label in found.labels:
            self._keep(label)

    def _wrote(self, sizes: tuple[int, int]) -> None:
        before, after = sizes
        self._held.size = after if before == max(self._held.size, 0) else -1

    def _keep(self, label: Label) -> None:
        self._held.ids.add(label.id)
        if (own := page_pair(label)) is not None:
            self._held.page[own] += 1
        pair = self._pair_of(label)
        if pair is not None and label.principle is None:
            self._held.by_pair[pair].append(label)
            self._held.by_person[label.annotator].append((pair, label))

    def _pair_of(self, label: Label) -> Pair | None:
        prompt = prompt_id(label.prompt)
        if label.response_a_id is not None and label.response_b_id is not None:
            a, b = sorted((label.response_a_id, label.response_b_id))
        else:
            ends = [self._texts.get((prompt, text.strip()), "") for text in (label.response_a, label.response_b)]
            a, b = sorted(ends)
        return (prompt, a, b) if (prompt, a, b) in self._pairs else None

    def _choice(self, pair: Pair, label: Label) -> Choice:
        """The choice told of the pair's own a and b; an imported label may name them the other way round."""
        if label.preference not in (Choice.A, Choice.B) or label.response_a.strip() == self._pairs[pair].a.strip():
            return label.preference
        return Choice.B if label.preference is Choice.A else Choice.A


def checked_name(name: str) -> str:
    """A person's name without outer white space.

    Raises:
        UsageError: it is empty, too long, or not one line of text.
    """
    name = name.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise UsageError("no usable name of an annotator", hint=f"a name is one line of 1 to {LONGEST_NAME} characters")
    return name


def _agrees(p: float, choice: Choice) -> float:
    if choice is Choice.TIE or p == 0.5:
        return 0.5
    return float((p > 0.5) == (choice is Choice.A))


def _ends(item: Item) -> tuple[tuple[str, str], tuple[str, str]]:
    return (item.pair[1], item.a), (item.pair[2], item.b)


def _time(value: str) -> str:
    try:
        when = datetime.fromisoformat(value)
    except ValueError as error:
        raise UsageError("a time that is not as ISO 8601 writes it") from error
    return when.isoformat()
