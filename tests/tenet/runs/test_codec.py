"""Every record type goes into SQLite and Parquet and comes back equal; what could not is refused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tenet.records import (
    Choice,
    Critique,
    Finish,
    Judgement,
    Label,
    Message,
    Outcome,
    Preference,
    PreferencePair,
    Prompt,
    Ranking,
    Rating,
    Revision,
    Sample,
    Verdict,
)
from tenet.runs.codec import Codec
from tenet.runs.opened import OpenShard
from tenet.runs.published import read_parquet, write_parquet
from tenet.runs.row import PlainRow, Row

ODD = "é 漢字 🙂\n\t\"quoted\" \\ 'single' \x00 \u2028 end"
TURNS = (Message("system", ""), Message("user", ODD))

RECORDS: list[Any] = [
    Prompt.of(TURNS, tags=("a", "", ODD), source="p.jsonl:3"),
    Prompt("empty", ()),
    Sample("s", "p", 0, ODD, "policy", Finish.STOP, seed=2**31 - 1, prompt_tokens=0, completion_tokens=None, reason=""),
    Judgement("j", "p", "a", "b", "judge", Outcome.FIRST, 0.1 + 0.2, 1.0, None, 0.0, 7, None, ODD),
    Judgement("j", "p", "a", "b", "judge", Outcome.LOW_MASS),
    Rating("r", "p", "s", "judge", Outcome.TIE, 3.3333333333333335, 1, 5),
    Critique("c", "p", "s", "judge", "polite", ODD, Verdict.UNPARSED),
    Revision("v", "p", "s", "c", "polite", 1, ODD, "model", Finish.LENGTH),
    Preference("p", "a", "b", 5e-324, None, 1.7976931348623157e308, True, 2, ("", "x")),
    Ranking("p", ("a", "b"), (0.5, -0.5)),
    Ranking("p", (), ()),
    PreferencePair("i", "p", "a", "b", 0.75, 1.0, 1.5, -1.5, "ai", ("x",), False, 2),
    Label("l", TURNS, "a", "b", Choice.SKIP, "ann", 0.5, Choice.B, None, "2026-01-01T00:00:00Z", 0.25, "f:1"),
    Label("l", (), "", "", Choice.A, "ann"),
]


@dataclass(frozen=True)
class Odd:
    name: str
    flag: bool
    maybe: bool | None
    turn: Message
    perhaps: Message | None
    grid: tuple[tuple[int, ...], ...]
    gaps: tuple[float | None, ...] = ()


ODDS = [
    Odd("x", True, None, TURNS[1], None, ((), (1, -(2**63), 2**63 - 1)), (None, -0.0, 1.5)),
    Odd("", False, False, TURNS[0], TURNS[1], ()),
]


@pytest.mark.parametrize("record", RECORDS + ODDS, ids=lambda record: type(record).__name__)
def test_a_record_comes_back_equal_from_sqlite_and_parquet(record: Any, tmp_path: Path) -> None:
    codec = Codec(type(record))
    rows = [Row("k1", record, ok=True), Row("k2", record, ok=False, attempts=3, reason=ODD), Row("k3", None, ok=False)]
    opened = OpenShard(tmp_path / "00000.db", codec)
    opened.put(rows)
    opened.close()
    again = OpenShard(tmp_path / "00000.db", codec)
    assert again.dropped == 0
    assert again.rows() == rows
    again.close()
    entry = write_parquet(tmp_path / "00000.parquet", codec, [PlainRow.of(row, codec) for row in rows])
    back = read_parquet(tmp_path / "00000.parquet", codec)
    assert back == rows
    assert repr(back[0].record) == repr(rows[0].record).replace("-0.0", "0.0").replace(
        "low=1, high=5", "low=1.0, high=5.0"
    )
    assert (entry.counts.ok, entry.counts.failed) == (1, 2)


def test_parquet_columns_are_typed() -> None:
    import pyarrow as pa

    types = {column.name: column.arrow() for column in Codec(Judgement).columns}
    assert types["p_first"] == pa.float64()
    assert types["prompt_tokens"] == pa.int64()
    assert types["outcome"] == pa.string()
    turns = {column.name: column.arrow() for column in Codec(Prompt).columns}["messages"]
    assert turns.value_type.field("role").type == pa.string()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"p_first": float("nan")}, "p_first"),
        ({"p_first": float("inf")}, "p_first"),
        ({"weight": "1"}, "weight"),
        ({"weight": None}, "weight"),
        ({"prompt_tokens": 1.0}, "prompt_tokens"),
        ({"prompt_tokens": True}, "prompt_tokens"),
        ({"prompt_tokens": 2**63}, "prompt_tokens"),
        ({"outcome": "first"}, "outcome"),
        ({"reason": "\ud800"}, "reason"),
        ({"id": Outcome.FIRST}, "id"),
    ],
)
def test_what_would_not_come_back_is_refused_by_field(change: dict[str, Any], field: str) -> None:
    given: dict[str, Any] = {
        "id": "j", "prompt_id": "p", "first_id": "a", "second_id": "b", "judge": "j", "outcome": Outcome.FIRST,
    }  # fmt: skip
    with pytest.raises(ValueError, match=field):
        Codec(Judgement).encode(Judgement(**{**given, **change}))


def test_nested_values_are_checked_too() -> None:
    codec = Codec(Prompt)
    with pytest.raises(ValueError, match=r"messages: item: content: .*surrogate"):
        codec.encode(Prompt("p", (Message("user", "\udfff"),)))
    with pytest.raises(ValueError, match="tags"):
        codec.encode(Prompt("p", (), tags=["a"]))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="is no Prompt"):
        codec.encode(Message("user", "x"))  # type: ignore[arg-type]


def test_types_that_cannot_be_stored_are_refused_by_name() -> None:
    @dataclass(frozen=True)
    class Loose:
        bag: dict[str, int]

    @dataclass(frozen=True)
    class Empty:
        maybe: str | None = None

    with pytest.raises(TypeError, match=r"Loose\.bag"):
        Codec(Loose)
    with pytest.raises(TypeError, match="no required field"):
        Codec(Empty)


def test_the_outcome_is_the_records_first_enum() -> None:
    assert Codec(Sample).outcome(RECORDS[2]) == "stop"
    assert Codec(Judgement).outcome(RECORDS[4]) == "low_mass"
    assert Codec(Ranking).outcome(RECORDS[9]) == "ok"
