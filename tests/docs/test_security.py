"""The page about security names code and tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = sorted(set(re.findall(r"`([\w/]+\.py(?:::\w+)?)`", (ROOT / "docs/security.md").read_text(encoding="utf-8"))))


@pytest.mark.parametrize("name", NAMED)
def test_what_the_page_names_is_there(name: str) -> None:
    file, _, test = name.partition("::")
    source = (ROOT / file).read_text(encoding="utf-8")
    assert not test or re.search(rf"^def {test}\(", source, re.MULTILINE)
    assert bool(test) or not file.startswith("tests/") or re.search(r"^def test_", source, re.MULTILINE)


def test_every_row_names_code_and_a_proof() -> None:
    page = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("|") and line.count("|") == 4 and ".py" in line]
    assert len(rows) > 15
    for row in rows:
        _, what, code, proof, _ = row.split("|")
        assert "`tests/" in proof, what
        assert ".py`" in code, what
