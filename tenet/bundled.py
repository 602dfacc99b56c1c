"""The models that come with Tenet, by the names that stand for them wherever a model is named: `pocket/policy` and `pocket/judge`.

Does not know what a model is: only where these two lie, and how to tell whether a run used one of them.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Final

POLICY: Final = "pocket/policy"
JUDGE: Final = "pocket/judge"


def model_folder(name: str) -> Path:
    """Where a model's folder would be: that of a bundled model by its name, unless the path `name` leads somewhere, else that path."""
    path = Path(name).expanduser()
    if name in (POLICY, JUDGE) and not path.exists():
        return Path(str(files("pocket"))) / "models" / path.name
    return path


def is_bundled(name: str) -> bool:
    """Whether a model is a bundled one: by its name, or as a folder of that place."""
    return name in (POLICY, JUDGE) or Path(name).parts[-3:-1] == ("pocket", "models")
