"""`tenet principles steer` on runs and files, with scripted judges and the pocket judge."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from generate.pipeline import generate
from generate.steer import draw_cases
from judges.steer import Swap, negated
from pocket import JUDGE_PATH, world
from pocket.world import Length, Plan, Tone
from tenet.cli import cli
from tests.generate.runs_example import make_order, quiet, write_rows
from tests.judges.makers import principle, prompt_of, sample_of

OPPOSITES = {"courteous": "blunt", "blunt": "courteous", "brief": "thorough", "thorough": "brief"}


def steer(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["principles", "steer", *map(str, arguments)])


def rows_of(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


@pytest.fixture(scope="module")
def replies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Held-out prompts of the pocket world with two replies each, which differ in tone and in length."""
    rng = random.Random(11)
    rows = []
    for asked in world.prompts(24, 11, "heldout"):
        tones, lengths = [Tone.COURTEOUS, Tone.BLUNT], [Length.BRIEF, Length.THOROUGH]
        rng.shuffle(tones)
        plans = [Plan(tone, length, True) for tone, length in zip(tones, lengths, strict=True)]
        rows.append({"prompt": asked.text, "responses": [world.reply(asked, plan, rng).text for plan in plans]})
    path = tmp_path_factory.mktemp("steer") / "replies.jsonl"
    write_rows(path, rows)
    return path


@pytest.mark.parametrize("file", OPPOSITES)
def test_the_pocket_judge_reads_the_file(replies: Path, file: str) -> None:
    against = f"pocket/{OPPOSITES[file]}"
    (row,) = rows_of(
        steer(
            "--judge",
            JUDGE_PATH,
            "--samples",
            replies,
            "--principles",
            f"pocket/{file}",
            "--opposite",
            against,
            "--json",
        )
    )
    assert row["against"] == OPPOSITES[file]
    assert row["decided"] >= 40
    assert row["share"] >= 0.9
    assert row["low"] > 0.75
    assert row["verdict"] == "reads the file"


def test_a_negation_that_turns_nothing_is_not_held_against_the_judge_alone(replies: Path) -> None:
    """The pocket judge does not know the words of the template; the command must not conclude too much from that."""
    result = steer("--judge", JUDGE_PATH, "--samples", replies, "--principles", "pocket/brief", "--json")
    (row,) = rows_of(result)
    assert row["against"] == "its negation"
    assert row["share"] < 0.1
    assert "swap with --opposite FILE" in result.stderr


@pytest.mark.parametrize("options", [{"gain": 0, "position_bias": 5}, {"gain": 5}])
def test_a_judge_of_places_or_lengths_ignores_the_file(replies: Path, options: dict[str, int]) -> None:
    words = [part for name, value in options.items() for part in ("--set", f"options.{name}={value}")]
    result = steer("--judge", "longer", "--engine", "scripted", *words, "--samples", replies, "--principles",
                   "pocket/brief", "--opposite", "pocket/thorough", "--json")  # fmt: skip
    (row,) = rows_of(result)
    assert row["decided"] == 48
    assert row["share"] < 0.1
    assert row["verdict"] == "ignores the file"
    assert "--opposite" not in result.stderr


def test_a_run_is_steered_by_its_own_principles(tmp_path: Path) -> None:
    rows = [{"prompt": f"Question {n}?"} for n in range(15)]
    values = {
        "prompts": {"path": write_rows(tmp_path / "prompts.jsonl", rows)},
        "policy": {"engine": "scripted", "model": "hash", "samples": 3},
        "judge": {"engine": "scripted", "model": "longer"},
    }
    order = make_order(tmp_path, "mine", values)
    generate(order, quiet())
    result = steer(
        "--judge", "hash", "--engine", "scripted", "--set", "options.gain=9", "--run", order.folder, "--json"
    )
    thorough, tidy, together = rows_of(result)
    assert (thorough["principle"], tidy["principle"], together["principle"]) == ("thorough", "tidy", "(all)")
    assert together["decided"] == thorough["decided"] + tidy["decided"] > 0
    assert together["prompts"] == thorough["prompts"]
    assert together["reversed"] == 0
    assert "ignores the file" in result.stderr
    few = steer("--judge", "hash", "--engine", "scripted", "--run", order.folder, "--sample", 3, "--json")
    assert [row["prompts"] for row in rows_of(few)] == [3, 3, 3]
    assert "too few decided verdicts" in few.stderr


def test_prompts_are_drawn_by_what_they_are_and_only_where_a_principle_applies() -> None:
    from constitution.model import Condition

    on_eggs = principle("a", applies_when=(Condition(pattern="egg"),))
    pairs = [Swap(one, negated(one)) for one in (on_eggs, principle("b"))]
    prompts = [prompt_of(f"Question {n} of {'eggs' if n % 2 else 'rice'}?") for n in range(20)]
    source = [(prompt, [sample_of(text, prompt=prompt) for text in ("One.", "Two.", "One. ")]) for prompt in prompts]
    found = draw_cases(pairs, source, 6, 0)
    assert found == draw_cases(pairs, reversed(source), 6, 0)
    assert found != draw_cases(pairs, source, 6, 1)
    eggs, rest = [c for c in found if c.swap.principle.id == "a"], [c for c in found if c.swap.principle.id == "b"]
    assert (len(eggs), len(rest)) == (6, 6)
    assert all("eggs" in case.prompt.text for case in eggs)
    assert all(case.a.text.strip() != case.b.text.strip() for case in found)


def test_answers_that_cannot_be_read_are_told(replies: Path) -> None:
    result = steer("--judge", "longer", "--engine", "scripted", "--set", "options.low_mass=1", "--samples", replies,
                   "--principles", "pocket/brief", "--json")  # fmt: skip
    (row,) = rows_of(result)
    assert (row["decided"], row["unread"], row["share"]) == (0, 48, None)
    assert "48 verdicts could not be read; most often: low_mass: label mass 0.1 is below 0.5" in result.stderr


def test_what_is_missing_is_told(replies: Path, tmp_path: Path) -> None:
    judge = ("--judge", "longer", "--engine", "scripted")
    assert "one of --run and --samples" in steer(*judge).stderr
    assert "name a file with --principles" in steer(*judge, "--samples", replies).stderr
    alone = tmp_path / "alone.jsonl"
    write_rows(alone, [{"prompt": "Hello?", "response": "Hello."}])
    result = steer(*judge, "--samples", alone, "--principles", "pocket/brief")
    assert result.exit_code == 2
    assert "there is nothing to compare" in result.stderr
    assert steer(*judge, "--run", tmp_path / "nowhere").exit_code == 3
