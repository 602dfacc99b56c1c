import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from constitution.interchange.export import FIELDS, export
from constitution.interchange.read import Imported, read_foreign
from constitution.interchange.registry import FORMATS
from constitution.load import load
from constitution.model import Constitution, Principle, Status, Tier
from constitution.sources import shipped
from tests.constitution.interchange.constitutions import ANY, LINES, SIGNS, constitutions, stripped

EXAMPLES = Path(__file__).parent / "examples"
VERDICT = " Then say whether the response follows this principle."


def requests(id_: str, critique: str, revision: str) -> Principle:
    return Principle(id_, text=revision, critique=critique + VERDICT, revise=revision)


HELD = {
    "anthropic.json": (
        requests(
            "rude0", "Point out where the reply is rude to the reader.", "Write the reply again in a friendly tone."
        ),
        requests(
            "guesses-as-facts",
            "Name every guess that the reply states as a fact.\nQuote each one.",
            'Say of each guess that it is one: "probably", "perhaps".',
        ),
    ),
    "anthropic-comparisons.json": (
        Principle("reply-that-a-patient-teacher-would-give", "Choose the reply that a patient teacher would give."),
        Principle("which-of-these-replies-is-shorter-at", "Which of these replies is shorter, at equal content?"),
    ),
    "langchain.json": (
        requests(
            "plain-words",
            "Does the reply use words that a child of twelve knows?",
            "Put every rare word into plain ones.",
        ),
        requests(
            "remove-what-was-not-asked-for",
            "Say whether the reply keeps to the question.",
            "Remove what was not asked for.",
        ),
        requests(
            "constitutional-principle",
            "Say whether the reply ends with a clear next step.",
            "End with one clear next step.",
        ),
        requests("constitutional-principle-2", "Say whether units are given.", "Give the unit of every number."),
    ),
    "llm-swarm.json": (
        requests(
            "reply-so-that-it-mocks-no-one",
            "Does the reply mock anyone?",
            "Please rewrite the reply so that it mocks no one.",
        ),
        requests(
            "add-the-care-that-a-person-at",
            "Is the reply safe to follow at home?",
            "Add the care that a person at home must take.",
        ),
    ),
    "salmon.json": (
        Principle("honest-accurate", "The response gives facts that hold, and says where they end.", weight=3.0),
        Principle("brevity", "The response says it in as few words as it takes.", weight=0.5),
        Principle("stays-on-one-subject", "The response stays on one subject."),
    ),
    "icai.json": (
        Principle("names-its-sources", "Select the response that names its sources."),
        Principle("gives-an-example", "Select the response that gives an example."),
        Principle("uses-quotes-and-signs", 'Select the response that: uses "quotes" # and signs.'),
    ),
    "collective-cai.csv": (
        Principle(
            "explain-its-reasons-where-asked",
            "The AI should explain its reasons, where asked.",
            source="Collective Constitutional AI, statement 0: 40 agrees, 2 disagrees, 1 passes",
        ),
        Principle(
            "say-i-do-not-know-when-it",
            'The AI should say "I do not know" when it does not.',
            source="Collective Constitutional AI, statement 1: 12 agrees, 30 disagrees, 0 passes",
        ),
        Principle(
            "be-calm-even-with-angry-people",
            "The AI should be calm,\neven with angry people.",
            source="Collective Constitutional AI, statement 3: 5 agrees, 5 disagrees, 5 passes",
        ),
    ),
    "rubric.json": (
        Principle(
            "every-step-can-be-taken-as-it",
            "Every step can be taken as it stands.",
            critique="Is the answer easy to act on?",
        ),
        Principle("warmth", "The answer is warm without flattery."),
    ),
    "list.txt": (
        Principle("polite", "The response is polite."),
        Principle("thanks-the-reader-where-thanks-are-due", "The response thanks the reader, where thanks are due."),
        Principle("answers-what-was-asked-all-of-it", "The response answers what was asked: all of it."),
        Principle("costs-3-more-to-read", "The response costs 3 # more to read."),
    ),
    "markdown.md": (
        Principle("polite", "The response is polite."),
        Principle("greets-the-reader", "The response greets the reader."),
        Principle(
            "give-the-next-step",
            "The response ends with one step that the reader can take.\n\nIt names where.",
            weight=2.5,
        ),
        Principle(
            "calm",
            "The response stays calm\neven with angry people.",
            critique="Is the response calm?",
            tier=Tier.RULE,
        ),
    ),
}


def imported(folder: Path, name: str, text: str | bytes, form: str = "auto") -> Imported:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_foreign(path, form)


def carried(one: Principle, form: str) -> dict[str, object]:
    return {field: FIELDS[field](one) for field in FORMATS[form].carries}


@pytest.mark.parametrize("name", HELD)
def test_a_file_by_hand_is_known_and_read(name: str) -> None:
    found = read_foreign(EXAMPLES / name)
    assert found.format == name.partition(".")[0]
    assert found.constitution.principles == HELD[name]


def test_every_format_has_a_file_by_hand() -> None:
    assert {name.partition(".")[0] for name in HELD} == set(FORMATS)
    assert {path.name for path in EXAMPLES.iterdir()} == set(HELD)


@pytest.mark.parametrize("name", HELD)
def test_read_written_and_read_again_it_is_equal(name: str, tmp_path: Path) -> None:
    first = read_foreign(EXAMPLES / name)
    form = first.format
    written = export(first.constitution, FORMATS[form])
    second = imported(tmp_path, "again" + Path(name).suffix, written.text)
    assert second.format == form
    assert [carried(one, form) for one in second.constitution.principles] == [
        carried(one, form) for one in first.constitution.principles
    ]
    assert set(written.lost) <= {"id", "source"} - FORMATS[form].carries
    assert export(second.constitution, FORMATS[form]).text == written.text


# A list has one line for a text; all else carries whatever a text can hold.
SINGLE = stripped(LINES).map(lambda text: " ".join(text.split())).filter(bool)


@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_what_a_format_carries_survives(form: str, data: st.DataObject) -> None:
    constitution = data.draw(constitutions(SINGLE if form == "list" else stripped(LINES)))
    exported = export(constitution, FORMATS[form])
    kept = constitution.principles if "status" in FORMATS[form].carries else constitution.active
    assert exported.left_out == tuple(one.id for one in constitution.principles if one not in kept)
    assert not set(exported.lost) & FORMATS[form].carries
    assert not set(exported.heading) & FORMATS[form].heading
    # What it does not carry is lost exactly where it is not what a reader would assume.
    plain = Principle("plain", "plain")
    for field in FIELDS.keys() - FORMATS[form].carries - {"id"}:
        changed = tuple(one.id for one in kept if FIELDS[field](one) != FIELDS[field](plain))
        assert exported.lost.get(field, ()) == changed


@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(texts=st.lists(stripped(st.text(ANY | st.sampled_from(SIGNS + "\r"), max_size=30)), min_size=1, max_size=4))
def test_no_character_upsets_a_format(form: str, texts: list[str]) -> None:
    principles = tuple(Principle(f"p-{number}", text) for number, text in enumerate(texts))
    exported = export(Constitution("m", "", "", "", principles), FORMATS[form])
    told = exported.lost.get("text", ())
    assert form in ("list", "markdown") or told == ()
    assert all(re.search(r"[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]", principles[int(id_[2:])].text) for id_ in told)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", [name for name in shipped() if "/" not in name])
def test_shipped_files_go_out_and_come_back(form: str, name: str, tmp_path: Path) -> None:
    constitution = load(name)
    exported = export(constitution, FORMATS[form])
    assert not set(exported.lost) & FORMATS[form].carries
    assert exported.lost["tests"] == tuple(one.id for one in constitution.principles if one.tests)
    suffix = {"markdown": ".md", "list": ".txt", "collective-cai": ".csv"}.get(form, ".json")
    back = imported(tmp_path, f"back{suffix}", exported.text)
    assert back.format == form
    assert [one.text for one in back.constitution.principles] == [one.text for one in constitution.principles]


def test_the_loss_is_told_exactly() -> None:
    condition = load("pocket/harmless").principles[0].applies_when
    base = Constitution("mine", "2", "What it is for.", "CC0-1.0", ())
    two = replace(
        base,
        principles=(
            Principle("a", "The response is kind.", weight=2.0, tier=Tier.RULE, yields_to=("b",)),
            Principle("b", "The response is short.\nVery.", weight=3.0, applies_when=condition),
            Principle("c", "The response is old.", status=Status.RETIRED),
        ),
    )
    listed = export(two, FORMATS["list"])
    assert listed.text == "The response is kind.\nThe response is short. Very.\n"
    assert listed.left_out == ("c",)
    assert listed.lost["text"] == ("b",)
    assert listed.told() == (
        "the file's name, the file's version, the file's description, the file's licence, id of 2 principles, text of 1, "
        "weight of 2, tier of 1, applies_when of 1, yields_to of 1"
    )
    assert export(two, FORMATS["salmon"]).told().endswith("tier of 1 principle, applies_when of 1, yields_to of 1")
    held = export(
        replace(base, version="", licence="", principles=(*two.principles[2:], Principle("d", "x"))),
        FORMATS["markdown"],
    )
    assert (held.told(), held.left_out) == ("", ())


def test_what_is_not_imported_is_told_with_its_line() -> None:
    assert read_foreign(EXAMPLES / "anthropic.json").remarks[0] == "line 9: `few_shot` is not imported"
    assert read_foreign(EXAMPLES / "llm-swarm.json").remarks[0] == "line 6: `system_chat` is not imported"
    assert read_foreign(EXAMPLES / "salmon.json").remarks == ("line 10: `negative_definition` is not imported",)
    assert read_foreign(EXAMPLES / "collective-cai.csv").remarks == (
        "line 1: what the columns timestamp hold is not imported",
        "line 4: a statement that moderators refused is not imported",
    )
    assert "line 2 and 1 more: `score1_description` is not imported" in read_foreign(EXAMPLES / "rubric.json").remarks
    assert "line 19: `input` is not imported" in read_foreign(EXAMPLES / "rubric.json").remarks
    (renamed,) = [told for told in read_foreign(EXAMPLES / "langchain.json").remarks if "taken" in told]
    assert renamed.startswith('line 16: the name "Constitutional Principle"')


def test_headings_and_comments_stand_above_their_principles() -> None:
    assert read_foreign(EXAMPLES / "list.txt").comments == {
        "polite": "Tone",
        "answers-what-was-asked-all-of-it": "Content",
    }
    markdown = read_foreign(EXAMPLES / "markdown.md")
    assert markdown.comments == {"polite": "Tone", "calm": "Group of others"}
    assert markdown.constitution.name == "house-rules"
    assert markdown.constitution.description == "What our support answers are judged by."


def test_langchain_is_read_from_python_source_which_is_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    text = (
        f"open({str(marker)!r}, 'w')\n"
        "from langchain.chains.constitutional_ai.models import ConstitutionalPrinciple\n"
        "P = {'a': ConstitutionalPrinciple(name='a-b', critique_request='Is it'\n  ' short?', revision_request='Cut.')}\n"
    )
    found = imported(tmp_path, "principles.py", text)
    assert found.format == "langchain"
    assert found.constitution.principles == (requests("a-b", "Is it short?", "Cut."),)
    assert not marker.exists()


def test_other_spellings_of_the_same_format(tmp_path: Path) -> None:
    js = {"x": {"critiqueRequest": "Is it?", "revisionRequest": "Do.", "_type": "constitutional_principle"}}
    assert imported(tmp_path, "js.json", json.dumps(js)).constitution.principles == (requests("x", "Is it?", "Do."),)
    numbered = "1. Select the response that is short.\n2. Select the response that is kind."
    for name, text in (("a.txt", numbered), ("060_constitution.json", json.dumps(numbered))):
        found = imported(tmp_path, name, text)
        assert (found.format, [one.id for one in found.constitution.principles]) == ("icai", ["short", "kind"])
    annotators = {"1": {"type": "unknown", "description": "x"}, "2": {"type": "principle", "description": "Select it."}}
    pairs = imported(tmp_path, "ap.json", json.dumps({"annotators": annotators, "comparisons": [1]}))
    assert [one.text for one in pairs.constitution.principles] == ["Select it."]
    rubric = "[Is it clear?]\n" + "".join(f"Score {number}: Clear to {number}.\n" for number in range(1, 6))
    found = imported(tmp_path, "rubric.txt", rubric + "\n" + rubric.replace("lear", "lean"))
    assert found.format == "rubric"
    assert [(one.text, one.critique) for one in found.constitution.principles] == [
        ("Clear to 5.", "Is it clear?"),
        ("Clean to 5.", "Is it clean?"),
    ]


def test_a_request_holds_the_principle_and_its_question() -> None:
    one = Constitution("m", "", "", "", (Principle("kind", "The response is kind.", revise="Be kinder."),))
    (item,) = json.loads(export(one, FORMATS["langchain"]).text)
    assert item == {
        "name": "kind",
        "critique_request": "Does the response follow this principle?\n\nThe principle: The response is kind.",
        "revision_request": "Be kinder.\n\nThe principle: The response is kind.",
    }
    assert FORMATS["langchain"].carries == {"id", "text", "critique", "revise"}


@pytest.mark.parametrize("form", FORMATS)
def test_ids_fit_and_differ_whatever_the_texts(form: str, tmp_path: Path) -> None:
    texts = ["字" * 5, "The response is kind.", "The response is kind.", "7 steps", "x" * 300, "The response is kind-2"]
    base = Constitution("m", "", "", "", tuple(Principle(f"p{n}", text) for n, text in enumerate(texts)))
    path = tmp_path / "a.txt"
    path.write_text(export(base, FORMATS[form]).text)
    ids = [one.id for one in read_foreign(path, form).constitution.principles]
    assert len(set(ids)) == len(texts)
    assert all(re.fullmatch("[a-z][a-z0-9]*(-[a-z0-9]+)*", id_) and len(id_) <= 64 for id_ in ids)


def test_markdown_is_written_as_people_write_it() -> None:
    principles = (
        Principle("kind", "The response is kind.\n\nIt is 3.5 times as kind.\n- Always.", weight=2.0, tier=Tier.RULE),
        Principle("short", "# The response\\is short.", critique="Is it short?"),
    )
    assert export(Constitution("mine", "", "What for.", "", principles), FORMATS["markdown"]).text == (
        "# mine\n\nWhat for.\n\n## kind\n\nThe response is kind.\n\nIt is 3.5 times as kind.\\\n\\- Always.\n\n"
        "**Weight:** 2\n\n**Tier:** rule\n\n## short\n\n\\# The response\\\\is short.\n\n**Critique:** Is it short?\n"
    )
