"""All rules by id: what keeps a file from being loaded, then the families. To add a family, add its module here."""

from __future__ import annotations

from typing import Final

from constitution import codes
from constitution.lint import effect, pairs, silence, upkeep, wording
from constitution.lint.model import Rule, Severity


def _loading(code: str, name: str, summary: str, cure: str) -> Rule:
    return Rule(code, name, Severity.ERROR, summary, cure)


LOADING: Final = (
    _loading(
        codes.UNREADABLE, "unreadable", "The file is no UTF-8 text, no YAML, or YAML that is refused.", "mend the text"
    ),
    _loading(codes.SHAPE, "shape", "A field is missing, unknown or of the wrong kind.", "see: tenet principles schema"),
    _loading(
        codes.INCLUDE,
        "include",
        "An included file is missing, includes in a circle, or lies too deep.",
        "mend `include`",
    ),
    _loading(codes.OVERRIDE, "unknown-override", "An override names a principle that no include has.", "mend the id"),
    _loading(codes.ID, "id-twice", "Two principles have one id.", "give one of them another id"),
    _loading(codes.WEIGHT, "weight", "A weight is no number above 0.", "write a number above 0"),
    _loading(codes.PATTERN, "pattern", "A pattern does not compile, or can take forever.", "mend the pattern"),
    _loading(codes.YIELDS, "yields-to", "`yields_to` names no principle, or goes in a circle.", "mend `yields_to`"),
    _loading(codes.TEST, "test", "A test asks for nothing, or contradicts `applies_when`.", "mend the test"),
    _loading(codes.INACTIVE, "inactive", "No principle is active.", "give one of them `status: active`"),
)
RULES: Final[dict[str, Rule]] = {
    rule.id: rule for rule in (*LOADING, *wording.RULES, *pairs.RULES, *effect.RULES, *upkeep.RULES, *silence.RULES)
}
