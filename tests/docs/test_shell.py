"""The terminal that the docs' blocks are typed into, and the order in which a page's blocks run."""

from __future__ import annotations

import os
import unittest
from pathlib import Path

import pytest

from tests.docs.blocks import SYBIL, Page, blocks
from tests.docs.shell import Command, CommandFailed, Shell, commands, tenet_words


@pytest.mark.parametrize(
    ("line", "text", "codes"),
    [
        ("tenet runs list", "tenet runs list", (0,)),
        ("tenet runs list   # the newest first", "tenet runs list", (0,)),
        ("tenet lint a.yaml  # finds something; exits with 2", "tenet lint a.yaml", (2,)),
        ("tenet doctor  # exits with 3 where something is broken", "tenet doctor", (0, 3)),
        ("echo 'a # b' c#d", "echo 'a # b' c#d", (0,)),
        ("tenet export R \\\n    --to sft", "tenet export R --to sft", (0,)),
    ],
)
def test_a_line_is_a_command_and_what_it_promises(line: str, text: str, codes: tuple[int, ...]) -> None:
    assert commands(f"# first\n\n{line}\n") == [Command(text, codes)]


def test_commands_of_a_line_are_taken_apart() -> None:
    assert commands("cd a && tenet runs list  # exits with 3") == [Command("cd a"), Command("tenet runs list", (3,))]
    assert commands("echo 'a && b'") == [Command("echo 'a && b'")]


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("tenet runs list", [["runs", "list"]]),
        ("RANK=2 tenet doctor --json > out.json 2>&1", [["doctor", "--json"]]),
        ("tenet runs list --json | python -m json.tool && tenet report 'my run'", [["runs", "list", "--json"], ["report", "my run"]]),
        ("python -m tenet", []),
    ],
)  # fmt: skip
def test_calls_of_tenet_are_found_wherever_they_stand(text: str, calls: list[list[str]]) -> None:
    assert tenet_words(Command(text)) == calls


def test_folder_and_variables_hold_for_what_follows(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell.run("mkdir below\ncd below\nexport PLACE=here")
    assert "here in below" in shell.run('echo "$PLACE in $(basename "$PWD")"')
    assert "PLACE" not in os.environ
    shell.run("tenet init support\ncd support\ntenet principles check principles/courteous.yaml")
    assert shell.folder == tmp_path / "below" / "support"
    with pytest.raises(CommandFailed, match="there is no such folder"):
        shell.run("cd nowhere")
    with pytest.raises(CommandFailed, match="only with plain words"):
        shell.run("export PLACE=$(pwd)")


def test_a_command_that_ends_otherwise_is_told_with_what_it_printed(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    with pytest.raises(CommandFailed, match=r"exit code 3, not 0: tenet report nothing\n(.|\n)*nothing"):
        shell.run("tenet report nothing")
    shell.run("tenet report nothing  # exits with 3\nfalse  # exits with 1")
    with pytest.raises(CommandFailed, match="exit code 0, not 1: true"):
        shell.run("true  # exits with 1")


PAGE = """
```python
said = ["one"]
```
<!--- skip: next "needs a GPU" -->
```python
said.append("never")
```
```text
shown
```
```yaml title="a/b.yaml"
key: 1
```
```python
said.append(open("a/b.yaml").read())
print(said)
```
"""


def test_blocks_run_in_order_whichever_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "page.md"
    path.write_text(PAGE, encoding="utf-8")
    assert blocks(path) == [(2, "python"), (6, "python"), (12, "a/b.yaml"), (15, "python")]
    (tmp_path / "place").mkdir()

    def opened() -> Page:
        page = SYBIL.parse(path)
        assert isinstance(page, Page)
        page.begin(Shell(tmp_path / "place"))
        return page

    opened().run(15)
    assert capsys.readouterr().out == "['one', 'key: 1\\n']\n"
    page = opened()
    page.run(2)
    with pytest.raises(unittest.SkipTest, match="needs a GPU"):
        page.run(6)
    page.run(12)
    page.run(15)
