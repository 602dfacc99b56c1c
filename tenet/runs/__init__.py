"""The run folder: shards of rows that survive anything, a manifest, a fingerprint, a lock. Import from here."""

from tenet.runs.codec import Codec
from tenet.runs.fingerprint import Change, Changes, Fingerprint, versions
from tenet.runs.manifest import Manifest, StageEntry
from tenet.runs.row import Counts, Failure, Row
from tenet.runs.run import Run, find_run
from tenet.runs.stage import Stage

__all__ = [
    "Change",
    "Changes",
    "Codec",
    "Counts",
    "Failure",
    "Fingerprint",
    "Manifest",
    "Row",
    "Run",
    "Stage",
    "StageEntry",
    "find_run",
    "versions",
]
