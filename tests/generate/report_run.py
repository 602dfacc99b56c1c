"""A small run folder made of records alone, with the product's own writers: for tests of what a report gathers."""

from __future__ import annotations

from pathlib import Path

from constitution.load import load
from constitution.model import Constitution
from generate.context import PREFERENCES, Step
from generate.deriving import pairs_of, preferences_of
from tenet.records import (
    Critique,
    Finish,
    Judgement,
    Message,
    Outcome,
    Preference,
    PreferencePair,
    Prompt,
    Sample,
    Verdict,
)
from tenet.runconfig import PairsConfig
from tenet.runs import Fingerprint, Row, Run

PRINCIPLES = """\
schema_version: 1
name: manners
version: "1.2"
principles:
  - id: kind
    text: The response is kind.
  - id: plain
    text: The response uses plain words.
    weight: 2
"""


def principles_file(folder: Path) -> Path:
    path = folder / "manners.yaml"
    path.write_text(PRINCIPLES, encoding="utf-8")
    return path


def prompts(count: int) -> list[Prompt]:
    return [Prompt.of([Message("user", f"Question {i}?")]) for i in range(count)]


def samples_of(prompt: Prompt) -> list[Sample]:
    """Three different texts, a repetition, an empty one and a failure."""
    texts = ["A kind and long answer.", "A short one.", "Rude.", "Rude. ", ""]
    rows = [
        Sample(f"{prompt.id[:20]}{i}", prompt.id, i, text, "one" if i % 2 else "two", Finish.STOP, i, 10, 5)
        for i, text in enumerate(texts)
    ]
    return [*rows, Sample(f"{prompt.id[:20]}5", prompt.id, 5, "", "two", Finish.ERROR, 5, None, None, "too long")]


def judgements_of(prompt: Prompt, samples: list[Sample], place: int) -> list[Judgement]:
    """Both orders of three pairs under one principle: the longer text wins, with a flip on every fourth prompt."""
    principle = "kind" if place % 2 else "plain"
    made = []
    for first in samples[:3]:
        for second in samples[:3]:
            if first is second:
                continue
            p = 0.9 if len(first.text) > len(second.text) else 0.2
            outcome = Outcome.FIRST if p > 0.5 else Outcome.SECOND
            if place % 4 == 0 and {first.index, second.index} == {0, 1}:
                p, outcome = 0.7, Outcome.FIRST
            if place % 5 == 0 and (first.index, second.index) == (1, 2):
                made.append(
                    Judgement(
                        f"{first.id}{second.index}",
                        prompt.id,
                        first.id,
                        second.id,
                        "judge",
                        Outcome.LOW_MASS,
                        None,
                        0.1,
                        principle,
                    )
                )
                continue
            made.append(
                Judgement(
                    f"{first.id}{second.index}",
                    prompt.id,
                    first.id,
                    second.id,
                    "judge",
                    outcome,
                    p,
                    0.98,
                    principle,
                    1.0,
                    100,
                    60,
                )
            )
    return made


def make_run(folder: Path, *, count: int = 20, judged: bool = True) -> Path:
    """A finished run of `count` prompts (or one that has samples only) in `folder`/runs/manners."""
    file = principles_file(folder)
    constitution = load(file)
    config = {
        "name": "manners",
        "seed": 7,
        "principles": str(file),
        "policy": [{"model": "org/one", "engine": "transformers", "samples": 3, "temperature": 1.0}],
        "judge": {"model": "org/judge", "engine": "vllm", "principles": "sampled"},
    }
    marks = Fingerprint({"seed": 7}, {"principles": constitution.digest}, {})
    path = folder / "runs" / "manners"
    with Run.open(path, config, marks, command="tenet generate run.yaml") as run:
        asked = prompts(count)
        _write(run, Step.PROMPTS, Prompt, [(f"{i:012d}", prompt) for i, prompt in enumerate(asked)])
        drawn = {prompt.id: samples_of(prompt) for prompt in asked}
        _write(run, Step.SAMPLES, Sample, [(sample.id, sample) for group in drawn.values() for sample in group])
        if judged:
            _judge(run, asked, drawn, constitution)
    return path


def _judge(run: Run, asked: list[Prompt], drawn: dict[str, list[Sample]], constitution: Constitution) -> None:
    told = [one for i, prompt in enumerate(asked) for one in judgements_of(prompt, drawn[prompt.id], i)]
    found = preferences_of(asked, told, constitution)
    pairs = pairs_of(asked, found, PairsConfig(), 7)
    _write(run, Step.JUDGEMENTS, Judgement, [(one.id, one) for one in told])
    _write(run, PREFERENCES, Preference, [(one.a_id + one.b_id, one) for one in found])
    _write(run, Step.PAIRS, PreferencePair, [(pair.id, pair) for pair in pairs])
    critiques = [
        Critique(
            f"critique{pair.id}{side}",
            pair.prompt_id,
            side,
            "judge",
            pair.principles[0],
            "It says what matters.",
            Verdict.YES,
        )
        for pair in pairs
        for side in (pair.chosen_id, pair.rejected_id)
    ]
    _write(run, Step.CRITIQUES, Critique, [(one.id, one) for one in critiques])


def _write(run: Run, name: str, kind: type, records: list) -> None:  # type: ignore[type-arg]
    stage = run.stage(name, kind)
    stage.put(0, [Row(key, record, ok=_is_good(record)) for key, record in records])
    stage.publish(0)
    stage.plan(len(records))


def _is_good(record: object) -> bool:
    return not (isinstance(record, Sample) and record.finish is Finish.ERROR)
