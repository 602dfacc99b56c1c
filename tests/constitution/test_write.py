from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constitution.load import load
from constitution.model import Constitution, Example, Principle
from constitution.sources import shipped
from constitution.write import WIDTH, to_yaml
from tests.constitution.interchange.constitutions import ANY, constitutions, stripped


def again(text: str) -> Constitution:
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.yaml")
        path.write_bytes(text.encode())
        return load(path)


@settings(max_examples=60, deadline=None)
@given(constitutions())
def test_what_is_written_reads_back_equal(constitution: Constitution) -> None:
    assert again(to_yaml(constitution)) == constitution


@settings(max_examples=60, deadline=None)
@given(constitutions(stripped(st.text(ANY, min_size=1, max_size=40))))
def test_so_does_every_character_that_a_text_can_hold(constitution: Constitution) -> None:
    assert again(to_yaml(constitution)) == constitution


@pytest.mark.parametrize("name", shipped())
def test_shipped_files_survive(name: str) -> None:
    assert again(to_yaml(load(name))) == load(name)


def test_a_file_reads_as_people_write_it() -> None:
    long = "The response says plainly what it does not know, and where the reader can find it out. " * 2
    two = Principle("two", "One line.\n\nAnother: line.", weight=2.5, source="A paper")
    constitution = Constitution(
        name="mine",
        version="1.0",
        description="no",
        licence="",
        principles=(
            Principle("one", long.strip(), examples=(Example("Why?", "# no"),), source="A paper"),
            two,
        ),
    )
    text = to_yaml(constitution, remarks=["Made by hand."], comments={"two": "a\u2028id: b"})
    assert text == (
        "# Made by hand.\n"
        "schema_version: 1\n"
        "name: mine\n"
        'version: "1.0"\n'
        'description: "no"\n'
        "\n"
        "defaults:\n"
        "  source: A paper\n"
        "\n"
        "principles:\n"
        "  - id: one\n"
        "    text: >-\n"
        "      The response says plainly what it does not know, and where the reader can find it out. The response says plainly\n"
        "      what it does not know, and where the reader can find it out.\n"
        "    examples:\n"
        "      - prompt: Why?\n"
        '        response: "# no"\n'
        "\n"
        "  # a id: b\n"
        "  - id: two\n"
        "    text: |-\n"
        "      One line.\n"
        "\n"
        "      Another: line.\n"
        "    weight: 2.5\n"
    )
    assert max(map(len, text.splitlines())) <= WIDTH
    assert again(text) == constitution


def test_a_file_may_include_others() -> None:
    own = Constitution("mine", "", "", "", (Principle("two", "The response is kind."),))
    found = again(to_yaml(own, include=["pocket/brief"]))
    assert [one.id for one in found.principles] == ["brief", "two"]
