"""What every export format promises, tried on small datasets made here. Knows no format and no run."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from generate.export import Exporter, ExportSource, PairRow, RevisionRow, export_dataset, exporter_named
from generate.export.columns import SPLIT
from tenet.errors import TenetError
from tenet.ids import content_id
from tenet.records import Critique, Finish, Message, PreferencePair, Prompt, Revision, Sample, Verdict

_TEXTS: Final = (
    ("Gladly: eight minutes.", "No."),
    ("Paris \u2603", "Lyon"),
    ("Even", "Odd"),
    ("Same", "Same"),
    ("Long " * 400, ""),
)


def complaints(name: str) -> Iterator[str]:
    """Everything in which the format `name` does not keep its promises.

    Raises:
        PluginBroken, UsageError: the format cannot be had.
    """
    exporter = exporter_named(name)
    if not exporter.summary.strip():
        yield "its summary is empty; the dataset card shows it"
    for title, source in _sources():
        try:
            yield from (f"{one} ({title})" for one in _of(exporter, source))
        except Exception as error:  # a stranger's code: whatever it raises is the finding
            yield f"it raises {type(error).__name__}: {error} ({title})"


def _of(exporter: Exporter, source: ExportSource) -> Iterator[str]:
    columns = [column.name for column in exporter.columns(source)]
    if "prompt_id" not in columns:
        yield "no column prompt_id, by which rows are split"
    if SPLIT.name in columns:
        yield "a column split, which is added to every format"
    if len(set(columns)) < len(columns):
        yield "two columns of one name"
    left_out: Counter[str] = Counter()
    rows = list(exporter.rows(source, left_out))
    wrong = [sorted({*row} ^ {*columns}) for row in rows if {*row} != {*columns}]
    if wrong:
        yield f"rows and columns differ in {', '.join(wrong[0])}"
    if any(not isinstance(reason, str) or count < 1 for reason, count in left_out.items()):
        yield "what is left out is counted under a reason in words"
    if wrong or "prompt_id" not in columns:
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            first, second = (export_dataset(source, [exporter.name], Path(folder) / place)[0] for place in ("a", "b"))
        except TenetError as error:
            yield f"it does not write: {error}"
            return
    if first.files != second.files:
        yield "equal pairs give other bytes when they are written again"
    if first.rows != len(rows):
        yield f"{len(rows)} rows became {first.rows} when they were written"


def _sources() -> Iterator[tuple[str, ExportSource]]:
    pairs = [_pair(number, *texts) for number, texts in enumerate(_TEXTS)]
    told = [
        replace(row, critiques=(_critique(row.prompt, row.chosen), _critique(row.prompt, row.rejected)))
        for row in pairs
    ]
    yield "pairs", _source(pairs)
    yield "pairs with critiques and revisions", _source(told, [_revision(row) for row in pairs[:2]])
    yield "an empty dataset", _source([])


def _source(pairs: Sequence[PairRow], revisions: Sequence[RevisionRow] = ()) -> ExportSource:
    return ExportSource(
        lambda: iter(pairs), lambda: iter(revisions), has_critiques=any(row.critiques for row in pairs),
        has_revisions=bool(revisions), test_share=0.5, provenance={"seed": 0},
    )  # fmt: skip


def _pair(number: int, good: str, bad: str) -> PairRow:
    """The second prompt has several turns and a system turn, the third pair is even."""
    earlier = [Message("system", "Be kind."), Message("user", "Hello"), Message("assistant", "Hello!")]
    prompt = Prompt.of([*(earlier if number == 1 else []), Message("user", f"Question {number}?")])
    chosen, rejected = (
        Sample(content_id("s", prompt.id, place), prompt.id, place, text, "policy", Finish.STOP)
        for place, text in enumerate((good, bad))
    )
    pair = PreferencePair(
        id=content_id("pair", chosen.id, rejected.id), prompt_id=prompt.id, chosen_id=chosen.id, rejected_id=rejected.id,
        p_chosen=0.5 if number == 2 else 0.9, weight=1.0, score_chosen=1.0, score_rejected=-1.0, source="ai",
        principles=("kind",), flipped=False, judgements=2,
    )  # fmt: skip
    return PairRow(prompt, pair, chosen, rejected)


def _critique(prompt: Prompt, of: Sample) -> Critique:
    return Critique(content_id("c", of.id), prompt.id, of.id, "judge", "kind", "It is kind.", Verdict.YES)


def _revision(row: PairRow) -> RevisionRow:
    made = Revision(
        content_id("r", row.rejected.id),
        row.prompt.id,
        row.rejected.id,
        "c",
        "kind",
        1,
        "Kinder.",
        "reviser",
        Finish.STOP,
    )
    return RevisionRow(row.prompt, row.rejected, made, 0.8)
