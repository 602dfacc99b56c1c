"""A queue of small pairs for tests of the labelling page."""

from __future__ import annotations

from pathlib import Path

from judges.humans.page.session import Answer, Item, Session, Shown
from tenet.records import Message, prompt_id


def make_items(count: int, *, text: str = "") -> list[Item]:
    """Pairs whose first response is the longer one and the judge's favourite."""
    items = []
    for number in range(count):
        turns = (Message("user", f"Question {number}? {text}"),)
        items.append(
            Item(
                (prompt_id(turns), f"a{number}", f"b{number}"), turns, f"A long answer {number}. {text}", f"Short {number}. {text}",
                0.5, 0.8, 0.2, (("kind", "The response is kind."),),
            )
        )  # fmt: skip
    return items


def make_session(folder: Path, count: int = 30, **options: float) -> Session:
    """A session that keeps its labels in the folder."""
    return Session(folder / "labels.jsonl", make_items(count), seed=1, **options)  # type: ignore[arg-type]


def answer(shown: Shown, name: str, choice: str = "1", *, second: int = 0) -> Answer:
    """What the page would send."""
    time = f"2026-01-31T12:{second // 60:02d}:{second % 60:02d}+00:00"
    return Answer(shown.item.key, name, choice, shown.first, shown.occasion, time)
