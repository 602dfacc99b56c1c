"""A run folder of judgements whose truth is known: what six principles say of each pair follows from the pair alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from constitution.load import load
from generate.context import PREFERENCES, Step
from generate.deriving import preferences_of
from judges.probability import sigmoid
from tenet.ids import Json, unit_interval
from tenet.records import Finish, Judgement, Message, Outcome, Preference, Prompt, Sample
from tenet.runs import Fingerprint, Row, Run

PRINCIPLES = """\
schema_version: 1
name: known
version: "1.0"
principles:
  - id: main
    text: The response is kind.
  - id: echo
    text: The response is gentle.
  - id: contrary
    text: The response is harsh.
    weight: 0.25
  - id: shy
    text: The response has a spirit of its own.
  - id: poets
    text: The response rhymes.
    applies_when: {pattern: "(?i)poem"}
  - id: nowhere
    text: The response speaks of the sea.
    applies_when: {tags: {any: [sea]}}
"""
Says = Callable[[float], float]
SAYS: dict[str, Says] = {
    "main": lambda taste: taste,
    "echo": lambda taste: taste,
    "contrary": lambda taste: -taste,
    "shy": lambda taste: 0.1 * taste,
    "poets": lambda taste: taste,
}
"""Log-odds for the response that a pair's taste names, by principle."""


def taste(prompt: Prompt) -> float:
    """What the principles make of a prompt's first response against its second: 2 or -2 log-odds, by the prompt."""
    return 2.0 if unit_interval("taste", prompt.id) < 0.5 else -2.0


def prompts(count: int) -> list[Prompt]:
    """Every fifth asks for a poem."""
    return [Prompt.of([Message("user", f"{'A poem' if i % 5 == 0 else 'Advice'} about {i}?")]) for i in range(count)]


def samples_of(prompt: Prompt) -> tuple[Sample, Sample]:
    """Two responses."""
    first, second = (
        Sample(f"{prompt.id[:20]}{i}", prompt.id, i, f"Answer {i}.", "policy", Finish.STOP) for i in range(2)
    )
    return first, second


def asked(prompt: Prompt) -> list[str]:
    """Which principles a prompt's pair is judged by where each that applies is asked."""
    return [name for name in SAYS if name != "poets" or "poem" in prompt.text]


def judgements_of(prompt: Prompt, names: list[str], *, bias: float = 0.0) -> list[Judgement]:
    """Both orders of the pair under these principles; `bias` is what the place shown first adds."""
    made = []
    for name in names:
        for place, (first, second) in enumerate((samples_of(prompt), samples_of(prompt)[::-1])):
            p = sigmoid(SAYS[name](taste(prompt)) * (-1 if place else 1) + bias)
            outcome = Outcome.FIRST if p > 0.5 else Outcome.SECOND
            made.append(Judgement(f"{first.id}{name}", prompt.id, first.id, second.id, "judge", outcome, p, 0.98, name))
    return made


def make_run(folder: Path, count: int = 200, *, mode: str = "each", bias: float = 0.0) -> Path:
    """A judged run of `count` prompts, in shards of 64; with `sampled` the applying principles take turns."""
    file = folder / "known.yaml"
    file.write_text(PRINCIPLES, encoding="utf-8")
    constitution = load(str(file))
    judge: dict[str, Json] = {"model": "org/judge", "engine": "vllm", "principles": mode}
    config: dict[str, Json] = {"name": "known", "seed": 7, "principles": str(file), "judge": judge}
    path = folder / "runs" / "known"
    marks = Fingerprint({"seed": 7}, {"principles": constitution.digest}, {})
    with Run.open(path, config, marks, command="tenet generate run.yaml") as run:
        stages = (
            run.stage(Step.PROMPTS, Prompt), run.stage(Step.SAMPLES, Sample), run.stage(Step.JUDGEMENTS, Judgement),
            run.stage(PREFERENCES, Preference),
        )  # fmt: skip
        for shard, begin in enumerate(range(0, count, 64)):
            held = prompts(count)[begin : begin + 64]
            told: list[Judgement] = []
            for place, prompt in enumerate(held, begin):
                names = asked(prompt)
                told += judgements_of(prompt, names if mode == "each" else [names[place % len(names)]], bias=bias)
            rows = (
                [Row(f"{begin + i:012d}", one, ok=True) for i, one in enumerate(held)],
                [Row(one.id, one, ok=True) for prompt in held for one in samples_of(prompt)],
                [Row(one.id, one, ok=True) for one in told],
                [Row(one.a_id + one.b_id, one, ok=True) for one in preferences_of(held, told, constitution)],
            )
            for stage, own in zip(stages, rows, strict=True):
                stage.put(shard, own)  # type: ignore[attr-defined, arg-type]
                stage.publish(shard)  # type: ignore[attr-defined]
    return path
