"""Recorded verdicts of a judge on the tests of principles files, so that a file can be checked without the model.

A verdict belongs to what the judge was shown: principle, question, prompt and pair, by their digest. Where one of
them changes, the record has nothing for the new test, which is then stale. Knows no judge and no engine; whether a verdict
is good enough is decided by whoever reads it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Final

from constitution.model import Constitution, Principle, PrincipleTest, Status
from tenet.errors import InvalidInput, MissingInput, Problem
from tenet.ids import Json, content_id

SCHEMA_VERSION: Final = 1
_DIGITS: Final = 4


@dataclass(frozen=True, slots=True)
class Verdict:
    """P(the better response is better), by which response was shown first; None with a `reason` where there was no answer."""

    better_first: float | None
    worse_first: float | None
    reason: str = ""


@dataclass(frozen=True)
class Record:
    """What one judge said of tests: `verdicts` by `digest_of`, `about` names file, principle and prompt for people.

    `model` identifies the judge's model, `template` is the digest of the template that it was asked with.
    """

    judge: str
    model: Mapping[str, Json]
    template: str
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    about: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)

    def text(self) -> str:
        """Write the record as JSON, in the order of its verdicts."""
        return json.dumps(
            {
                "schema_version": SCHEMA_VERSION,
                "judge": self.judge,
                "model": self.model,
                "template": self.template,
                "verdicts": [{"test": name, **self.about[name], **_plain(one)} for name, one in self.verdicts.items()],
            },
            indent=1,
            ensure_ascii=False,
        ) + "\n"  # fmt: skip

    def holds(self, constitution: Constitution) -> bool:
        """Tell whether it has a verdict on every test that a judge can be asked about; False where there is no such test."""
        wanted = {digest_of(principle, test) for principle, test in judged_tests(constitution)}
        return bool(wanted) and wanted <= self.verdicts.keys()


def digest_of(principle: Principle, test: PrincipleTest) -> str:
    """Name a test by what a judge is shown of it, 24 hex digits."""
    return content_id(
        "principle-test", principle.text, principle.compare_question, test.prompt, test.better, test.worse
    )


def judged_tests(constitution: Constitution) -> Iterable[tuple[Principle, PrincipleTest]]:
    """Yield the tests that a judge is asked about, with their principles; retired principles are left out."""
    for principle in constitution.principles:
        if principle.status is not Status.RETIRED:
            yield from ((principle, test) for test in principle.tests if test.applies)


def read_record(path: Path) -> Record:
    """Read a record.

    Raises:
        MissingInput: there is no such file.
        InvalidInput: it is no record, or one of another version.
    """
    try:
        return _parsed(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        hint = f"make it with: tenet principles test FILE --judge MODEL --record {path}"
        raise MissingInput(f"no record {path}: {error.strerror}", hint=hint) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problem = Problem(f"it is no record of version {SCHEMA_VERSION} ({error})", path, hint="record the tests again")
        raise InvalidInput(f"{path} cannot be read", [problem]) from error


def shipped_records() -> list[Record]:
    """Read the records that come with the shipped principles files, by name of file."""
    return [read_record(path) for path in sorted(Path(str(files("principles"))).glob("recorded/*.json"))]


def recorded_judges(constitution: Constitution, records: Iterable[Record]) -> tuple[str, ...]:
    """Name the judges whose verdicts on all tests of a file are recorded."""
    return tuple(record.judge for record in records if record.holds(constitution))


def _plain(verdict: Verdict) -> dict[str, Json]:
    return {
        "better_first": None if verdict.better_first is None else round(verdict.better_first, _DIGITS),
        "worse_first": None if verdict.worse_first is None else round(verdict.worse_first, _DIGITS),
        **({"reason": verdict.reason} if verdict.reason else {}),
    }


def _parsed(data: Mapping[str, object]) -> Record:
    if data["schema_version"] != SCHEMA_VERSION:
        raise ValueError(f"schema_version is {data['schema_version']!r}")
    judge, model, template, rows = data["judge"], data["model"], data["template"], data["verdicts"]
    if not (isinstance(judge, str) and isinstance(model, dict) and isinstance(template, str)):
        raise TypeError("judge, model or template is of the wrong kind")
    if not isinstance(rows, list):
        raise TypeError("verdicts is no list")
    verdicts, about = {}, {}
    for row in rows:
        name = str(row["test"])
        verdicts[name] = Verdict(_share(row["better_first"]), _share(row["worse_first"]), str(row.get("reason", "")))
        about[name] = {key: row[key] for key in ("file", "principle", "prompt")}
    return Record(judge, model, template, verdicts, about)


def _share(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
        raise ValueError(f"{value!r} is no probability")
    return float(value)
