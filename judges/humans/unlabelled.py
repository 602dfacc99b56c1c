"""The pairs of a run that nobody has labelled, as tasks for people: sides drawn by the pair, samples named. Knows no tool."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from judges.humans.exporting import Task
from judges.humans.labels import label_to_judgement
from judges.humans.matching import Texts
from tenet.errors import MissingInput
from tenet.ids import unit_interval
from tenet.records import Label, PreferencePair, Prompt, Sample, prompt_id
from tenet.runs import Run

STAGES: Final = ("prompts", "samples", "pairs")


def unlabelled(path: Path, labels: Iterable[Label]) -> Iterator[Task]:
    """The pairs of the run at `path` without an opinion among `labels`, in the run's order.

    Pairs of revisions, whose texts are no samples, are not among them.

    Raises:
        MissingInput: there is no run, or it has no pairs yet.
    """
    by_prompt: dict[str, list[Label]] = {}
    for label in labels:
        by_prompt.setdefault(prompt_id(label.prompt), []).append(label)
    with Run.read(path) as run:
        missing = [name for name in STAGES if name not in run.manifest.stages]
        if missing:
            hint = f"make them first: {run.command}" if run.command else ""
            raise MissingInput(f"{path} has no {missing[-1]} to label.", hint=hint)
        for shard in run.stage("pairs", PreferencePair).shards():
            prompts = {one.id: one for one in run.stage("prompts", Prompt).records(shard, ok=None)}
            samples = {one.id: one for one in run.stage("samples", Sample).records(shard, ok=None)}
            seen = set(_labelled(prompts, samples, by_prompt))
            for pair in run.stage("pairs", PreferencePair).records(shard, ok=None):
                ends = frozenset((pair.chosen_id, pair.rejected_id))
                if ends in seen or not ends <= samples.keys() or pair.prompt_id not in prompts:
                    continue
                seen.add(ends)
                yield _task(prompts[pair.prompt_id], samples[pair.chosen_id], samples[pair.rejected_id], pair.id)


def _labelled(
    prompts: Iterable[str], samples: dict[str, Sample], by_prompt: dict[str, list[Label]]
) -> Iterator[frozenset[str]]:
    texts = Texts(samples.values())
    for name in prompts:
        for label in by_prompt.get(name, ()):
            told = label_to_judgement(label, texts, samples)
            if told is not None and told.outcome.is_opinion:
                yield frozenset((told.first_id, told.second_id))


def _task(prompt: Prompt, one: Sample, other: Sample, pair: str) -> Task:
    a, b = (one, other) if unit_interval("shown", pair) < 0.5 else (other, one)
    ids = {"response_a_id": a.id, "response_b_id": b.id}
    return Task(prompt.messages, a.text, b.text, {"shown_first": "a", **ids})
