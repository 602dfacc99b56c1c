"""All that a run holds of one pair: texts with their differences, every judgement, critiques, people's votes, and where it all came from.

Reads the one shard that the pair is in, as it is now. Knows no page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from generate.context import Step, member_stages
from generate.report.source import as_mapping, principles_of
from generate.report.walk import records_of
from generate.revision_chain import critique_stage_name, rounds_of
from generate.revision_pairs import JUDGEMENTS as REVISION_JUDGEMENTS
from generate.supersede import attic_of
from generate.view.catalogue import Catalogue, dictionaries
from generate.view.words import differences
from judges.kinds.byprompt import RATINGS
from tenet.errors import MissingInput
from tenet.ids import Json
from tenet.records import Critique, Judgement, Rating
from tenet.runs import Run

_ROW: Final = "pair_id key state source p shown_first shown_second margin weight flipped judgements principles versions outcomes split tags"


def read_pair(catalogue: Catalogue, name: str, run: Run, key: str) -> dict[str, Json]:
    """One pair of a run by its key.

    Raises:
        UsageError: the view has no such run.
        MissingInput: the run has no such pair, or its shard does not read back.
    """
    number, cursor = catalogue.number(name), catalogue.cursor()
    found = dictionaries(
        cursor.execute(
            f"SELECT {', '.join('q.' + column for column in _ROW.split())}, p.id AS prompt_id, p.shard, p.roles, p.turns, "  # noqa: S608
            "c.id AS chosen_id, c.policy AS chosen_policy, c.text AS chosen, r.id AS rejected_id, r.policy AS rejected_policy, "
            f"r.text AS rejected FROM r{number}.pairs q JOIN r{number}.prompts p ON p.no = q.prompt "
            f"JOIN r{number}.texts c ON c.no = q.chosen JOIN r{number}.texts r ON r.no = q.rejected WHERE q.key = ? LIMIT 1",
            [key],
        )
    )
    if not found:
        raise MissingInput(
            f"{name} has no pair {key}", hint="it may be of an earlier state of the run: start the view again"
        )
    row = found[0]
    votes = dictionaries(
        cursor.execute(
            "SELECT annotator, said, strength, principle, comment, time, source FROM votes WHERE run = ? AND key = ? ORDER BY time",
            [number, key],
        )
    )
    chosen, rejected = differences(row["chosen"], row["rejected"])
    file = principles_of(run).file
    texts = {one.id: one.text for one in file.principles} if file else {}
    known = {one.id: one.compare_digest for one in file.principles} if file else {}
    return {
        **{column: row[column] for column in _ROW.split()},
        "run": name,
        "prompt": [{"role": role, "text": text} for role, text in zip(row["roles"], row["turns"], strict=True)],
        "chosen": _response(row, "chosen", chosen),
        "rejected": _response(row, "rejected", rejected),
        "wording": [{"id": one, "text": texts.get(one, "")} for one in row["principles"] if one],
        **_said(run, row, known),
        "votes": votes,
        "provenance": {**_provenance(run, row), "principles file": _file(run)},
    }


def _response(row: Mapping[str, Any], side: str, parts: Sequence[tuple[str, bool]]) -> Json:
    return {
        "id": row[f"{side}_id"],
        "policy": row[f"{side}_policy"],
        "length": len(row[side]),
        "parts": [list(one) for one in parts],
    }


def _said(run: Run, row: Mapping[str, Any], known: Mapping[str, str]) -> dict[str, Json]:
    shard, chosen = row["shard"], row["chosen_id"]
    sides = {chosen, row["rejected_id"]}

    def judgements(name: str) -> list[Json]:
        told = [one for one in records_of(run, name, Judgement, shard) if {one.first_id, one.second_id} == sides]
        told.sort(key=lambda one: (one.principle or "", one.judge, one.first_id != chosen, one.id))
        return [_judgement(one, chosen, known) for one in told]

    rounds = [critique_stage_name(number) for number in rounds_of(run)]
    critiques = [one for name in (Step.CRITIQUES, *rounds) for one in records_of(run, name, Critique, shard)]
    ratings = [one for one in records_of(run, RATINGS, Rating, shard) if one.sample_id in sides]
    return {
        "asked": [one for name in (Step.JUDGEMENTS, REVISION_JUDGEMENTS) for one in judgements(name)],
        "members": [one for name in member_stages(run) for one in judgements(name)],
        "superseded": judgements(attic_of(Step.JUDGEMENTS)),
        "critiques": [
            {
                "id": one.id, "side": "chosen" if one.sample_id == chosen else "rejected", "judge": one.judge,
                "principle": one.principle, "verdict": str(one.verdict), "text": one.text, "reason": one.reason,
            }
            for one in critiques if one.sample_id in sides
        ],
        "ratings": [
            {
                "id": one.id, "side": "chosen" if one.sample_id == chosen else "rejected", "judge": one.judge,
                "principle": one.principle, "score": one.score, "low": one.low, "high": one.high, "outcome": str(one.outcome),
            }
            for one in ratings
        ],
    }  # fmt: skip


def _judgement(one: Judgement, chosen: str, known: Mapping[str, str]) -> Json:
    """A judgement told of the chosen response: `p` is P(chosen is better), whichever was shown first."""
    first = one.first_id == chosen
    p = None if one.p_first is None else one.p_first if first else 1.0 - one.p_first
    won = {"first": "chosen", "second": "rejected"} if first else {"first": "rejected", "second": "chosen"}
    return {
        "id": one.id, "judge": one.judge, "principle": one.principle, "shown_first": "chosen" if first else "rejected", "p": p,
        "outcome": won.get(str(one.outcome), str(one.outcome)), "label_mass": one.label_mass, "critique": one.critique,
        "thinking": one.thinking, "reason": one.reason, "version": one.version,
        "old": bool(one.principle and one.principle_digest and known.get(one.principle, one.principle_digest) != one.principle_digest),
    }  # fmt: skip


def _provenance(run: Run, row: Mapping[str, Any]) -> dict[str, Json]:
    judge = as_mapping(run.config.get("judge"))
    model = judge.get("model")
    held: dict[str, Json] = {
        "run": str(run.path),
        "shard": row["shard"],
        "prompt": row["prompt_id"],
        "pair": row["pair_id"] or "",
        "chosen": row["chosen_id"],
        "rejected": row["rejected_id"],
        "judge": str(model) if model else str(judge.get("kind", "")),
        "wordings": ", ".join(row["versions"]),
    }
    return {name: value for name, value in held.items() if value not in ("", None)}


def _file(run: Run) -> str:
    found = principles_of(run)
    if found.file is None:
        return f"{found.name} ({found.why})"
    return f"{found.name} {found.file.version}, {found.file.digest[:12]}"
