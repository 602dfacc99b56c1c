"""Fits the weights of a run's propositions on people's labels: finds the labelled pairs and what was said of both responses. Asks no model.

Rules are not weighed: they veto, and pairs in which one side alone breaks a rule are decided without the sum and left out of the fit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from constitution.model import Principle
from generate.byprompt import kind_of
from generate.calibrating import judged_samples, labels_for
from generate.context import Step
from generate.report.source import principles_of
from generate.report.walk import records_of, shards
from judges.anchors import Anchor, make_anchors
from judges.humans.matching import Texts
from judges.kinds.byprompt import RATINGS
from judges.kinds.rated import Rated, Weights, by_prompt, equal_weights, is_rule, p_yes
from judges.kinds.weighing import FittedWeights, fit_pairs
from tenet.errors import UsageError
from tenet.ids import Json
from tenet.records import Label, Prompt, Rating, prompt_id
from tenet.runs import Run, atomic

WEIGHTS = "weights.json"


@dataclass(frozen=True)
class Weighed:
    """Fitted weights, where they were written, and how many labelled pairs were left out as not answered or decided by a rule."""

    path: Path
    weights: Weights
    fitted: FittedWeights
    left_out: int


def weigh(path: Path, labels: Path | None = None, output: Path | None = None) -> Weighed:
    """Fit the weights of the run at `path` and write them to `output` (its own weights.json); `labels` are the run's own if not named.

    Raises:
        MissingInput: there is no run or no file of labels, or a shard does not read back.
        UsageError: the run's judge answers no propositions; no labels, too few, or none about this run; principles that cannot be read.
        StorageFailed: the disk is full or not writable.
    """
    held = _gather(path, labels_for(path, labels))
    names = held.weighed
    if not names:
        raise UsageError(
            "every proposition of this run is a rule: there is nothing to weigh", hint="leave judge.weights out"
        )
    rows = [row for anchor in held.anchors if (row := held.differences(anchor, names)) is not None]
    used = [anchor for anchor in held.anchors if held.differences(anchor, names) is not None]
    equal = equal_weights(names, held.known)
    fitted = fit_pairs(
        np.array(rows).reshape(-1, len(names)), np.array([one.share for one in used]),
        np.array([one.weight for one in used]), [one.prompt_id for one in used], np.array([equal[name] for name in names]),
    )  # fmt: skip
    report: dict[str, Json] = {
        "pairs": fitted.pairs, "prompts": fitted.prompts, "strength": fitted.strength,
        "log_loss": fitted.log_loss, "unfitted_log_loss": fitted.unfitted_log_loss,
    }  # fmt: skip
    weights = Weights(dict(zip(names, fitted.values.tolist(), strict=True)), held.versions(names), report)
    target = (output or path / WEIGHTS).resolve()
    atomic.write_text(target, json.dumps(weights.as_json(), indent=1) + "\n")
    return Weighed(target, weights, fitted, len(held.anchors) - len(rows))


@dataclass(frozen=True)
class _Held:
    """A run's labelled pairs, what was said of its responses by prompt, and its principles by id."""

    anchors: Sequence[Anchor]
    rated: Mapping[str, Rated]
    known: Mapping[str, Principle]

    @property
    def weighed(self) -> list[str]:
        """The propositions that were answered and are no rules."""
        asked = {name for prompt in self.rated.values() for own in prompt.values() for name in own}
        return sorted(name for name in asked if not is_rule(name, self.known))

    def differences(self, anchor: Anchor, names: Sequence[str]) -> list[float] | None:
        """P(yes) of the pair's a less that of b, by proposition, 0 where one was not answered; None where a rule decides or nothing can."""
        own = self.rated.get(anchor.prompt_id, {})
        a, b = own.get(anchor.a_id, {}), own.get(anchor.b_id, {})
        both = a.keys() & b.keys()
        broken = [any(is_rule(name, self.known) and p_yes(side[name]) < 0.5 for name in both) for side in (a, b)]
        if not both.intersection(names) or broken[0] != broken[1]:
            return None
        return [p_yes(a[name]) - p_yes(b[name]) if name in both else 0.0 for name in names]

    def versions(self, names: Sequence[str]) -> dict[str, str]:
        """The wordings that were answered."""
        told = (one for prompt in self.rated.values() for own in prompt.values() for one in own.values())
        found = {one.principle or "": one.principle_digest or "" for one in told}
        return {name: found[name] for name in names}


def _gather(path: Path, labels: Sequence[Label]) -> _Held:
    wanted = {prompt_id(label.prompt) for label in labels}
    texts = Texts()
    rated: dict[str, Rated] = {}
    with Run.read(path) as run:
        if (kind := kind_of(run.config)) != "propositions":
            raise UsageError(
                f"{path} was judged by a judge of kind {kind}, which has no weights",
                hint="set judge.kind: propositions in a run of another name, or see: tenet calibrate",
            )
        principles = principles_of(run)
        if principles.file is None:
            raise UsageError(
                principles.why, hint="put the file back, or relabel the run: its own command with --relabel"
            )
        for shard in shards(run):
            here = {one.id for one in records_of(run, Step.PROMPTS, Prompt, shard)} & wanted
            if here:
                texts.add(judged_samples(run, shard, here))
                rated |= by_prompt(one for one in records_of(run, RATINGS, Rating, shard) if one.prompt_id in here)
    anchors = make_anchors(labels, texts).anchors
    return _Held(anchors, rated, {one.id: one for one in principles.file.principles})
