"""Reads what training and evaluation wrote down: `evaluation.json` and the folders of trainings. Knows no run.

The files are the contract between training and this page; what they lack is left out, and an unknown key is no
error.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from generate.report.model import Evaluation, Training
from tenet.ids import Json


def evaluation_of(value: Mapping[str, Json]) -> Evaluation | None:
    """What an `evaluation.json` says; None for an empty one."""
    return None


def trainings_of(folders: Sequence[Path]) -> tuple[Training, ...]:
    """The trainings recorded in these folders, those without a record left out."""
    return ()
