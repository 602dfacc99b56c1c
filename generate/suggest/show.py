"""Puts what `tenet principles suggest` found into words for a terminal, and into plain values for `--json`. Knows no command."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from generate.report.model import Rate
from generate.suggest.draft import counted, interval
from generate.suggest.score import Effect, Ranked, Scored, Standing
from generate.suggest.work import LEAST_WRONG, Disagreement, Planned, Suggested
from tenet.console import Console
from tenet.ids import Json

COLUMNS = (
    "rank", "principle", "standing", "chosen", "fixes", "breaks", "net", "to people", "low", "high", "agree before", "agree after",
    "by itself",
)  # fmt: skip


def show_plan(planned: Planned, found: Suggested, console: Console) -> None:
    """Say what would be asked."""
    owed = planned.owed
    console.data(_labels(found))
    if planned.proposing is None:
        console.data(
            f"{planned.candidates:,} candidates and the file in force: {owed.calls:,} calls to ask, at most {owed.tokens:,} tokens."
        )
    else:
        most = planned.proposing
        console.data(f"The file in force: {owed.calls:,} calls to ask, at most {owed.tokens:,} tokens.")
        console.data(f"Proposals: at most {most.calls:,} calls, {most.tokens:,} tokens.")
        console.data(f"Each candidate proposed: at most {planned.each:,} calls.")
    if planned.more_rounds:
        console.data(
            "Principles are asked all at once (judge.principles: whole), so candidates are asked about again with each one chosen."
        )
    console.say("Nothing was asked.")


def show(found: Suggested, ranked: Ranked, console: Console) -> None:
    """Print the candidates, best first, and what stands out."""
    console.data(_labels(found))
    assert found.disagreement is not None
    console.data(_disagreement(found.disagreement, len(found.evidence.pairs)))
    console.data(f"{found.taken:,} answers were recorded, {found.spent.calls:,} asked ({found.spent.tokens:,} tokens).")
    console.data("")
    rows = [_row(rank, one) for rank, one in enumerate(ranked.candidates, 1)]
    title = f"Candidates alone, on {len(found.evidence.held_out):,} held-out pairs"
    console.table(COLUMNS, rows, title=title, right=set(COLUMNS[3:]))
    for line in _findings(ranked):
        console.data(line)


def nothing(found: Suggested) -> str:
    """Why there is nothing to suggest before any candidate was asked about."""
    told = found.disagreement
    assert told is not None
    if not told.wrong + told.open:
        return f"All {len(found.evidence.pairs):,} labelled pairs agree with the file in force: there is nothing to explain."
    return (
        f"{_disagreement(told, len(found.evidence.pairs))} {told.fit:,} of these are there to choose by and {told.held_out:,} "
        f"held out; with fewer than {LEAST_WRONG} held out no candidate can be told from chance. There is nothing to suggest."
    )


def as_json(found: Suggested, path: str | None) -> dict[str, Json]:
    """What was found, for `--json`; `path` is the draft's, None where none was written."""
    planned, ranked, short = found.planned, found.ranked, found.disagreement
    return {
        "file": found.named,
        "judge": found.judge,
        "labels": found.evidence.labels,
        "matched": found.evidence.matched,
        "pairs": {
            "fit": len(found.evidence.fit), "held_out": len(found.evidence.held_out), "ties": found.evidence.ties,
        },
        "planned": None if planned is None else _plan_json(planned),
        "disagreement": None if short is None else {
            "wrong": short.wrong, "no_winner": short.open, "fit": short.fit, "held_out": short.held_out,
        },
        "candidates": None if ranked is None else [_scored_json(one) for one in ranked.candidates],
        "together": None if ranked is None or ranked.together is None else _effect_json(ranked.together),
        "remarks": list(found.remarks),
        "answers_taken": found.taken,
        "asked": {"calls": found.spent.calls, "tokens": found.spent.tokens},
        "draft": path,
    }  # fmt: skip


def _labels(found: Suggested) -> str:
    evidence = found.evidence
    left = evidence.labels - evidence.matched
    told = [f"{evidence.ties:,} pairs tied"] if evidence.ties else []
    told += [f"{left:,} labels are about no pair of this run as a whole"] if left else []
    return (
        f"{evidence.labels:,} labels; people prefer a response in {len(evidence.pairs):,} pairs of the run: "
        f"{len(evidence.fit):,} to choose by, {len(evidence.held_out):,} held out{''.join(f'; {one}' for one in told)}."
    )


def _disagreement(told: Disagreement, pairs: int) -> str:
    more = f", and names no winner in {told.open:,}" if told.open else ""
    return f"The file in force goes against people in {told.wrong:,} of {pairs:,} labelled pairs{more}."


def _row(rank: int, one: Scored) -> list[Json]:
    effect, share = one.held_out, one.held_out.share
    ends = [None, None, None] if share is None else [f"{value:.2f}" for value in (share.value, share.low, share.high)]
    return [
        rank, one.principle.id, one.standing.value, one.place, effect.fixed, effect.broken, effect.net, *ends,
        f"{effect.before.value:.2f}", f"{effect.after.value:.2f}", None if one.own is None else f"{one.own.value:.2f}",
    ]  # fmt: skip


def _findings(ranked: Ranked) -> Iterator[str]:
    for one in ranked.candidates:
        if one.standing is Standing.CONTRADICTED:
            yield f"The labels contradict {one.principle.id} ({counted(one.held_out)}): people seem to want the opposite."
    if ranked.together is None:
        yield "No candidate is supported by the held-out labels."
        return
    effect = ranked.together
    yield (
        f"{_named(ranked.supported)} added, held-out verdicts agree with people in {interval(effect.after)}; "
        f"by the file in force in {interval(effect.before)}."
    )


def _named(supported: Sequence[Scored]) -> str:
    return f"With {' and '.join(one.principle.id for one in supported)}"


def _plan_json(planned: Planned) -> dict[str, Json]:
    most = planned.proposing
    return {
        "candidates": planned.candidates,
        "calls": planned.owed.calls,
        "tokens": planned.owed.tokens,
        "proposing": None if most is None else {"calls": most.calls, "tokens": most.tokens},
        "calls_each_proposed": None if most is None else planned.each,
        "more_rounds": planned.more_rounds,
    }


def _scored_json(one: Scored) -> dict[str, Json]:
    return {
        "id": one.principle.id,
        "text": one.principle.text,
        "standing": one.standing.value,
        "chosen": one.place,
        "held_out": _effect_json(one.held_out),
        "fit": _effect_json(one.fit),
        "own_agreement": None if one.own is None else _rate_json(one.own),
    }


def _effect_json(effect: Effect) -> dict[str, Json]:
    return {
        "fixed": effect.fixed,
        "broken": effect.broken,
        "net": effect.net,
        "to_people": None if effect.share is None else _rate_json(effect.share),
        "agreement_before": _rate_json(effect.before),
        "agreement_after": _rate_json(effect.after),
    }


def _rate_json(rate: Rate) -> dict[str, Json]:
    return {"value": rate.value, "low": rate.low, "high": rate.high}
