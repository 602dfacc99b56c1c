"""Writes a generated page, or checks that the one on disk is what it should be. Knows nothing of what pages hold."""

from __future__ import annotations

import re
import sys
from pathlib import Path


def settle(path: Path, wanted: str, source: str, arguments: list[str]) -> int:
    """Write `wanted` to `path`, or with `--check` among the arguments compare them; returns the exit code.

    `source` says in the complaint what the page should agree with.
    """
    if "--check" not in arguments:
        path.write_text(wanted, encoding="utf-8")
        return 0
    if path.exists() and path.read_text(encoding="utf-8") == wanted:
        return 0
    sys.stderr.write(f"docs/{path.name} is not what {source} say; write it anew with: make docs\n")
    return 1


def linked(text: str) -> str:
    """A text of the code with the pages that it names (docs/judges.md) as links."""
    return re.sub(r"docs/([a-z-]+)\.md", r"[\1](\1.md)", text)
