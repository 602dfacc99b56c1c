"""A record of every question that scripted engines and servers were asked, a line each, in a file that outlives them: so that a test which
kills processes still sees what was asked twice. Knows no engine.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from engines.base import TokenIds
from engines.scripted_faults import prompt_hash


def note_asked(file: str, questions: Iterable[tuple[TokenIds, int]]) -> None:
    """Append a line for each question (its tokens and its seed), all in one write, so that processes may share the file; no file, no
    record.
    """
    if file:
        lines = "".join(f"{prompt_hash(tokens).hex()} {seed}\n" for tokens, seed in questions)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o644)
        try:
            os.write(descriptor, lines.encode())
        finally:
            os.close(descriptor)
