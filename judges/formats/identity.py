"""What the responses of a comparison are called: by their texts, and by the file's own key of the row where rows have the same texts.

Rows with the same prompt and responses are other pairs where the file tells them apart by a key (`Comparison.key`), and have the same
names in every file of the set; without a key they are one pair, so that a row that stands twice is not counted twice. Ratings have
no key: the n-th row of the same texts is another response. Knows no run folder.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from judges.formats.base import Comparison, Rated, Response
from tenet.ids import content_id, digest
from tenet.records import prompt_id


class Identities:
    """Names the responses of a file's items while they go by; one for each file."""

    def __init__(self) -> None:
        self._rated: Counter[tuple[str, str]] = Counter()
        self._keys: defaultdict[tuple[str, str, str], dict[str, int]] = defaultdict(dict)

    def of_pair(self, item: Comparison) -> tuple[str, str]:
        """The ids of a and b; two ids even where the same model wrote the same text twice."""
        prompt = prompt_id(item.prompt)
        low, high = sorted((item.a.text, item.b.text))
        keys = self._keys[prompt, digest(low), digest(high)]
        place = keys.setdefault(item.key, len(keys))
        a, b = (sample_id(prompt, side, place) for side in (item.a, item.b))
        return (a, b) if a != b else (a, content_id("given-twice", b))

    def of_response(self, item: Rated) -> str:
        """The id of a response that is rated alone."""
        prompt = prompt_id(item.prompt)
        place = self._rated[prompt, item.response.text]
        self._rated[prompt, item.response.text] += 1
        return sample_id(prompt, item.response, place)


def sample_id(prompt: str, response: Response, place: int) -> str:
    """The id of a response in the place-th row of its texts, as a run gives it to responses that it was given."""
    return content_id("given", prompt, response.policy, response.text, place)
