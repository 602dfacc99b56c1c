import pytest

from constitution.patterns import fault


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?i)\bdos(e|age)\b",
        r"(?:a|b)+",
        r"(\w+\s){0,5}x",
        r"\?[^?]*\?",
        r"(?m)^Assistant:\s",
        r"(?=.*code)(?=.*python)",
        r"[a-z]+\d*",
        "x" * 300,
    ],
)
def test_ordinary_patterns_pass(pattern: str) -> None:
    assert fault(pattern) == ""


@pytest.mark.parametrize(
    "pattern", [r"(a+)+", r"(\w+\s)*x", r"((a+)?b)*", r"(a{1,5000})+", r"(?:x|(y*))+?", r"(?:a(b|(c+)))*"]
)
def test_repeats_without_limit_inside_each_other_are_refused(pattern: str) -> None:
    assert "without limit" in fault(pattern)


@pytest.mark.parametrize(
    ("pattern", "part"),
    [
        ("(", "missing )"),
        ("[[a]", "nested set"),
        (r"\q", "bad escape"),
        ("x" * 301, "at most 300"),
        ("x{99999999999}", "repeats too often"),
    ],
)
def test_what_does_not_compile_is_named(pattern: str, part: str) -> None:
    assert part in fault(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a|a)*x",
        r"(a|ab|b)+c",
        r"(a?a)*x",
        r"(\w{1,3})+x",
        r"(x|(?:yy|yy)){0,50}z",
        r"(b(a?)?)*x",
        r"(.|\s)*end",
        r"^(([a-z])+.)+[A-Z]([a-z])+$",
    ],
)
def test_repeats_that_read_one_text_in_several_ways_are_refused(pattern: str) -> None:
    assert "take forever" in fault(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a|b)*x",
        r"(ab|ac)+",
        r"(\w{1,20} ){1,5}be",
        r"(?:[a-z]|\d)+",
        r"(a{2}b)*",
        r"(\w|\d)+x",
        r"(?i)(a|A)*x",
        r"(foo|bar|baz){0,40}",
        r"(?ims)(\?.{1,2000}?\?|\b(and also|both .{1,80} and)\b)",
        r"(?:x(?=y)|y)*",
    ],
)
def test_repeats_that_read_a_text_in_one_way_pass(pattern: str) -> None:
    assert fault(pattern) == ""
