"""What the scripted engine answers: a taste for texts, and the words of a policy, a critic, a ranker and an editor that share it.

Pure functions of texts and seeds. They know the headings of Tenet's own prompt templates, and nothing of tokens or engines.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tenet.errors import UsageError
from tenet.ids import unit_interval

Taste = Callable[[str], float]

_SHOWN: Final = r"### Response A\n(?P<a>.*?)\n\n### Response B\n(?P<b>.*)\n\n"
_PAIRS: Final = tuple(re.compile(_SHOWN + tail, re.DOTALL) for tail in ("### Principle\n", "Which response"))
"""The layouts with the principle at the tail, and with the constitution in front; a greedy B ends at the last heading."""
_ONE: Final = re.compile(r"### Response\n(?P<text>.*?)\n\n### (?:Principle|Critique)\n", re.DOTALL)
_CHOICE: Final = re.compile(
    r"### The response that was preferred\n(?P<preferred>.*?)\n\n### The other response\n(?P<other>.*)\n\nWhich general",
    re.DOTALL,
)
_ASKED: Final = re.compile(r"Answer with one (?:number|letter|word): ([^.\n]*)\.")
_LISTED: Final = re.compile(
    r"### Response (?P<letter>[A-Z])\n(?P<text>.*?)(?=\n\n### Response [A-Z]\n|\n\n### Principle\n)", re.DOTALL
)
_RANKED: Final = "Answer with JSON"
_WORDS: Final = (
    "Thank you for asking. Please check the cable first. Then switch it off and on again. I am not sure about that. "
    "Please let me know how it goes. Ask somebody who knows. It depends on many things. Read the manual. "
    "I would rather not help with that. That is all there is to say."
)
_SENTENCES: Final = tuple(re.findall(r"[^.]+\.", _WORDS))
_THINK: Final = "<think>"
_COMPARED: Final = "write a short critique that compares the two"
KNOWN: Final = "longer, shorter, hash, or word:WORD"


@dataclass(frozen=True, slots=True)
class Rule:
    """A taste by its name: `longer`, `shorter`, `word:WORD` (more of it is better) or `hash` (arbitrary but steady)."""

    name: str

    def __post_init__(self) -> None:
        if self.name not in ("longer", "shorter", "hash") and not re.fullmatch(r"word:\S+", self.name):
            raise UsageError(f"the scripted engine has no rule {self.name!r}", hint=f"as its model, name {KNOWN}")

    def score(self, text: str) -> float:
        """How well a text is liked; differences of scores are log-odds."""
        if self.name == "hash":
            u = unit_interval("taste", text)
            return math.log(u / (1.0 - u))
        words = text.split()
        if self.name.startswith("word:"):
            wanted = self.name.removeprefix("word:").lower()
            return 2.0 * sum(wanted in word.lower() for word in words)
        return math.log1p(len(words)) * (2.0 if self.name == "longer" else -2.0)

    def excess(self, text: str) -> float:
        """By how much a text is liked better than one that is just good enough, in log-odds."""
        threshold = {"longer": 2.0 * math.log1p(20), "shorter": -2.0 * math.log1p(20), "hash": 0.0}
        return self.score(text) - threshold.get(self.name, 1.0)

    def follows(self, text: str) -> bool:
        """Whether a critic with this taste finds a text good enough."""
        return self.excess(text) > 0.0

    def improved(self, text: str) -> str:
        """A text rewritten to be liked better."""
        if self.name.startswith("word:"):
            return f"{text} {self.name.removeprefix('word:').capitalize()}."
        if self.name == "longer":
            return f"{text} {_WORDS}"
        return text.split(". ")[0]


def pair_of(prompt: str) -> tuple[str, str] | None:
    """The two responses that a pairwise prompt shows, None where there are none."""
    match = next(filter(None, (layout.search(prompt) for layout in _PAIRS)), None)
    return (match["a"], match["b"]) if match else None


def response_of(prompt: str) -> str | None:
    """The one response that a prompt shows, None where there is none."""
    match = _ONE.search(prompt)
    return match["text"] if match else None


def labels_asked(prompt: str) -> tuple[str, ...]:
    """The labels that a question about one response names, the worst first; A and B where it names none."""
    match = _ASKED.search(prompt) if response_of(prompt) is not None else None
    if match is None:
        return ("A", "B")
    labels = tuple(re.split(r", | or ", match[1]))
    return labels[::-1] if labels[0].startswith("Y") else labels


def scale_logprobs(logit: float, count: int) -> list[float]:
    """Log-probabilities of the rungs of a scale, the worst first: binomial, with log-odds `logit` of each step up."""
    up, down = -softplus(-logit), -softplus(logit)
    return [math.log(math.comb(count - 1, k)) + k * up + (count - 1 - k) * down for k in range(count)]


def reply(prompt: str, rule: Rule, seed: int, *, parsed: bool = True) -> str:
    """What the scripted model writes: a critique of one or of two, thinking, a revision, a ranking, principles, or else stock sentences."""
    choice = _CHOICE.search(prompt)
    if choice is not None and parsed:
        more = "more" if len(choice["preferred"]) > len(choice["other"]) else "fewer"
        return (
            f"Principle: The response has {more} words.\n- Principle: The response is {more} than enough.\nThat is why."
        )
    pair = pair_of(prompt)
    thinks = prompt.rstrip().endswith(_THINK)
    if pair is not None and (thinks or _COMPARED in prompt):
        written = _comparison(pair, rule) if parsed else ""
        return f"{written}\n</think>\n\n" if thinks else written
    if _RANKED in prompt and (listed := {one["letter"]: one["text"] for one in _LISTED.finditer(prompt)}):
        ranking = sorted(listed, key=lambda letter: (-rule.score(listed[letter]), letter))
        return json.dumps({"ranking": ranking}) if parsed else f"The best response is {ranking[0]}."
    match = _ONE.search(prompt)
    if match is None:
        count = 1 + int(4 * unit_interval("length", prompt, seed))
        places = [int(len(_SENTENCES) * unit_interval("sentence", prompt, seed, place)) for place in range(count)]
        return " ".join(_SENTENCES[place].strip() for place in places)
    text = match["text"]
    if "### Critique\n" in prompt[match.end() - len("### Critique\n") :]:
        return rule.improved(text)
    verdict = "yes" if rule.follows(text) else "no"
    finding = "follows" if verdict == "yes" else "does not follow"
    return f"The response {finding} the principle." + (f"\nVerdict: {verdict}" if parsed else "")


def _comparison(pair: tuple[str, str], rule: Rule) -> str:
    """What a judge with this taste writes of two responses before it answers."""
    first, second = map(rule.score, pair)
    words = [len(text.split()) for text in pair]
    better = "Neither" if first == second else "A" if first > second else "B"
    return f"Response A has {words[0]} words, response B has {words[1]}. {better} follows the principle better."


def softplus(x: float) -> float:
    """log(1 + e^x), without overflow."""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))
