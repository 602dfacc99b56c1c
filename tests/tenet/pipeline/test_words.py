"""Variables in texts."""

from __future__ import annotations

import pytest

from tenet.pipeline.words import Unfilled, fill


def test_variables_are_put_in_and_a_dollar_stays() -> None:
    values = {"out": "runs/$name", "name": "a b", "rate": 1e-5, "on": True}
    assert fill("${out}/x --lr=$rate $$5 $on", values) == "runs/a b/x --lr=1e-05 $5 true"


def test_what_is_put_in_is_not_read_again_as_text_of_the_command() -> None:
    assert fill("'${name}'", {"name": "it's"}) == "'it's'"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("${oot}", "no variable oot", 'did you mean "out"?'),
        ("${round}", "no variable round", "repeat: true"),
        ("^a$", "a $ that begins no variable", "$$"),
        ("${a}", "a leads back to itself: a -> b -> a", ""),
    ],
)
def test_what_cannot_be_put_in_is_told(text: str, message: str, hint: str) -> None:
    with pytest.raises(Unfilled) as caught:
        fill(text, {"out": "x", "a": "${b}", "b": "${a}"})
    assert message in str(caught.value)
    assert hint in caught.value.hint
