"""Reads from a run folder what a judge card is computed from: opinions of judges and people on the same pairs, as arrays.

A pair is two samples of one prompt; its a and b are those of its first label, else the smaller id first. Shards are read one
after the other, and only codes and numbers are kept. Knows no metric.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from judges.aggregate import combined, opinions_of, p_first
from judges.card.agreement import NONE, TIE, A, B, counts_of, majority
from judges.card.bootstrap import Floats, Ints
from judges.humans.designs import run_labels
from judges.humans.labels import label_to_judgement
from judges.humans.matching import Texts
from judges.probability import mean
from tenet.errors import MissingInput
from tenet.records import Judgement, Label, Outcome, Prompt, Rating, Sample, prompt_id
from tenet.runs import Run
from tenet.runs.codec import R

PROMPTS: Final = "prompts"
SAMPLES: Final = "samples"
JUDGEMENTS: Final = "judgements"
RATINGS: Final = "ratings"
PEOPLE: Final = "human:"
_EVEN: Final = 1e-9


@dataclass
class JudgeRows:
    """What one judge said, a column a list: of its calls, of its questions (a pair and a principle) and of its pairs.

    Codes are told of the pair's own a and b; `NONE` is a failed call, or an order that was not asked.
    """

    call_pair: list[int] = field(default_factory=list)
    call_code: list[int] = field(default_factory=list)
    call_outcome: list[Outcome] = field(default_factory=list)
    call_mass: list[float] = field(default_factory=list)
    call_vote: list[bool] = field(default_factory=list)
    question_pair: list[int] = field(default_factory=list)
    question_principle: list[str] = field(default_factory=list)
    shown_a: list[int] = field(default_factory=list)
    shown_b: list[int] = field(default_factory=list)
    both: list[bool] = field(default_factory=list)
    p_shown_a: list[float] = field(default_factory=list)
    p_shown_b: list[float] = field(default_factory=list)
    repeat_pair: list[int] = field(default_factory=list)
    repeat_same: list[bool] = field(default_factory=list)
    p_a: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class CardData:
    """Everything that a card is computed from.

    `prompt_of` is the prompt of each pair, by number; `ends` are the ids of its a and b; `opinions` the codes of people (pairs,
    annotators), `truth` their majority, `weights` the mean inverse chance with which a pair's labels were drawn, `gap` the characters of
    a less those of b (NaN where a text is not in the run). `ratings` are by principle; `classes` the class that each rated sample has.
    `prompt_ids` are the ids of the prompts by number.
    """

    name: str
    prompts: int
    prompt_of: Ints
    ends: Sequence[tuple[str, str]]
    gap: Floats
    annotators: tuple[str, ...]
    opinions: Ints
    truth: Ints
    weights: Floats
    labels: int
    unmatched: int
    judges: Mapping[str, JudgeRows]
    ratings: Mapping[str, Mapping[str, float]]
    rated_prompt: Mapping[str, int]
    classes: Mapping[str, str]
    prompt_ids: Sequence[str] = ()

    @property
    def labelled(self) -> int:
        """Pairs that people have an opinion of."""
        return int((self.opinions != NONE).any(axis=1).sum()) if self.opinions.size else 0


def gather(path: Path, anchors: Path | None = None) -> CardData:
    """Read a run's opinions; `anchors` is a file of labels to use in the place of the run's own `labels.jsonl`.

    Raises:
        MissingInput: there is no run or no file of anchors, or the run has no opinions, or a shard does not read back.
        InvalidInput: the labels do not read back.
    """
    if anchors is None:
        labels = run_labels(path)
    else:
        from judges.humans.importer import read_labels

        labels = read_labels(anchors, stored=True).labels
    with Run.read(path) as run:
        found = _Collector(labels)
        for shard in _shards(run):
            found.add(
                _records(run, PROMPTS, Prompt, shard),
                _records(run, SAMPLES, Sample, shard),
                _records(run, JUDGEMENTS, Judgement, shard),
                _records(run, RATINGS, Rating, shard),
            )
        if not found.judges and not found.ratings and not found.heard:
            hint = f"judge it first: {run.command}" if run.command else ""
            raise MissingInput(f"{path} has no judgements, ratings or labels to measure.", hint=hint)
        return found.data(str(run.config.get("name") or run.name))


def _shards(run: Run) -> list[int]:
    kinds: Mapping[str, type] = {PROMPTS: Prompt, SAMPLES: Sample, JUDGEMENTS: Judgement, RATINGS: Rating}
    there = run.manifest.stages
    return sorted(
        {number for name, kind in kinds.items() if name in there for number in run.stage(name, kind).shards()}
    )


def _records(run: Run, name: str, kind: type[R], shard: int) -> list[R]:
    return list(run.stage(name, kind).records(shard, ok=None)) if name in run.manifest.stages else []


class _Collector:
    """Turns records into columns, a shard at a time."""

    def __init__(self, labels: Iterable[Label]) -> None:
        self._labels: defaultdict[str, list[Label]] = defaultdict(list)
        for label in labels:
            self._labels[prompt_id(label.prompt)].append(label)
        self.total = sum(len(own) for own in self._labels.values())
        self.heard: defaultdict[tuple[int, str], list[tuple[int, float]]] = defaultdict(list)
        self.matched = 0
        self.judges: defaultdict[str, JudgeRows] = defaultdict(JudgeRows)
        self.ratings: defaultdict[str, dict[str, float]] = defaultdict(dict)
        self.rated_prompt: dict[str, int] = {}
        self.classes: dict[str, str] = {}
        self._prompts: dict[str, int] = {}
        self._pairs: dict[tuple[int, str, str], int] = {}
        self._prompt_of: list[int] = []
        self._ends: list[tuple[str, str]] = []
        self._gap: list[float] = []

    def add(
        self,
        prompts: Sequence[Prompt],
        samples: Sequence[Sample],
        judgements: Sequence[Judgement],
        ratings: Sequence[Rating],
    ) -> None:
        """Add a shard: all of the opinions on its prompts."""
        lengths = {sample.id: len(sample.text) for sample in samples}
        self._people(prompts, samples, {end for one in judgements for end in (one.first_id, one.second_id)}, lengths)
        by_judge: defaultdict[str, list[Judgement]] = defaultdict(list)
        for one in sorted(judgements, key=lambda one: one.id):
            by_judge[one.judge].append(one)
        for name, own in sorted(by_judge.items()):
            self._judge(self.judges[name], own, lengths)
        classes = {
            prompt.id: tag.partition(":")[2] for prompt in prompts for tag in prompt.tags if tag.startswith("class:")
        }
        for rating in ratings:
            if rating.score is not None and rating.outcome.is_opinion and rating.high > rating.low:
                name = rating.principle or ""
                self.ratings[name][rating.sample_id] = (rating.score - rating.low) / (rating.high - rating.low)
                self.rated_prompt[rating.sample_id] = self._prompt(rating.prompt_id)
                if rating.prompt_id in classes:
                    self.classes[rating.sample_id] = classes[rating.prompt_id]

    def data(self, name: str) -> CardData:
        """What was collected, as arrays."""
        annotators = tuple(sorted({person for _, person in self.heard}))
        opinions = np.full((len(self._ends), len(annotators)), NONE, dtype=np.int64)
        weights = np.ones(len(self._ends))
        heavy: defaultdict[int, list[float]] = defaultdict(list)
        column = {person: place for place, person in enumerate(annotators)}
        for (pair, person), said in self.heard.items():
            opinions[pair, column[person]] = _plurality([code for code, _ in said])
            heavy[pair] += [weight for _, weight in said]
        for pair, held in heavy.items():
            weights[pair] = mean(held)
        truth = majority(counts_of(opinions))
        return CardData(
            name, len(self._prompts), np.array(self._prompt_of, dtype=np.int64), self._ends, np.array(self._gap), annotators,
            opinions, truth, weights, self.total, self.total - self.matched, dict(sorted(self.judges.items())), self.ratings,
            self.rated_prompt, self.classes, tuple(self._prompts),
        )  # fmt: skip

    def _people(
        self, prompts: Sequence[Prompt], samples: Sequence[Sample], judged: set[str], lengths: Mapping[str, int]
    ) -> None:
        """File the labels that are about pairs of this shard."""
        wanted = {prompt.id for prompt in prompts} & self._labels.keys()
        if not wanted:
            return
        texts = Texts(sorted(samples, key=lambda one: (one.id not in judged, one.policy, one.index, one.id)))
        for prompt in prompts:
            for label in self._labels.pop(prompt.id, ()):
                told = label_to_judgement(label, texts, lengths)
                if told is None or told.first_id == told.second_id:
                    continue
                self.matched += 1
                straight = told.flipped() if label.shown_first is not None and label.shown_first.value == "b" else told
                pair = self._pair(straight, lengths)
                if told.outcome.is_opinion:
                    self.heard[pair, label.annotator].append((self._code(told, pair), told.weight))

    def _judge(self, rows: JudgeRows, own: Sequence[Judgement], lengths: Mapping[str, int]) -> None:
        """File the judgements of one judge in a shard."""
        asked: defaultdict[tuple[int, str], tuple[list[Judgement], list[Judgement]]] = defaultdict(lambda: ([], []))
        for one in own:
            pair = self._pair(one, lengths)
            rows.call_pair.append(pair)
            rows.call_code.append(self._code(one, pair))
            rows.call_outcome.append(one.outcome)
            rows.call_mass.append(np.nan if one.label_mass is None else one.label_mass)
            rows.call_vote.append(one.is_vote)
            asked[pair, one.principle or ""][one.first_id != self._ends[pair][0]].append(one)
        for (pair, principle), orders in sorted(asked.items()):
            rows.question_pair.append(pair)
            rows.question_principle.append(principle)
            rows.both.append(bool(orders[0] and orders[1]))
            for codes, ps, told in zip(
                (rows.shown_a, rows.shown_b), (rows.p_shown_a, rows.p_shown_b), orders, strict=True
            ):
                answers = [self._code(one, pair) for one in told]
                codes.append(answers[0] if answers else NONE)
                given = [one if one.first_id == self._ends[pair][0] else one.flipped() for one in told]
                known = [one.p_first for one in given if one.p_first is not None]
                ps.append(mean(known) if known else np.nan)
                rows.repeat_pair += [pair] * (len(answers) - 1)
                rows.repeat_same += [answer == answers[0] for answer in answers[1:]]
        for (prompt, low, high), opinions in opinions_of(own).items():
            pair = self._pairs[self._prompts[prompt], low, high]
            p = combined(opinions, {})
            rows.p_a[pair] = p if self._ends[pair][0] == low else 1.0 - p

    def _prompt(self, name: str) -> int:
        return self._prompts.setdefault(name, len(self._prompts))

    def _pair(self, told: Judgement, lengths: Mapping[str, int]) -> int:
        """The pair's number; its a and b are those of the first that names it, sorted unless that is a label."""
        prompt = self._prompt(told.prompt_id)
        low, high = sorted((told.first_id, told.second_id))
        known = self._pairs.get((prompt, low, high))
        if known is not None:
            return known
        number = self._pairs[prompt, low, high] = len(self._ends)
        a, b = (told.first_id, told.second_id) if told.judge.startswith(PEOPLE) else (low, high)
        self._ends.append((a, b))
        self._prompt_of.append(prompt)
        self._gap.append(lengths[a] - lengths[b] if a in lengths and b in lengths else np.nan)
        return number

    def _code(self, told: Judgement, pair: int) -> int:
        """The verdict told of the pair's own a and b; with a probability, which side of one half it is on."""
        p = p_first(told)
        if p is None:
            return NONE
        if told.first_id != self._ends[pair][0]:
            p = 1.0 - p
        return code_of(p)


def code_of(p_a: float) -> int:
    """The code of a probability that a is better."""
    return TIE if abs(p_a - 0.5) <= _EVEN else A if p_a > 0.5 else B


def _plurality(codes: Sequence[int]) -> int:
    """What one person said most often of a pair; a tie where nothing leads."""
    (best, most), *others = Counter(codes).most_common()
    return TIE if others and others[0][1] == most else best
