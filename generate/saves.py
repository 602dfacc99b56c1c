"""Tells when a principles file, or one that it includes, has been saved with another content.

Looks at contents, not at times, again and again: an editor that replaces a file by renaming, one that writes it twice, and a file that is
gone for a moment are all the same to it. A file counts as saved when two looks in a row agree. Knows nothing of what an edit does.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from constitution.load import Loaded, load_with_places
from constitution.model import Constitution
from constitution.sources import find
from tenet.errors import TenetError

EVERY_SECONDS: Final = 0.25
SETTLED_SECONDS: Final = 0.1
AGAIN_SECONDS: Final = 1.0
"""How often a file that cannot be read is tried again: the file that it lacks may be one that nobody looks at yet."""

_Look = dict[Path, str]


class Saves:
    """The saves of a principles file; `also` are other files whose change counts as one.

    Raises:
        MissingInput: there is no such file.
    """

    def __init__(self, file: str, also: Iterable[Path] = ()) -> None:
        self.file = find(file)
        self._also = frozenset(also)
        self._paths = frozenset({self.file})
        self._seen: _Look = {}
        self._broken = False

    def load(self) -> Constitution:
        """The principles as they are saved now; `changed` is told against this.

        Raises:
            MissingInput, InvalidInput: as `constitution.load.load`.
        """
        self._broken = True
        while True:
            seen = self._look()
            found = self._loaded(seen)
            paths = {document.path for document in found.documents if document.path is not None} | {self.file}
            known, self._paths = self._paths, frozenset(paths)
            if paths <= known:  # else what it includes now was not looked at before it was read
                break
        self._seen, self._broken = seen, False
        return found.constitution

    def changed(self) -> bool:
        """Whether a file holds something else than when it was loaded. May be asked from another thread while nobody loads."""
        return self._look(self._seen) != self._seen

    def wait(self) -> None:
        """Return when something was saved, or when it is time to try a broken file again."""
        until = time.monotonic() + AGAIN_SECONDS
        while not self.changed() and not (self._broken and time.monotonic() > until):
            time.sleep(EVERY_SECONDS)
        self.settle()

    def settle(self) -> None:
        """Wait until nobody is writing."""
        now = self._look()
        while True:
            time.sleep(SETTLED_SECONDS)
            now, before = self._look(), now
            if now == before:
                return

    def _loaded(self, seen: _Look) -> Loaded:
        try:
            return load_with_places(self.file)
        except TenetError:
            self._seen = seen
            raise

    def _look(self, like: Iterable[Path] = ()) -> _Look:
        return {path: _content(path) for path in like or (self._paths | self._also)}


def _content(path: Path) -> str:
    """A digest of a file's content; empty where it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
