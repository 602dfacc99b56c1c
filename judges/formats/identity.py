"""What the responses of a comparison are called: by their texts, and by which row of its file it is where rows have the same texts.

The n-th row of a file that holds the same prompt and responses is another pair, and has the same name in every file of the set. Knows
no run folder.
"""

from __future__ import annotations

from collections import Counter

from judges.formats.base import Comparison, Rated, Response
from tenet.ids import content_id
from tenet.records import prompt_id


class Identities:
    """Names the responses of a file's items while they go by; one for each file."""

    def __init__(self) -> None:
        self._seen: Counter[tuple[str, str, str]] = Counter()

    def of_pair(self, item: Comparison) -> tuple[str, str]:
        """The ids of a and b; two ids even where the same model wrote the same text twice."""
        prompt = prompt_id(item.prompt)
        low, high = sorted((item.a.text, item.b.text))
        place = self._next((prompt, low, high))
        a, b = (sample_id(prompt, side, place) for side in (item.a, item.b))
        return (a, b) if a != b else (a, content_id("given-twice", b))

    def of_response(self, item: Rated) -> str:
        """The id of a response that is rated alone."""
        prompt = prompt_id(item.prompt)
        return sample_id(prompt, item.response, self._next((prompt, item.response.text, "")))

    def _next(self, key: tuple[str, str, str]) -> int:
        place = self._seen[key]
        self._seen[key] += 1
        return place


def sample_id(prompt: str, response: Response, place: int) -> str:
    """The id of a response in the place-th row of its texts, as a run gives it to responses that it was given."""
    return content_id("given", prompt, response.policy, response.text, place)
