"""Turns recorded opinions into a run folder: verdicts that judges gave elsewhere, in the stages where a judge of ours would have put them.

Knows the layout of a run and no file format (`judges.formats`). Rows with the same texts stay apart: the n-th row of a file that
holds the same prompt and responses is another pair of samples, and is the same pair in every file of the set. Labels of people
go into the run's `labels.jsonl` under the ids of these samples. Where one judge alone was recorded, preferences and pairs follow;
opinions of several judges are not averaged here, for they are not equally good.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from constitution.model import Constitution
from generate.context import PREFERENCES, Step
from generate.deriving import pairs_of, preferences_of
from generate.shards import PROMPTS_PER_SHARD
from judges.formats.base import Comparison, Keyed, Opinion, Rated, Response, Withdrawn
from judges.formats.identity import Identities
from judges.formats.registry import Reading
from judges.humans.labels import labels_of
from judges.humans.store import add_labels, store_path
from tenet.errors import InvalidInput, Problem
from tenet.ids import Json, content_id
from tenet.plugins import Kind, versions_of
from tenet.records import (
    Choice,
    Finish,
    Judgement,
    Label,
    Message,
    Outcome,
    Preference,
    PreferencePair,
    Prompt,
    Rating,
    Sample,
    prompt_id,
)
from tenet.runconfig import PairsConfig
from tenet.runs import Fingerprint, Row, Run, versions

RATINGS: Final = "ratings"
ORDER_UNKNOWN: Final = "order of showing not recorded"
_OUTCOMES: Final = {
    Choice.A: Outcome.FIRST,
    Choice.B: Outcome.SECOND,
    Choice.TIE: Outcome.TIE,
    Choice.SKIP: Outcome.REFUSED,
}
_NOBODY: Final = Constitution("recorded", "", "", "", ())
R = TypeVar("R", Prompt, Sample, Judgement, Rating)
OfPrompt = TypeVar("OfPrompt", Sample, Judgement, Rating)


@dataclass
class Recorded:
    """What a set of files says, as records; each dictionary is by id, in the order of the files."""

    prompts: dict[str, Prompt] = field(default_factory=dict)
    samples: dict[str, Sample] = field(default_factory=dict)
    judgements: dict[str, Judgement] = field(default_factory=dict)
    ratings: dict[str, Rating] = field(default_factory=dict)
    labels: dict[str, Label] = field(default_factory=dict)
    unmatched: list[Problem] = field(default_factory=list)

    @property
    def judges(self) -> tuple[str, ...]:
        """Who judged, by name."""
        return tuple(sorted({one.judge for one in self.judgements.values()}))

    def as_json(self) -> dict[str, Json]:
        """The counts for `--json`."""
        return {
            "prompts": len(self.prompts),
            "samples": len(self.samples),
            "judgements": len(self.judgements),
            "judges": list(self.judges),
            "ratings": len(self.ratings),
            "labels": len(self.labels),
            "unmatched": len(self.unmatched),
        }


def assemble(readings: Sequence[Reading], *, strict: bool = True) -> Recorded:
    """Bring the files of a set together.

    Raises:
        InvalidInput: two rows have the same key, or, strictly, opinions are about rows that no file holds.
    """
    made, taken_back = _Assembly(), set[str]()
    for reading in readings:
        made.begin()
        for place, item in reading.items:
            if isinstance(item, Comparison):
                made.compare(item, reading, place)
            elif isinstance(item, Rated):
                made.rate(item, reading, place)
            elif isinstance(item, Label):
                made.found.labels[item.id] = item
            elif isinstance(item, Withdrawn):
                taken_back.add(item.label_id)
    for name in taken_back:
        made.found.labels.pop(name, None)
    for reading in readings:
        made.begin()
        for place, item in reading.items:
            if isinstance(item, Keyed) and not made.attach(item):
                made.found.unmatched.append(
                    reading.rows.problem(place, "no file of the set holds the row that this is about")
                )
    if made.found.unmatched and (strict or not made.found.prompts):
        hint = "give the file that holds the texts with --labels FILE"
        shown = [*made.found.unmatched[:5], Problem(f"{len(made.found.unmatched):,} in all", hint=hint)]
        raise InvalidInput("verdicts without their texts; nothing was written", shown)
    return made.found


class _Assembly:
    """Gathers the records of a set while its items go by."""

    def __init__(self) -> None:
        self.found = Recorded()
        self._by_key: dict[str, tuple[Comparison, tuple[str, str]]] = {}
        self._names = Identities()
        self._said: Counter[tuple[str, ...]] = Counter()
        self._indices: Counter[tuple[str, str]] = Counter()

    def begin(self) -> None:
        """Begin a file: rows that stand twice in one file are two, in two files the same."""
        self._names = Identities()
        self._said.clear()

    def compare(self, item: Comparison, reading: Reading, place: int) -> None:
        prompt = self._prompt(item.prompt, item.tags, reading, place)
        ids = self._names.of_pair(item)
        for name, side in zip(ids, (item.a, item.b), strict=True):
            self._sample(prompt, side, name)
        if item.key:
            held = self._by_key.setdefault(item.key, (item, ids))
            if held[1] != ids:
                problem = reading.rows.problem(place, f"another row has the key {item.key}")
                raise InvalidInput("two rows of one set have the same key; nothing was written", [problem])
        for label in labels_of(item, source=reading.rows.where(place), response_ids=ids):
            self.found.labels.setdefault(label.id, label)
        self._judge(prompt, ids, item.opinions)

    def rate(self, item: Rated, reading: Reading, place: int) -> None:
        prompt = self._prompt(item.prompt, item.tags, reading, place)
        sample = self._names.of_response(item)
        self._sample(prompt, item.response, sample)
        for score in item.scores:
            judge = f"human:{score.annotator}" if score.person else score.annotator
            name = content_id("recorded-rating", judge, prompt, sample, score.principle)
            outcome = Outcome.FIRST if score.value * 2 > score.low + score.high else Outcome.SECOND
            self.found.ratings[name] = Rating(
                name, prompt, sample, judge, outcome, score.value, score.low, score.high, score.principle
            )

    def attach(self, item: Keyed) -> bool:
        """Add opinions to the comparison of their key; False where there is none."""
        held = self._by_key.get(item.key)
        if held is None:
            return False
        comparison, ids = held
        self._judge(prompt_id(comparison.prompt), ids, item.opinions)
        return True

    def _prompt(self, turns: Sequence[Message], tags: tuple[str, ...], reading: Reading, place: int) -> str:
        prompt = Prompt.of(turns, tags=tags, source=reading.rows.where(place))
        self.found.prompts.setdefault(prompt.id, prompt)
        return prompt.id

    def _sample(self, prompt: str, response: Response, name: str) -> None:
        if name not in self.found.samples:
            index = self._indices[prompt, response.policy]
            self._indices[prompt, response.policy] += 1
            self.found.samples[name] = Sample(name, prompt, index, response.text, response.policy, Finish.GIVEN)

    def _judge(self, prompt: str, ids: tuple[str, str], opinions: Iterable[Opinion]) -> None:
        for one in opinions:
            if not one.person:
                judgement = self._judgement(prompt, ids, one)
                _require_same(self.found.judgements.setdefault(judgement.id, judgement), judgement)

    def _judgement(self, prompt: str, ids: tuple[str, str], one: Opinion) -> Judgement:
        first = one.shown_first or Choice.A
        said = (one.annotator, prompt, *ids, first.value, one.principle or "")
        outcome = one.outcome if one.choice is None else _OUTCOMES[one.choice]
        assert outcome is not None
        judgement = Judgement(
            id=content_id("recorded", *said, self._said[said]),
            prompt_id=prompt,
            first_id=ids[0],
            second_id=ids[1],
            judge=one.annotator,
            outcome=outcome,
            p_first=one.p_a,
            principle=one.principle,
            weight=1.0 / one.inclusion_probability,
            reason=one.reason or ("" if one.shown_first else ORDER_UNKNOWN),
        )
        self._said[said] += 1
        return judgement.flipped() if first is Choice.B else judgement


def _require_same(held: Judgement, new: Judgement) -> None:
    """One judge has one verdict on a question, however many files tell it.

    Raises:
        InvalidInput: it has two.
    """
    if (held.outcome, held.p_first) != (new.outcome, new.p_first):
        hint = "name the judges apart with --judge NAME, or put them into runs of their own"
        problem = Problem(f"{new.judge} said {held.outcome} in one and {new.outcome} in another", hint=hint)
        raise InvalidInput(
            "two files hold different verdicts of one judge on one question; nothing was written", [problem]
        )


def write_run(
    path: Path, found: Recorded, files: Sequence[str], *, command: str, formats: Collection[str] = ()
) -> Recorded:
    """Add what was recorded to the run at `path`, made where there is none; what it holds already stays as it is.

    Args:
        path: the run's folder.
        found: what the files hold.
        files: their names.
        command: the command line, for the run's history.
        formats: how the files were read; the run remembers the versions of those that plug-ins bring.

    Returns:
        All that the run now holds, its labels apart.

    Raises:
        FingerprintMismatch: the folder holds a run of another kind.
        InvalidInput: the run holds another verdict of the same judge on the same question.
        RunLocked: a process is writing to it.
        StorageFailed: the disk is full or not writable.
    """
    held: Mapping[str, Json] = {}
    used = versions((Kind.IMPORTERS, one) for one in formats)
    if (path / "run.json").is_file():
        with Run.read(path) as before:
            held = before.config
            known = before.fingerprint.informational.get("plugins")
        if isinstance(known, Mapping):  # of files that were read before
            used["plugins"] = {**known, **versions_of((Kind.IMPORTERS, one) for one in formats)}
    named = held.get("recorded")
    names = list(dict.fromkeys([*(str(one) for one in (named if isinstance(named, list) else ())), *files]))
    config: dict[str, Json] = {"name": path.name, "seed": 0, "recorded": names}
    growth: dict[str, Json] = {"prompts": content_id("recorded", *names)}
    with Run.open(path, config, Fingerprint({"kind": "recorded verdicts"}, growth, used), command=command) as run:
        run.accept()
        whole = _merged(run, found)
        _write(run, whole)
        add_labels(store_path(path), list(found.labels.values()))
        run.finish()
    return whole


def _merged(run: Run, found: Recorded) -> Recorded:
    """What the run holds, then what is new."""
    judged = _held(run, Step.JUDGEMENTS, Judgement, found.judgements)
    for name, one in found.judgements.items():
        _require_same(judged[name], one)
    return Recorded(
        _in_place(run, found.prompts),
        _held(run, Step.SAMPLES, Sample, found.samples),
        judged,
        _held(run, RATINGS, Rating, found.ratings),
    )


def _in_place(run: Run, found: Mapping[str, Prompt]) -> dict[str, Prompt]:
    """The run's prompts in their places, then those that are new."""
    there = {one.id: one for one in _records(run, Step.PROMPTS, Prompt)}
    return {**there, **{name: one for name, one in found.items() if name not in there}}


def _held(run: Run, step: str, kind: type[R], found: Mapping[str, R]) -> dict[str, R]:
    there = {one.id: one for one in _records(run, step, kind)}
    return {**found, **there}


def _records(run: Run, step: str, kind: type[R]) -> Iterator[R]:
    yield from run.stage(step, kind).records(ok=None)


def _write(run: Run, whole: Recorded) -> None:
    """Publish all stages, shard by shard."""
    prompts = list(whole.prompts.values())
    place = {prompt.id: number // PROMPTS_PER_SHARD for number, prompt in enumerate(prompts)}
    samples = _by_shard(whole.samples.values(), place)
    judgements = _by_shard(whole.judgements.values(), place)
    ratings = _by_shard(whole.ratings.values(), place)
    alone = len(whole.judges) == 1
    last = len(prompts) - 1
    for shard in range(last // PROMPTS_PER_SHARD + 1):
        start = shard * PROMPTS_PER_SHARD
        own = prompts[start : start + PROMPTS_PER_SHARD]
        run.stage(Step.PROMPTS, Prompt).replace(
            shard, [Row(f"{start + number:012d}", prompt, ok=True) for number, prompt in enumerate(own)]
        )
        run.stage(Step.SAMPLES, Sample).replace(shard, [Row(one.id, one, ok=True) for one in samples[shard]])
        told = judgements[shard]
        run.stage(Step.JUDGEMENTS, Judgement).replace(
            shard, [Row(one.id, one, ok=one.outcome is not Outcome.ERROR, reason=one.reason) for one in told]
        )
        if whole.ratings:
            run.stage(RATINGS, Rating).replace(shard, [Row(one.id, one, ok=True) for one in ratings[shard]])
        preferred = preferences_of(own, told, _NOBODY) if alone else []
        pairs = pairs_of(own, preferred, PairsConfig(), 0)
        run.stage(PREFERENCES, Preference).replace(
            shard, [Row(content_id("preference", one.prompt_id, one.a_id, one.b_id), one, ok=True) for one in preferred]
        )
        run.stage(Step.PAIRS, PreferencePair).replace(shard, [Row(one.id, one, ok=True) for one in pairs])


def _by_shard(records: Iterable[OfPrompt], place: Mapping[str, int]) -> Mapping[int, list[OfPrompt]]:
    found: defaultdict[int, list[OfPrompt]] = defaultdict(list)
    for one in records:
        found[place[one.prompt_id]].append(one)
    return found
