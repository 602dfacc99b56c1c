"""Fits a run's judge on people's labels: finds the labelled pairs in the run folder, what the judge said of them, and stores the fit.

Reads the judgements and not the recorded preferences, so that it also works where a relabelled run's pairs are still to be made. Asks no
model. Memory: the labels and their pairs.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from generate.byprompt import RATED, kind_of, preferences_rated, weights_of
from generate.calibrated import subject_of
from generate.context import Step, by_prompt
from generate.deriving import preferences_of, recorded_bias
from generate.rank import both_orders
from generate.report.source import as_mapping, principles_of, read_json
from generate.report.walk import records_of, shards
from generate.schedule import field_of
from judges.aggregate import Pair
from judges.anchors import Anchor, Anchors, Split, Unused, make_anchors
from judges.calibration.fit import Fitted, fit_judge
from judges.calibration.maps import Slope
from judges.calibration.store import AnchorRow, Calibration, write_calibration
from judges.humans.designs import run_labels
from judges.humans.importer import read_labels
from judges.humans.matching import Texts
from judges.humans.store import NAME as LABELS
from tenet.errors import UsageError
from tenet.ids import Json
from tenet.records import Judgement, Label, PreferencePair, Prompt, Sample, prompt_id
from tenet.runs import Run, atomic

SPLIT: Final = "anchors.json"
"""The file in a run that keeps the rule by which prompts are for fitting or for testing."""


@dataclass(frozen=True)
class Heard:
    """A run's anchors that the judge gave an opinion of, its P(a is better) of each, and how many of them are exported pairs."""

    anchors: Anchors
    p: Mapping[Pair, float]
    exported: int


@dataclass(frozen=True)
class Calibrated:
    """What a calibration came to. `ways` is the choice among several runs' ways of asking; None where there is one."""

    run: Path
    stored: Calibration
    fitted: Fitted
    heard: Heard
    ways: Fitted | None = None

    @property
    def warnings(self) -> list[str]:
        """What a person must know before trusting the fit."""
        return list(_warnings(self.fitted, self.heard))


def calibrate(path: Path, labels: Path | None = None, also: Sequence[Path] = ()) -> Calibrated:
    """Fit the judge of the run at `path` and store the fit there; `labels` are the run's own where no file is named.

    `also` are runs that asked about the same responses in another way (critique first, another judge, another template): on the pairs
    that all have, cross-validation tells which way agrees best. Only the run at `path` gets a fit.

    Raises:
        MissingInput: there is no run or no file of labels, or a shard does not read back.
        UsageError: no labels about this run's pairs, too few of them, only ties; principles that changed since.
        InvalidInput: a file does not read back.
        StorageFailed: the disk is full or not writable; an earlier fit stands.
    """
    told = labels_for(path, labels)
    with Run.read(path) as run:
        heard = hear(run, told)
        split, subject = split_of(run), subject_of(run)
    own = [heard.p[_pair(one)] for one in heard.anchors.anchors]
    try:
        fitted = fit_judge(heard.anchors.anchors, {subject.way: own}, split)
    except UsageError as error:  # which knows no run to name in its cure
        raise UsageError(
            error.message, hint=re.sub(r"\bRUN\b", lambda _: shlex.quote(str(path)), error.hint)
        ) from error
    ways = _compare(path, told, heard, also, split)
    stored = Calibration(
        subject,
        fitted.fit,
        tuple(AnchorRow(one, p) for one, p in zip(heard.anchors.anchors, own, strict=True)),
        heard.anchors.digest,
        {
            **fitted.as_json(),
            "labels": heard.anchors.labels,
            "unused": dict(heard.anchors.unused),
            "exported": heard.exported,
        },
    )
    _keep_split(path, split)
    write_calibration(path, stored)
    return Calibrated(path, stored, fitted, heard, ways)


def hear(run: Run, labels: Iterable[Label]) -> Heard:
    """The anchors that labels give on a run's judged pairs, and what the judge said of them.

    Raises:
        UsageError: no label is about a pair of this run, or its principles file is not the one that was judged by.
        MissingInput: a shard does not read back.
    """
    labels = list(labels)
    wanted = {prompt_id(label.prompt) for label in labels}
    principles = principles_of(run)
    if principles.file is None:
        raise UsageError(principles.why, hint="put the file back, or relabel the run: its own command with --relabel")
    bias = recorded_bias(run)
    kind, weights = kind_of(run.config), weights_of(as_mapping(run.config.get("judge")))
    texts = Texts()
    p: dict[Pair, float] = {}
    exported: set[Pair] = set()
    for shard in shards(run):
        prompts = [one for one in records_of(run, Step.PROMPTS, Prompt, shard) if one.id in wanted]
        if not prompts:
            continue
        here = {one.id for one in prompts}
        texts.add(judged_samples(run, shard, here))
        if kind in RATED:
            found_here = preferences_rated(run, shard, kind, prompts, principles.file, weights)
        else:
            judgements = [one for one in records_of(run, Step.JUDGEMENTS, Judgement, shard) if one.prompt_id in here]
            found_here = preferences_of(prompts, judgements, principles.file, bias=bias)
        for one in found_here:
            if bias is not None or both_orders(one):
                p[one.prompt_id, one.a_id, one.b_id] = one.p_a
        for pair in records_of(run, Step.PAIRS, PreferencePair, shard):
            if pair.prompt_id in here:
                a, b = sorted((pair.chosen_id, pair.rejected_id))
                exported.add((pair.prompt_id, a, b))
    found = make_anchors(labels, texts)
    judged = tuple(one for one in found.anchors if _pair(one) in p)
    unused = dict(found.unused)
    if missing := sum(one.people for one in found.anchors) - sum(one.people for one in judged):
        unused[Unused.NOT_JUDGED.value] = missing
    return Heard(replace(found, anchors=judged, unused=unused), p, sum(_pair(one) in exported for one in judged))


def judged_samples(run: Run, shard: int, prompts: set[str]) -> Iterator[Sample]:
    """The samples of some prompts under whose ids the responses are judged."""
    for name, samples in by_prompt(records_of(run, Step.SAMPLES, Sample, shard)).items():
        if name in prompts:
            yield from field_of(samples).samples


def labels_for(path: Path, named: Path | None) -> tuple[Label, ...]:
    """The labels of a file, or those in the run at `path` where none is named.

    Raises:
        UsageError: there is none.
    """
    found = read_labels(named).labels if named is not None else run_labels(path)
    if not found:
        raise UsageError(
            f"{named or path / LABELS} holds no label",
            hint=f"bring labels of this run's pairs in with: tenet labels import FILE --to {path}",
        )
    return found


def _compare(path: Path, labels: Sequence[Label], heard: Heard, also: Sequence[Path], split: Split) -> Fitted | None:
    """The choice among the ways of asking of several runs, on the anchors that all of them have."""
    if not also:
        return None
    columns: dict[str, Mapping[Pair, float]] = {path.name: heard.p}
    for other in also:
        if other.name in columns:
            raise UsageError(f"two runs are called {other.name}", hint="give one another name, or leave it out")
        with Run.read(other) as run:
            columns[other.name] = hear(run, labels).p
    shared = [one for one in heard.anchors.anchors if all(_pair(one) in told for told in columns.values())]
    return fit_judge(shared, {name: [told[_pair(one)] for one in shared] for name, told in columns.items()}, split)


def split_of(run: Run) -> Split:
    """The rule by which this run's prompts are for fitting or for testing."""
    return Split.from_json(read_json(run.path / SPLIT))


def _keep_split(path: Path, split: Split) -> None:
    atomic.write_text(path / SPLIT, json.dumps(split.as_json(), indent=1) + "\n")


def _pair(anchor: Anchor) -> Pair:
    return anchor.prompt_id, anchor.a_id, anchor.b_id


def _warnings(fitted: Fitted, heard: Heard) -> Iterable[str]:
    if fitted.fit == Slope(0.0):
        yield (
            "People contradict this judge at least as often as they agree: every calibrated p is 0.5, and no pair is exported with it. "
            "Do not use its labels."
        )
    elif fitted.slope.low == 0.0:
        yield "The interval of the slope reaches 0: these anchors do not show that the judge is better than a coin."
    if fitted.after.log_loss > fitted.before.log_loss:
        yield "The fit did not lower the log loss of prompts that it had not seen; more anchors may help."
    outside = len(heard.anchors.anchors) - heard.exported
    if outside:
        yield (
            f"{outside:,} of {len(heard.anchors.anchors):,} anchors are no exported pairs. Exported pairs are selected for a large "
            "difference, so p runs high on them (the winner's curse); label those that are exported."
        )


def report_of(found: Calibrated) -> dict[str, Json]:
    """The whole result for `--json`."""
    return {
        "run": str(found.run),
        "fingerprint": found.stored.digest,
        **found.stored.report,
        "warnings": list(found.warnings),
        "ways": None if found.ways is None else found.ways.as_json(),
    }
