"""Text in the cells of a CSV file that people open in a spreadsheet: what a program would take for a formula is shown as text.

A cell that begins as a formula does (OWASP, "CSV Injection") gets an apostrophe in front, and one that begins with apostrophes before such
a sign one more, so that taking one away gives every text back. Writers should also quote all cells: a spreadsheet that splits at
semicolons would else begin a cell in the midst of a text. Knows no format and no columns.
"""

from __future__ import annotations

import re
from typing import Final

_SIGNS: Final = "=+@\t\r\n\uff1d\uff0b\uff0d\uff20-"  # the wide ones of East Asian text too
_BEGINS: Final = f"^'*[{_SIGNS}]"
_FORMULA: Final = re.compile(_BEGINS)
_GUARDED: Final = re.compile(f"^'+[{_SIGNS}]")


def guarded(text: str) -> str:
    """The text as a cell that no spreadsheet calculates."""
    return f"'{text}" if _FORMULA.match(text) else text


def plain(cell: str) -> str:
    """The text of a guarded cell."""
    return cell[1:] if _GUARDED.match(cell) else cell


def guarded_sql(column: str) -> str:
    """`guarded` for a column of text, in the SQL of DuckDB."""
    pattern = _BEGINS.replace("'", "''")
    return f"CASE WHEN regexp_matches({column}, '{pattern}') THEN '''' || {column} ELSE {column} END"
