"""The figures of the page about judging are those that the benchmarks printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RESULTS = (ROOT / "benchmarks/results/two-cores.md").read_text(encoding="utf-8")
PAGE = (ROOT / "docs/judging-explained.md").read_text(encoding="utf-8")
NUMBER = r"(?<![\w.])[+-]?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?(?![\w])"
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.partition("## Figures and their commands")[2].splitlines()
    if "`python -m" in line
]


def number(text: str) -> float:
    return float(text.replace(",", ""))


def printed(command: str) -> list[float]:
    """Every number in the results below a command, up to the next heading."""
    parts = re.split(rf"^(?:    |`){re.escape(command)}(?:`.*)?$", RESULTS, flags=re.MULTILINE)[1:]
    assert parts, f"{command} is not among the results"
    return [number(found) for part in parts for found in re.findall(NUMBER, part.partition("\n## ")[0])]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:50])
def test_a_figure_was_printed_by_its_command(row: list[str]) -> None:
    _, values, command = row
    there = printed(command.strip("`"))
    found = re.findall(NUMBER, values)
    assert found
    for text in found:
        value, places = number(text), len(text.partition(".")[2]) if "e" not in text else 12
        assert any(abs(round(one, places) - value) < 1e-12 or round(100 * one) == value for one in there), text


def test_the_table_holds_what_the_page_speaks_of() -> None:
    assert len(ROWS) == 18
