"""Labels of a made-up person for the pairs of a run, for tests of the pages."""

from __future__ import annotations

import json
from pathlib import Path

from judges.humans.labels import label_to_json, with_id
from tenet.records import Choice, Label, Preference, Prompt, Sample
from tenet.runs import Run


def labels_of_a_run(run: Path, path: Path, *, limit: int | None = None) -> Path:
    """Write a file of labels: what the judge says, but for every fourth pair."""
    with Run.read(run) as held:
        prompts = {one.id: one for one in held.stage("prompts", Prompt).records()}
        samples = {one.id: one for one in held.stage("samples", Sample).records()}
        told = list(held.stage("preferences", Preference).records())[:limit]
    made = []
    for number, one in enumerate(told):
        a, b = samples[one.a_id], samples[one.b_id]
        choice = Choice.A if (one.p_a > 0.5) != (number % 4 == 3) else Choice.B
        made.append(with_id(Label("", prompts[one.prompt_id].messages, a.text, b.text, choice, "ann")))
    path.write_text("".join(json.dumps(label_to_json(one)) + "\n" for one in made), encoding="utf-8")
    return path
