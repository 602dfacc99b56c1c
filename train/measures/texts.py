"""What responses have in common with each other: variety of wording, and openings, closings and phrases off the peg.

Works on words (runs of letters, digits and apostrophes, in lower case) in any script that separates them. Knows no model; what is
worded alike may still mean different things, and other words may mean the same.
"""

from __future__ import annotations

import math
import random
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Final

from tenet.intervals import Z
from train.intervals import Estimate

Texts = Sequence[tuple[str, str]]
"""(responses,) of (prompt id, text)."""

BLOCKS: Final = 20
PARTNERS: Final = 20
EDGE: Final = 4
SHARED_BY: Final = 0.05
LEAST_SHARED: Final = 3
_WORD: Final = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")


def words(text: str) -> list[str]:
    """The words of a text in lower case."""
    return [word.lower().replace("\u2019", "'") for word in _WORD.findall(text)]


def ngrams(spoken: Sequence[str], n: int) -> list[tuple[str, ...]]:
    """Every run of n words."""
    return [tuple(spoken[place : place + n]) for place in range(len(spoken) - n + 1)]


def distinct(sides: Sequence[Texts], n: int) -> list[Estimate | None]:
    """The share of different n-grams among n-grams, for texts of several models, at one and the same number of n-grams.

    Distinct-n (Li et al. 2016) falls with the amount of text alone. So it is read off where every model has written as many n-grams
    as the shortest side less its largest block: the expected number of different n-grams in a draw of m of all N without replacement
    is the sum over n-grams of 1 - C(N - N_g, m) / C(N, m) (rarefaction; Hurlbert 1971), divided by m. The interval is a jackknife over
    blocks of prompts (resampling prompts would repeat their n-grams and so show less variety than there is).

    Returns:
        One estimate a side, None for all where a side has too little text.
    """
    blocks = [_blocks(side, n) for side in sides]
    rest = [_least_without_a_block(found) for found in blocks]
    size = min(rest, default=0)
    if size < 2:
        return [None] * len(sides)
    return [
        _rarefied(found, size, len({prompt for prompt, _ in side})) for found, side in zip(blocks, sides, strict=True)
    ]


def overlaps(texts: Texts, *, n: int = 2, seed: int = 0) -> list[tuple[str, float]]:
    """For each response, how much of its wording stands in responses to other prompts too: the mean over up to 20 drawn partners.

    The overlap of two texts is Dice's coefficient of their n-grams with repetition, 2 |a and b| / (|a| + |b|): the plain, symmetric
    neighbour of Self-BLEU (Zhu et al. 2018), which has no brevity penalty and whose value does not grow with the number of responses.

    Returns:
        (prompt id, overlap in [0, 1]) of each response with n words or more.
    """
    grams = [(prompt, Counter(ngrams(words(text), n))) for prompt, text in texts]
    told = [(prompt, found) for prompt, found in grams if found]
    rows = []
    for place, (prompt, own) in enumerate(told):
        rng = random.Random(f"{seed} {prompt} {place}")
        drawn = rng.sample(range(len(told)), min(len(told), 2 * PARTNERS))
        others = [told[other][1] for other in drawn if told[other][0] != prompt][:PARTNERS]
        if others:
            rows.append((prompt, fmean(_dice(own, other) for other in others)))
    return rows


def boilerplate(texts: Texts, phrases: Sequence[str] = ()) -> list[tuple[str, bool]]:
    """Whether each response is off the peg: it opens or closes with the four words of many others, or has a stock phrase.

    Many: responses to at least 5 % of the prompts, and to three. A text of fewer than four words counts as a whole.

    Args:
        texts: (responses,) of (prompt id, text).
        phrases: stock phrases, found as whole words whatever their case.
    """
    edges = [(prompt, *_edges(text)) for prompt, text in texts]
    openings: dict[tuple[str, ...], set[str]] = defaultdict(set)
    closings: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for prompt, first, last in edges:
        openings[first].add(prompt)
        closings[last].add(prompt)
    many = max(LEAST_SHARED, math.ceil(SHARED_BY * len({prompt for prompt, _ in texts})))
    stock = phrase_pattern(phrases)
    return [
        (prompt, len(openings[first]) >= many or len(closings[last]) >= many or bool(stock and stock.search(text)))
        for (prompt, first, last), (_, text) in zip(edges, texts, strict=True)
        if first
    ]


def phrase_pattern(phrases: Sequence[str]) -> re.Pattern[str] | None:
    """A pattern that finds any of some phrases, whole words in any case and with either apostrophe; None without phrases."""
    if not phrases:
        return None
    parts = (
        re.escape(phrase).replace("'", "['\u2019]").replace(r"\ ", r"\s+")
        for phrase in sorted(phrases, key=len, reverse=True)
    )
    return re.compile(r"(?<!\w)(?:" + "|".join(parts) + r")(?!\w)", re.IGNORECASE)


def _edges(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    spoken = words(text)
    return tuple(spoken[:EDGE]), tuple(spoken[-EDGE:])


def _dice(a: Mapping[tuple[str, ...], int], b: Mapping[tuple[str, ...], int]) -> float:
    small, large = (a, b) if len(a) <= len(b) else (b, a)
    common = sum(min(count, large.get(gram, 0)) for gram, count in small.items())
    return 2 * common / (sum(a.values()) + sum(b.values()))


def _blocks(texts: Texts, n: int) -> dict[int, Counter[tuple[str, ...]]]:
    """The n-grams of each block of prompts, at most `BLOCKS` of them."""
    places = {prompt: place for place, prompt in enumerate(dict.fromkeys(prompt for prompt, _ in texts))}
    found: dict[int, Counter[tuple[str, ...]]] = {}
    for prompt, text in texts:
        found.setdefault(places[prompt] % BLOCKS, Counter()).update(ngrams(words(text), n))
    return found


def _least_without_a_block(blocks: Mapping[int, Counter[tuple[str, ...]]]) -> int:
    """How many n-grams are left without the largest block; 0 where there is but one."""
    sizes = [block.total() for block in blocks.values()]
    return sum(sizes) - max(sizes) if len(sizes) > 1 else 0


def _rarefied(blocks: Mapping[int, Counter[tuple[str, ...]]], size: int, prompts: int) -> Estimate:
    whole = sum(blocks.values(), Counter[tuple[str, ...]]())
    value = expected_distinct(Counter(whole.values()), size) / size
    without = [expected_distinct(Counter((whole - block).values()), size) / size for block in blocks.values()]
    count, middle = len(without), fmean(without)
    reach = Z * math.sqrt((count - 1) / count * sum((one - middle) ** 2 for one in without))
    return Estimate(value, max(0.0, value - reach), min(1.0, value + reach), prompts)


def expected_distinct(repeats: Mapping[int, int], size: int) -> float:
    """The expected number of different items in a draw of `size` without replacement (Hurlbert 1971).

    Args:
        repeats: how many items there are of each frequency: {1: 10, 2: 3} is ten items seen once and three seen twice.
        size: of the draw, at most the number of items with repetition.
    """
    total = sum(frequency * count for frequency, count in repeats.items())

    def log_choose(n: int) -> float:
        return math.lgamma(n + 1) - math.lgamma(size + 1) - math.lgamma(n - size + 1)

    whole = log_choose(total)
    missed = {f: math.exp(log_choose(total - f) - whole) if total - f >= size else 0.0 for f in repeats}
    return sum(count * (1.0 - missed[frequency]) for frequency, count in repeats.items())
