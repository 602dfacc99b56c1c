"""Random text has the length that is asked for, in the judge's own tokens, and follows from its name."""

from __future__ import annotations

import pytest

from engines.registry import create_engine
from judges.audit.control import RandomText
from pocket import JUDGE_PATH

WORDS = ("kettle", "lamp", "please", "tighten", "Sunday", "glad", "weather", "extraordinarily")


@pytest.fixture(scope="module")
def random_text() -> RandomText:
    with create_engine("transformers", str(JUDGE_PATH)) as engine:
        return RandomText(engine.tokenizer, WORDS)


def test_it_is_as_long_as_asked(random_text: RandomText) -> None:
    lengths = [1, 2, 3, 7, 20, 61]
    assert [random_text._tokenizer.count(random_text.of(n, "p", n)) for n in lengths] == lengths


def test_it_follows_from_its_name(random_text: RandomText) -> None:
    assert random_text.of(12, "p", "s") == random_text.of(12, "p", "s")
    assert random_text.of(12, "p", "s") != random_text.of(12, "p", "t")
    assert set(random_text.of(40, "p").split()[:-1]) <= set(WORDS)
    assert random_text.of(0) == ""


def test_an_empty_bag_is_refused(random_text: RandomText) -> None:
    with pytest.raises(ValueError, match="no words"):
        RandomText(random_text._tokenizer, ())
