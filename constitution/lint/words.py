"""Compares texts by their content words: which words count, which are opposites, and which pairs of many texts are close.

English only, by fixed lists. Knows no principle.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FUNCTION_WORDS: Final = (
    "a an and any are as assistant at be been by each every for from has have in into is it its model must of on or reply "
    "response answer shall should that the their them they this to will with"
)
_DENIALS: Final = "not never no without don't doesn't isn't cannot can't won't avoid"
_STOP: Final = frozenset(_FUNCTION_WORDS.split())
_NEGATORS: Final = frozenset(_DENIALS.split())
_OPPOSITES: Final = (
    ("short", "long"), ("brief", "long"), ("brief", "detailed"), ("concise", "verbose"), ("short", "detailed"),
    ("formal", "informal"), ("formal", "casual"), ("polite", "rude"), ("courteous", "blunt"), ("simple", "technical"),
    ("simple", "complex"), ("include", "exclude"), ("include", "omit"), ("accept", "refuse"), ("agree", "disagree"),
    ("comply", "refuse"), ("always", "never"), ("more", "fewer"), ("more", "less"), ("most", "least"), ("first", "last"),
    ("before", "after"), ("begin", "end"), ("start", "end"), ("direct", "indirect"), ("serious", "humorous"),
    ("hide", "reveal"), ("withhold", "disclose"), ("keep", "remove"), ("encourage", "discourage"), ("confirm", "deny"),
    ("positive", "negative"), ("optimistic", "pessimistic"), ("neutral", "partisan"), ("certain", "uncertain"),
)  # fmt: skip
_APOSTROPHE: Final = "\u2019"
_BLOCK: Final = 500


def _sides() -> dict[str, tuple[int, bool]]:
    """Give each word of an opposition the number of its group, and its side in it."""
    group: dict[str, tuple[int, bool]] = {}
    for number, pair in enumerate(_OPPOSITES):
        one, other = (_base(word) for word in pair)
        known = group.get(one) or group.get(other)
        side = (group[one][1] if one in group else not group[other][1]) if known else True
        group.setdefault(one, (known[0] if known else number, side))
        group.setdefault(other, (group[one][0], not group[one][1]))
    return group


def plain(text: str) -> str:
    """Reduce a text to its words, so that case, spaces and punctuation make no difference."""
    return " ".join(re.findall(r"[\w']+", text.casefold().replace(_APOSTROPHE, "'")))


def content(text: str) -> frozenset[str]:
    """Return the words of a text that carry its meaning, in their base form as far as an ending tells it."""
    return frozenset(_base(word) for word in plain(text).split() if word not in _STOP)


def stance(text: str) -> tuple[frozenset[str], bool]:
    """Return what a text speaks of, and on which side: texts of equal topic and other side say opposite things."""
    topic: set[str] = set()
    side = True
    for word in content(text):
        if word in _NEGATORS or word == "do":
            side ^= word in _NEGATORS
        elif word in _GROUPS:
            number, first = _GROUPS[word]
            topic.add(f"#{number}")
            side ^= not first
        else:
            topic.add(word)
    return frozenset(topic), side


def overlaps(texts: Sequence[str]) -> Callable[[int, int], NDArray[np.float32]]:
    """Compare texts by the share of content words that two have in common (Jaccard); see `close_pairs`."""
    import numpy as np
    from scipy.sparse import csr_array

    bags = [content(text) for text in texts]
    ids = {word: place for place, word in enumerate(sorted(frozenset().union(*bags)))}
    sizes = np.array([len(bag) for bag in bags], dtype=np.float32)
    columns = np.array([ids[word] for bag in bags for word in sorted(bag)], dtype=np.int32)
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    table = csr_array((np.ones(len(columns), dtype=np.float32), columns, starts), shape=(len(bags), max(1, len(ids))))

    def rows(start: int, end: int) -> NDArray[np.float32]:
        shared = (table[start:end] @ table.T).toarray()
        union = sizes[start:end, None] + sizes[None, :] - shared
        return np.asarray(shared / np.maximum(union, 1), dtype=np.float32)

    return rows


def cosines(vectors: NDArray[np.float32]) -> Callable[[int, int], NDArray[np.float32]]:
    """Compare unit vectors [n, d] by their cosine; see `close_pairs`."""
    return lambda start, end: vectors[start:end] @ vectors.T


def close_pairs(
    count: int, rows: Callable[[int, int], NDArray[np.float32]], least: float
) -> Iterator[tuple[int, int, float]]:
    """Yield (i, j, similarity) with i < j: for each j, the most similar one before it, where that is at least `least`.

    `rows(start, end)` gives the similarities [end - start, count] of a block of texts to all.
    """
    import numpy as np

    for start in range(0, count, _BLOCK):
        end = min(count, start + _BLOCK)
        block = rows(start, end)
        earlier = np.where(np.arange(count)[None, :] < np.arange(start, end)[:, None], block, -1.0)
        best = earlier.argmax(axis=1)
        for offset in np.flatnonzero(earlier[np.arange(end - start), best] >= least):
            yield int(best[offset]), start + int(offset), float(earlier[offset, best[offset]])


def closest(count: int, rows: Callable[[int, int], NDArray[np.float32]], most: int) -> list[tuple[int, int]]:
    """Return the `most` most similar pairs (i, j) with i < j, the closest first; ties in the order of the texts."""
    import numpy as np

    found: list[tuple[float, int, int]] = []
    for start in range(0, count, _BLOCK):
        end = min(count, start + _BLOCK)
        later, earlier = np.nonzero(np.arange(count)[None, :] < np.arange(start, end)[:, None])
        values = rows(start, end)[later, earlier]
        best = np.argsort(-values, kind="stable")[:most]
        found += [(-float(values[place]), int(earlier[place]), start + int(later[place])) for place in best]
    return [(i, j) for _, i, j in sorted(found)[:most]]


def _base(word: str) -> str:
    for ending, rest, least in (("ies", "y", 2), ("sses", "ss", 1), ("oes", "o", 1), ("ing", "", 4), ("s", "", 3)):
        if word.endswith(ending) and len(word) - len(ending) >= least and not (ending == "s" and word.endswith("ss")):
            return word[: -len(ending)] + rest
    return word


_GROUPS: Final = _sides()
