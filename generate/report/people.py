"""Reads what people said of a run: their labels beside the judge's verdicts, the calibration fitted on them, and the blends made of both.

Labels are matched to samples as everywhere (`judges.humans.matching`); only the labelled pairs are held. Draws nothing and judges nobody
anew: reliability, ceilings and the like are the judge card's.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from generate.context import PREFERENCES, Step
from generate.report.model import Curve, Rate, Series
from generate.report.opinions import BlendView, Fit, Labels, People, PersonRow
from generate.report.source import as_mapping, read_json
from generate.report.tally import RateTally
from generate.report.walk import records_of, shards
from generate.report.words import DASH, number, percent
from judges.anchors import Anchor, Anchors, Unused, make_anchors
from judges.calibration.store import NAME
from judges.humans.designs import run_labels
from judges.humans.matching import Texts
from tenet.console import plural
from tenet.errors import UsageError
from tenet.ids import Json
from tenet.records import Choice, Label, Preference, Sample, prompt_id
from tenet.runs import Run

BLENDS, BLEND = "blends", "blend.json"
EVEN: Final = Series("as it should be", ((0.0, 0.0), (1.0, 1.0)))
SOURCES: Final = {"ai": "the judge", "human": "people", "blend": "both, weighed", "revision": "a revision"}
"""Where a row's probability came from, by the column `source`."""
_SCORES: Final = (("Log loss", "log_loss"), ("Brier score", "brier"), ("Calibration error (ECE)", "ece"))

_SETTINGS: Final = ("by", "conflicts", "min_agreement", "share", "seed")
"""What to know of a blend's configuration beside its strategy."""

_Pair = tuple[str, str, str]


def people_of(run: Run) -> People | None:
    """What people gave to a run; None where there is nothing of theirs.

    Raises:
        InvalidInput: labels, calibration or a blend do not read back.
        MissingInput: a shard does not read back.
    """
    found = People(labels_of(run), fit_of(run.path), blends_of(run.path))
    return found if found.labels or found.fit or found.blends else None


def labels_of(run: Run) -> Labels | None:
    """The labels in a run beside the judge; None where there are none."""
    told = run_labels(run.path)
    if not told:
        return None
    wanted = {prompt_id(label.prompt) for label in told}
    find, said = Texts(), dict[_Pair, float]()
    for shard in shards(run):
        find.add(one for one in records_of(run, Step.SAMPLES, Sample, shard) if one.prompt_id in wanted)
        for one in records_of(run, PREFERENCES, Preference, shard):
            if one.prompt_id in wanted:
                said[one.prompt_id, one.a_id, one.b_id] = one.p_a
    by_person: defaultdict[str, list[Label]] = defaultdict(list)
    for label in told:
        by_person[label.annotator].append(label)
    anchors = _anchors(told, find)
    rows = [_person(name, own, find, said) for name, own in by_person.items()]
    return Labels(
        labels=len(told),
        pairs=len(anchors.anchors),
        rows=tuple(sorted(rows, key=lambda row: (-row.labels, row.name))),
        unused=tuple((why, count) for why, count in anchors.unused.items() if why != Unused.SKIPPED.value),
        with_judge=_same(anchors.anchors, said),
    )


def _anchors(told: Sequence[Label], find: Texts) -> Anchors:
    """Labels by pair; none where no label is about a pair of this run, which is for a page to say and not to fail of."""
    try:
        return make_anchors(told, find)
    except UsageError:
        return Anchors((), len(told), {"that name no pair of this run": len(told)})


def _person(name: str, own: Sequence[Label], find: Texts, said: Mapping[_Pair, float]) -> PersonRow:
    anchors = _anchors(own, find).anchors
    choices = Counter(label.preference for label in own)
    return PersonRow(name, len(own), choices[Choice.TIE], choices[Choice.SKIP], _same(anchors, said))


def _same(anchors: Sequence[Anchor], said: Mapping[_Pair, float]) -> Rate | None:
    """The share of pairs with the same winner, where people and judge both name one; a prompt is one cluster."""
    counts: defaultdict[str, list[bool]] = defaultdict(list)
    for one in anchors:
        p = said.get((one.prompt_id, one.a_id, one.b_id))
        p = 1.0 - said.get((one.prompt_id, one.b_id, one.a_id), 0.5) if p is None else p
        if p != 0.5 and one.majority is not Choice.TIE:
            counts[one.prompt_id].append((p > 0.5) == (one.majority is Choice.A))
    tally = RateTally()
    for same in counts.values():
        tally.add(sum(same), len(same))
    return tally.rate


def fit_of(folder: Path) -> Fit | None:
    """What the calibration in a run's folder shows; None where there is none.

    Raises:
        InvalidInput: the file holds no JSON object.
    """
    report = as_mapping(read_json(folder / NAME).get("report"))
    if not report:
        return None
    before, after = as_mapping(report.get("before")), as_mapping(report.get("after"))
    facts = [
        ("Fitted on", f"{_count(report.get('anchors'))} labelled pairs of {_count(report.get('prompts'))} prompts"),
        ("Scored on", f"{_count(report.get('scored_anchors'))} pairs, {report.get('scored')}"),
        *((name, _change(before, after, key)) for name, key in _SCORES),
        ("Slope of the log-odds", _slope(as_mapping(report.get("slope_interval")))),
        ("Map", str(report.get("map"))),
    ]
    if isinstance(agreement := report.get("agreement"), int | float):
        facts.insert(2, ("Same winner as people", f"{percent(agreement, 1)} where both name one"))
    given, fitted = _points(report, "curve_before"), _points(report, "curve_after")
    caption = (
        "How often people preferred a response (up) of which the judge said so (across), on pairs that were not fitted on."
        " The nearer to the dotted diagonal, the better."
    )
    series = tuple(
        Series(label, tuple(at[:2] for at in points))
        for label, points in (("as the judge gave it", given), ("calibrated", fitted))
        if points
    )
    rows = tuple(
        (label, number(x, 2), number(y, 2), percent(share))
        for label, points in (("as the judge gave it", given), ("calibrated", fitted))
        for x, y, share in points
    )
    return Fit(
        tuple(facts),
        Curve("Said and found", caption, (*series, EVEN) if series else (), x_name="what the judge said"),
        tuple(rows),
    )


def blends_of(folder: Path) -> tuple[BlendView, ...]:
    """The blends that lie in a run's folder, by name.

    Raises:
        InvalidInput: the manifest of one holds no JSON object.
    """
    files = sorted((folder / BLENDS).glob(f"*/{BLEND}")) + sorted((folder / BLENDS).glob(f"*/*/{BLEND}"))
    return tuple(_blend(str(file.parent.relative_to(folder)), read_json(file)) for file in files)


def _blend(name: str, held: Mapping[str, Json]) -> BlendView:
    config, labels = as_mapping(held.get("config")), as_mapping(held.get("labels"))
    sources = [
        (SOURCES.get(source, source), _whole(as_mapping(one).get("rows")), _float(as_mapping(one).get("mean_p_chosen")))
        for source, one in as_mapping(held.get("sources")).items()
    ]
    dropped = [(reason, _whole(count)) for reason, count in as_mapping(held.get("dropped")).items()]
    given = {key: config[key] for key in _SETTINGS if config.get(key) not in (None, [], "")}
    return BlendView(
        name, str(config.get("strategy", "")), _whole(held.get("rows")), _whole(labels.get("labelled_pairs")),
        _whole(held.get("conflicts")), tuple(sources), tuple(one for one in dropped if one[1]),
        ", ".join(f"{key} {value}" for key, value in given.items()), tuple(_files(as_mapping(held.get("written")))),
    )  # fmt: skip


def _files(written: Mapping[str, Json]) -> Iterator[tuple[str, int, str]]:
    for one in written.values():
        listed = as_mapping(one).get("files")
        for file in map(as_mapping, listed if isinstance(listed, list) else ()):
            yield str(file.get("name")), _whole(file.get("rows")), str(file.get("sha256"))


def labels_words(labels: Labels) -> str:
    """Labels in a phrase: 156 labels of 3 people on 68 pairs."""
    people = plural(len(labels.rows), "person", "people")
    return f"{plural(labels.labels, 'label')} of {people} on {plural(labels.pairs, 'pair')}"


def _change(before: Mapping[str, Json], after: Mapping[str, Json], key: str) -> str:
    return f"{number(_float(before.get(key)), 3)} before, {number(_float(after.get(key)), 3)} after"


def _slope(slope: Mapping[str, Json]) -> str:
    high = slope.get("high")
    end = number(high, 2) if isinstance(high, float) else "no bound"
    return f"{number(_float(slope.get('value')), 2)} (95 %: {number(_float(slope.get('low')), 2)} to {end})"


def _points(report: Mapping[str, Json], name: str) -> list[tuple[float, float, float]]:
    points = report.get(name)
    told = map(as_mapping, points if isinstance(points, list) else ())
    return [(_float(one.get("said")), _float(one.get("found")), _float(one.get("share"))) for one in told]


def _count(value: Json) -> str:
    return number(value) if isinstance(value, int | float) else DASH


def _whole(value: Json) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _float(value: Json) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
