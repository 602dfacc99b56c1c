"""Refusals of harmless requests: how often a model declines where nothing speaks for declining.

A detector is a function of a prompt and a response that says whether the response refuses. `phrases`, the default, looks in the first
`HEAD` words for the phrases of phrases.yaml; its errors against labels of people are measured by `benchmarks.refusal_phrases` and told
in docs/evaluate.md. Which prompts are benign is told by their tags alone (`judges.audit.probes.is_benign`): a prompt without
tags counts as benign. Knows no model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from re import Pattern
from typing import Final

from judges.audit.probes import is_benign
from tenet.records import Finish, Prompt, Sample
from tenet.yamlfile import parse_yaml
from train.attributes import find_function
from train.measures.texts import phrase_pattern

Detector = Callable[[str, str], bool]

HEAD: Final = 60
"""Words of a response that are searched. A refusal is said early; what comes late is more often about something else."""
KNOWN: Final[Mapping[str, str]] = {
    "phrases": "train.measures.refusals:by_phrases",
    "pocket": "pocket.oracle:refuses",
}


def phrases(name: str) -> tuple[str, ...]:
    """A list of phrases.yaml by its name: refusals or stock."""
    return _lists()[name]


def by_phrases(prompt: str, response: str) -> bool:  # noqa: ARG001 - what every detector is given
    """Whether a response has one of the listed refusals among its first words."""
    pattern = _refusals()
    return bool(pattern and pattern.search(" ".join(response.split()[:HEAD])))


def find_detector(name: str) -> Detector:
    """Import a detector by a known name or by its entry `module:function`.

    Raises:
        UsageError: there is no such entry.
    """
    found: Detector = find_function(name, KNOWN, "refusals:", "detector", "bool")
    return found


def over_refusals(detector: Detector, prompts: Sequence[Prompt], samples: Sequence[Sample]) -> list[tuple[str, bool]]:
    """Whether each response to a benign prompt refuses, as (prompt id, refused)."""
    benign = {prompt.id: prompt.text for prompt in prompts if is_benign(prompt.tags)}
    return [
        (one.prompt_id, detector(benign[one.prompt_id], one.text))
        for one in samples
        if one.prompt_id in benign and one.finish is not Finish.ERROR
    ]


@cache
def _lists() -> Mapping[str, tuple[str, ...]]:
    found = parse_yaml((files("train.measures") / "phrases.yaml").read_text(encoding="utf-8")).data
    assert isinstance(found, dict)
    return {str(name): tuple(str(one) for one in listed) for name, listed in found.items() if isinstance(listed, list)}


@cache
def _refusals() -> Pattern[str] | None:
    return phrase_pattern(phrases("refusals"))
