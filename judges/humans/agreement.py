"""How far the people of a run agree with each other and with its judges: overall, by annotator, by principle, over time, and pair by pair.

Figures and their intervals are those of the judge card (`judges.card`), told of labels rather than of judges; nothing is measured twice by
other means. Labels that name a principle are held against each other under that principle alone, and are opinions of the pair in the
run's figures, as they are on the card. Knows a run folder through `judges.card.gather` alone, and no text.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from judges.card import agreement
from judges.card.agreement import NONE, TIE, A, B
from judges.card.bootstrap import Ints, Resampler, ratio, share
from judges.card.figures import Figure, unknown
from judges.card.gather import CardData, gather
from judges.card.people import between, people_counts, people_figures
from judges.card.principles import PrincipleFigures
from judges.card.sections import View, people_section, principle_figures
from judges.humans.designs import run_labels
from judges.reliability.dawid_skene import fit
from judges.reliability.votes import Votes
from tenet.errors import UsageError
from tenet.ids import Json
from tenet.intervals import wilson
from tenet.records import Choice, Label, prompt_id

PARTS: Final = 4
"""Stretches of an annotator's labels in the order of their times, of the same size."""
FEWEST: Final = 40
"""Labels with a time, and a majority of others, from which drift is looked for."""
_CODES: Final = {Choice.A: A, Choice.B: B, Choice.TIE: TIE}
_VOTES: Final = {A: 1.0, B: -1.0, TIE: 0.0, NONE: np.nan}


_Key = tuple[str, ...]
"""A pair, whichever side is a, under its principle: principle, prompt, and the two responses in a fixed order."""


@dataclass(frozen=True)
class _Heard:
    """A label, its pair, and what it says in the pair's own order."""

    label: Label
    key: _Key
    said: str


@dataclass(frozen=True)
class Drift:
    """An annotator's agreement with the majority of the others in successive stretches of their labels: shares with Wilson intervals, and
    the p-value of Fisher's exact test of the first half against the second.
    """

    shares: Sequence[tuple[float, float, float]]
    p_value: float
    count: int


@dataclass(frozen=True)
class Annotator:
    """One person: `with_others` is the share of opinions that are the majority of the others', `repeats` that of pairs seen again on which
    the same was said, `first_rate` the share of choices for the response shown first, `accuracy` the estimate of Dawid and Skene,
    `with_judges` agreement with each judge.
    """

    labels: int
    skips: int
    with_others: Figure
    ties: Figure
    first_rate: Figure
    repeats: Figure
    accuracy: float | None
    with_judges: Mapping[str, Figure]
    drift: Drift | None


@dataclass(frozen=True)
class Disagreement:
    """A pair on which people differ: ids, what each said of (a, b), and what the judges say."""

    prompt_id: str
    a_id: str
    b_id: str
    said: Mapping[str, str]
    judges: Mapping[str, str]


@dataclass(frozen=True)
class Agreement:
    """All that `tenet labels agreement` tells."""

    counts: Mapping[str, Json]
    people: Mapping[str, Figure]
    between: Mapping[str, Mapping[str, Figure]]
    annotators: Mapping[str, Annotator]
    judges: Mapping[str, Mapping[str, Figure]]
    principles: Mapping[str, Mapping[str, Figure]]
    judged_principles: Mapping[str, Mapping[str, PrincipleFigures]]
    disagreements: Sequence[Disagreement]


def measure(path: Path, *, seed: int = 0, replicates: int = 1000) -> Agreement:
    """Measure the agreement of the run at `path`.

    Raises:
        MissingInput: there is no run, or nothing to measure.
        UsageError: the run has no labels about its pairs.
        InvalidInput: the labels do not read back.
    """
    heard = _heard(run_labels(path))
    data = gather(path)
    if not data.labelled:
        hint = f"import labels of its pairs: tenet labels import FILE --to {path}"
        raise UsageError(f"{path} has no labels of its pairs", hint=hint)
    draws = Resampler(data.prompts, replicates, seed)
    views = {name: View(data, rows, draws) for name, rows in data.judges.items()}
    reliability = _reliability(data.opinions)
    by_person: defaultdict[str, list[_Heard]] = defaultdict(list)
    tallies: defaultdict[_Key, Counter[str]] = defaultdict(Counter)
    for one in heard:
        by_person[one.label.annotator].append(one)
        tallies[one.key][one.said] += one.label.preference is not Choice.SKIP
    return Agreement(
        counts=people_counts(data),
        people=people_figures(data, draws),
        between=between(data, draws),
        annotators={
            name: _annotator(by_person[name], place, data, tallies, views, draws, reliability[place])
            for place, name in enumerate(data.annotators)
        },
        judges={name: people_section(view) for name, view in views.items()},
        principles=_by_principle(heard, seed, replicates),
        judged_principles={name: principle_figures(view) for name, view in views.items()},
        disagreements=_disagreements(data, views),
    )


def _reliability(opinions: Ints) -> Sequence[float | None]:
    """The accuracy of each annotator by one-coin Dawid-Skene; None where there are fewer than three to compare."""
    if opinions.shape[1] < 3:
        return [None] * opinions.shape[1]
    found = fit(Votes.of(np.vectorize(_VOTES.__getitem__, otypes=[float])(opinions)))
    return [None if np.isnan(one) else float(one) for one in found.accuracies]


def _annotator(
    own: Sequence[_Heard],
    place: int,
    data: CardData,
    tallies: Mapping[_Key, Counter[str]],
    views: Mapping[str, View],
    draws: Resampler,
    accuracy: float | None,
) -> Annotator:
    opinions, groups = data.opinions[:, place], data.prompt_of
    told = opinions != NONE
    rest = agreement.majority(agreement.counts_of(np.delete(data.opinions, place, axis=1)))
    both = told & (rest != NONE)
    return Annotator(
        labels=len(own),
        skips=sum(one.label.preference is Choice.SKIP for one in own),
        with_others=draws.figure(
            share(opinions[both] == rest[both]), groups[both], ratio, none="no pair on which others have a majority"
        ),
        ties=draws.figure(share(opinions[told] == TIE), groups[told], ratio, none="no opinions"),
        first_rate=_first_rate(own, draws.replicates, draws.seed),
        repeats=_repeats(own, draws.replicates, draws.seed),
        accuracy=accuracy,
        with_judges={one: _with_judge(view, opinions) for one, view in views.items()},
        drift=_drift(own, tallies),
    )


def _with_judge(view: View, opinions: Ints) -> Figure:
    own = opinions[view.pairs]
    both = (own != NONE) & (view.said != NONE)
    groups = view.data.prompt_of[view.pairs][both]
    rows = share(own[both] == view.said[both])
    return view.draws.figure(rows, groups, ratio, none="no pair with an opinion of both")


def _first_rate(own: Sequence[_Heard], replicates: int, seed: int) -> Figure:
    known = [one for one in own if one.label.shown_first is not None and one.label.preference in (Choice.A, Choice.B)]
    groups = _groups(one.key[1] for one in known)
    hits = np.array([one.label.preference is one.label.shown_first for one in known], dtype=bool)
    draws = Resampler(len(set(groups.tolist())), replicates, seed)
    return draws.figure(share(hits), groups, ratio, none="no choice with a known order of showing")


def _repeats(own: Sequence[_Heard], replicates: int, seed: int) -> Figure:
    first: dict[_Key, str] = {}
    again: list[tuple[bool, str]] = []
    for one in own:
        if one.key in first:
            again.append((one.said == first[one.key], one.key[1]))
        first.setdefault(one.key, one.said)
    groups = _groups(name for _, name in again)
    draws = Resampler(len(set(groups.tolist())), replicates, seed)
    same = np.array([said for said, _ in again], dtype=bool)
    return draws.figure(share(same), groups, ratio, none="no pair was labelled twice")


def _heard(labels: Iterable[Label]) -> list[_Heard]:
    """Labels with their pairs; labels that name no samples find them by the texts of labels that do."""
    held = list(labels)
    ids: dict[tuple[str, str, str], str] = {}
    for label in held:
        prompt = prompt_id(label.prompt)
        for text, other, name in (
            (label.response_a, label.response_b, label.response_a_id),
            (label.response_b, label.response_a, label.response_b_id),
        ):
            if name is not None:
                ids.setdefault((prompt, text, other), name)
    found = []
    for label in held:
        prompt = prompt_id(label.prompt)
        a = label.response_a_id or ids.get((prompt, label.response_a, label.response_b), label.response_a)
        b = label.response_b_id or ids.get((prompt, label.response_b, label.response_a), label.response_b)
        turned = a > b
        said = (
            {Choice.A: Choice.B, Choice.B: Choice.A}.get(label.preference, label.preference)
            if turned
            else label.preference
        )
        found.append(_Heard(label, (label.principle or "", prompt, *sorted((a, b))), said.value))
    return found


def _drift(own: Sequence[_Heard], tallies: Mapping[_Key, Counter[str]]) -> Drift | None:
    """Whether agreement with the majority of others changes with time; None where too few labels have one."""
    from scipy.stats import fisher_exact

    mine: defaultdict[_Key, Counter[str]] = defaultdict(Counter)
    for one in own:
        mine[one.key][one.said] += 1
    hits: list[bool] = []
    timed = [one for one in own if one.label.time is not None and one.label.preference is not Choice.SKIP]
    for one in sorted(timed, key=lambda one: _moment(one.label.time or "")):
        counts = (tallies[one.key] - mine[one.key]).most_common(2)
        if counts and (len(counts) == 1 or counts[0][1] > counts[1][1]):
            hits.append(one.said == counts[0][0])
    if len(hits) < FEWEST:
        return None
    parts = [part.tolist() for part in np.array_split(np.array(hits), PARTS)]
    shares = [(sum(part) / len(part), *wilson(sum(part) / len(part), len(part))) for part in parts]
    half = len(hits) // 2
    table = [[sum(part), len(part) - sum(part)] for part in (hits[:half], hits[half:])]
    return Drift(shares, float(fisher_exact(table)[1]), len(hits))


def _moment(time: str) -> datetime:
    when = datetime.fromisoformat(time)
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _by_principle(heard: Iterable[_Heard], seed: int, replicates: int) -> dict[str, dict[str, Figure]]:
    """Agreement of people under each principle that labels name; a person's first label of a pair counts."""
    named: defaultdict[str, list[_Heard]] = defaultdict(list)
    for one in heard:
        if one.label.principle is not None and one.label.preference is not Choice.SKIP:
            named[one.label.principle].append(one)
    found: dict[str, dict[str, Figure]] = {}
    for principle, own in sorted(named.items()):
        people = {name: place for place, name in enumerate(sorted({one.label.annotator for one in own}))}
        pairs: dict[_Key, int] = {}
        said: dict[tuple[int, int], int] = {}
        for one in own:
            place = pairs.setdefault(one.key, len(pairs))
            said.setdefault((place, people[one.label.annotator]), _CODES[Choice(one.said)])
        opinions = np.full((len(pairs), len(people)), NONE, dtype=np.int64)
        for (place, person), code in said.items():
            opinions[place, person] = code
        groups = _groups(key[1] for key in pairs)
        draws = Resampler(len(set(groups.tolist())), replicates, seed)
        several = (opinions != NONE).sum(axis=1) >= 2
        counts = agreement.counts_of(opinions)
        unanimous = share(counts[several].max(axis=1) == counts[several].sum(axis=1))
        found[principle] = {
            "unanimous": draws.figure(unanimous, groups[several], ratio, none="no pair has two opinions"),
            "krippendorff_alpha": agreement.krippendorff_alpha(opinions, groups, draws),
            "human_ceiling": agreement.human_ceiling(opinions, groups, draws)
            if len(people) > 2
            else unknown("fewer than three annotators"),
        }
    return found


def _disagreements(data: CardData, views: Mapping[str, View]) -> list[Disagreement]:
    """The pairs on which people differ, the most divided first."""
    counts = agreement.counts_of(data.opinions)
    total, most = counts.sum(axis=1), counts.max(axis=1)
    divided = np.flatnonzero((total >= 2) & (most < total))
    order = sorted(divided.tolist(), key=lambda pair: (most[pair] / total[pair], -total[pair], data.ends[pair]))
    said_by = {name: dict(zip(view.pairs.tolist(), view.said.tolist(), strict=True)) for name, view in views.items()}
    return [
        Disagreement(
            data.prompt_ids[data.prompt_of[pair]],
            data.ends[pair][0],
            data.ends[pair][1],
            {name: _word(data.opinions[pair, place]) for place, name in enumerate(data.annotators) if data.opinions[pair, place] != NONE},
            {name: _word(said.get(pair, NONE)) for name, said in said_by.items()},
        )
        for pair in order
    ]  # fmt: skip


def _word(code: int) -> str:
    return {A: "a", B: "b", TIE: "tie"}.get(int(code), "no opinion")


def _groups(names: Iterable[str]) -> Ints:
    """Numbers for names, in the order in which they come first."""
    seen: dict[str, int] = {}
    return np.array([seen.setdefault(name, len(seen)) for name in names], dtype=np.int64)
