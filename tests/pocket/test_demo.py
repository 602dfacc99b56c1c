"""The demo: its words and its errors quickly, and the whole loop once in its quick form."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest

from pocket import JUDGE_PATH, POLICY_PATH, demo
from pocket.demo import Aside, run_demo
from pocket.plan import QUICK, DemoPlan, Sizes
from pocket.show import next_step, rows, show_demo
from tenet.console import Console
from tenet.errors import Interrupted, MissingInput, UsageError

TINY = Sizes(prompts=12, samples=3, held_out=12, reward_epochs=1.0, dpo_epochs=1.0)
bundled = pytest.mark.skipif(
    not all((path / "model.safetensors").is_file() for path in (POLICY_PATH, JUDGE_PATH)),
    reason="the bundled pocket models are not there; make them with: make pocket",
)


def rate(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.1, "high": value + 0.1, "count": 100}


def measured() -> dict[str, object]:
    names = {"courteous": (0.35, 0.9), "blunt": (0.3, 0.05), "on_topic": (1.0, 0.9)}
    attributes = [
        {"name": name, "kind": "rate", "base": rate(b), "trained": rate(t), "change": rate(t - b)}
        for name, (b, t) in names.items()
    ]
    attributes.append({"name": "words", "kind": "mean", "base": rate(30), "trained": rate(40), "change": None})
    return {"asked": ["blunt"], "attributes": attributes, "prompts": {"count": 100}}


def plan(out: Path, principles: str = "pocket/courteous", sizes: Sizes = TINY) -> DemoPlan:
    return DemoPlan(principles, 0, out, sizes, "tenet demo --quick")


def test_the_table_puts_first_what_the_file_asks_for() -> None:
    found = rows(measured())
    assert [row[0] for row in found] == ["blunt", "courteous", "on topic"]
    assert found[0] == ["blunt", "yes", "30 % [20, 40]", "5 % [-5, 15]", "-25 [-35, -15]"]
    assert found[1][1] == ""


@pytest.mark.parametrize(
    ("principles", "asked", "words"),
    [
        ("pocket/courteous", ["courteous"], "tenet demo --principles pocket/blunt"),
        ("principles/pocket/brief.yaml", ["brief"], "tenet demo --principles pocket/thorough"),
        ("pocket/honest", ["honest"], "edit its text"),
        ("mine.yaml", ["courteous"], "edit a principle in mine.yaml"),
    ],
)
def test_what_to_try_next(principles: str, asked: list[str], words: str) -> None:
    said = next_step(plan(Path("out"), principles), {"asked": asked})
    assert words in said
    assert "\n" not in said


def test_words_go_to_stderr_and_the_table_to_stdout() -> None:
    out, err = StringIO(), StringIO()
    show_demo(plan(Path("somewhere")), measured(), Console(out=out, err=err))
    assert "courteous" in out.getvalue()
    assert "somewhere/report.html" in err.getvalue()
    out, err = StringIO(), StringIO()
    show_demo(plan(Path("somewhere")), measured(), Console(json=True, out=out, err=err))
    told = json.loads(out.getvalue())
    assert (told["folder"], told["report"], told["asked"]) == ("somewhere", "somewhere/report.html", ["blunt"])


def test_the_parts_of_a_step_say_each_line_once() -> None:
    err = StringIO()
    aside = Aside(err=err)
    for line in ("one", "two", "one"):
        aside.say(line)
    assert err.getvalue() == "     one\n     two\n"


def test_a_missing_model_is_named_with_its_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "JUDGE_PATH", tmp_path / "judge")
    monkeypatch.setattr(demo, "POLICY_PATH", tmp_path / "policy")
    with pytest.raises(MissingInput, match="make pocket"):
        run_demo(plan(tmp_path / "out"), Console(quiet=True, err=StringIO()))


@bundled
def test_a_folder_of_other_principles_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text(json.dumps({"fingerprint": {"growth": {"principles": "another"}}}))
    with pytest.raises(UsageError, match="holds a demo of other principles"):
        run_demo(plan(tmp_path), Console(err=StringIO()))


@bundled
def test_a_stop_tells_how_to_go_on_with_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "_generate", stopped)
    with pytest.raises(Interrupted) as raised:
        run_demo(plan(tmp_path), Console(err=StringIO()))
    assert raised.value.resume == "tenet demo --quick"


@bundled
@pytest.mark.slow
def test_the_whole_loop_and_again_without_asking_anything(tmp_path: Path) -> None:
    err = StringIO()
    found = run_demo(plan(tmp_path / "demo"), Console(err=err))
    assert found["asked"] == ["courteous"]
    assert {"courteous", "blunt", "on_topic"} <= {one["name"] for one in found["attributes"]}
    said = err.getvalue()
    assert all(f"{number}/6" in said for number in range(1, 7))
    page = (tmp_path / "demo" / "report.html").read_text(encoding="utf-8")
    assert "Before and after" in page
    assert "Reward model" in page
    files = (tmp_path / "demo" / "run").rglob("*.parquet")
    kept = {path: path.read_bytes() for path in [*files, tmp_path / "demo" / "run" / "evaluation.json"]}
    again = run_demo(plan(tmp_path / "demo"), Console(err=StringIO()))
    assert again == found
    assert {path: path.read_bytes() for path in kept} == kept


def test_the_quick_form_is_smaller() -> None:
    assert QUICK.prompts < 100


def test_the_next_step_can_be_typed_where_the_program_is_not_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.argv", [str(tmp_path / ".venv/bin/tenet"), "demo"])
    said = next_step(plan(Path("out"), "principles/pocket/courteous.yaml"), {"asked": ["courteous"]})
    assert said == "Next, ask for the opposite: .venv/bin/tenet demo --principles pocket/blunt"
