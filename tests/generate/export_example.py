"""A small source of pairs made by hand, for tests of exporters, card and trainers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from generate.export import ExportSource, PairRow, RevisionRow
from tenet.ids import content_id
from tenet.records import Critique, Finish, Message, PreferencePair, Prompt, Revision, Sample, Verdict

THINGS = ("kite", "tide", "boat", "lantern", "snail", "wire", "bread", "ink")


def sample(prompt: Prompt, index: int, text: str, policy: str = "policy") -> Sample:
    return Sample(content_id("s", prompt.id, index), prompt.id, index, text, policy, Finish.STOP)


def pair(
    prompt: Prompt, chosen: Sample, rejected: Sample, p: float = 0.9, score: float = 1.0, weight: float = 1.0
) -> PreferencePair:
    return PreferencePair(
        id=content_id("pair", chosen.id, rejected.id),
        prompt_id=prompt.id,
        chosen_id=chosen.id,
        rejected_id=rejected.id,
        p_chosen=p,
        weight=weight,
        score_chosen=score,
        score_rejected=-score,
        source="ai",
        principles=("kind",),
        flipped=p < 0.6,
        judgements=2,
    )


def critique(prompt: Prompt, of: Sample, text: str, principle: str = "kind") -> Critique:
    return Critique(content_id("c", of.id, principle), prompt.id, of.id, "judge", principle, text, Verdict.YES)


def prompt(number: int) -> Prompt:
    system = [Message("system", "Be brief.")] if number % 5 == 0 else []
    return Prompt.of([*system, Message("user", f"Tell me about the {THINGS[number % 8]}, part {number}.")])


def rows(count: int, *, critiques: bool = False) -> list[PairRow]:
    made = []
    for number in range(count):
        one = prompt(number)
        good = sample(one, 0, f"Gladly! The {THINGS[number % 8]} is fine, and so is number {number}.")
        bad = sample(one, 1, f"No. Ask someone else about {number}.", "other")
        told = (critique(one, good, "It is kind."), critique(one, bad, "It is not kind.")) if critiques else ()
        made.append(
            PairRow(one, pair(one, good, bad, 0.55 + 0.05 * (number % 9), 0.1 * (1 + number % 9)), good, bad, told)
        )
    return made


def revisions(count: int) -> list[RevisionRow]:
    made = []
    for number in range(count):
        one = prompt(number)
        original = sample(one, 1, "No.")
        parent = original.id
        for turn in (1, 2):
            text = f"Yes, gladly, in round {turn} of number {number}."
            made.append(RevisionRow(one, original, revision(one, parent, turn, text)))
            parent = made[-1].revision.id
    return made


def revision(one: Prompt, parent: str, turn: int, text: str, finish: Finish = Finish.STOP) -> Revision:
    return Revision(content_id("r", parent, turn), one.id, parent, "c", "kind", turn, text, "reviser", finish)


def source(
    pairs: Sequence[PairRow],
    revised: Sequence[RevisionRow] = (),
    *,
    critiques: bool = False,
    share: float = 0.05,
) -> ExportSource:
    def iterate() -> Iterator[PairRow]:
        return iter(pairs)

    def iterate_revisions() -> Iterator[RevisionRow]:
        return iter(revised)

    return ExportSource(
        iterate,
        iterate_revisions,
        has_critiques=critiques,
        has_revisions=bool(revised),
        test_share=share,
        provenance={
            "judge": {"model": "judge"},
            "principles": {"name": "kind", "digest": "d" * 8},
            "seed": 0,
        },
    )
