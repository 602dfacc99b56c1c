"""The codes of what keeps a principles file from being loaded; `constitution.lint` lists them beside its own rules.

They are a contract: people silence and filter by them. Knows nothing of how each is found. A file that is no readable YAML
has no code of its own from its reader; that is `UNREADABLE`.
"""

from __future__ import annotations

from typing import Final

UNREADABLE: Final = "TP001"
SHAPE: Final = "TP002"
INCLUDE: Final = "TP003"
OVERRIDE: Final = "TP004"
ID: Final = "TP005"
WEIGHT: Final = "TP006"
PATTERN: Final = "TP007"
YIELDS: Final = "TP008"
TEST: Final = "TP009"
INACTIVE: Final = "TP010"
