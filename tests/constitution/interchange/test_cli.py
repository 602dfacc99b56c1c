import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from constitution.load import load
from tenet.cli import cli

EXAMPLES = Path(__file__).parent / "examples"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["principles", *map(str, arguments)])


def test_import_writes_a_file_that_loads(tmp_path: Path) -> None:
    target = tmp_path / "mine.yaml"
    result = run("import", EXAMPLES / "list.txt", "--to", target)
    assert result.exit_code == 0
    assert f"{target}: 4 principles from" in result.stderr
    assert target.read_text().startswith("# Imported from list.txt (list).\nschema_version: 1\nname: list\n")
    assert "  # Content\n  - id: answers-what-was-asked-all-of-it\n" in target.read_text()
    assert {one.source for one in load(target).principles} == {"list.txt"}
    assert run("check", target).exit_code == 0


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.iterdir()))
def test_every_example_goes_in_and_out_by_command(name: str, tmp_path: Path) -> None:
    first, out, second = tmp_path / "a.yaml", tmp_path / f"b{Path(name).suffix}", tmp_path / "c.yaml"
    form = name.partition(".")[0]
    assert run("import", EXAMPLES / name, "--to", first).exit_code == 0
    assert run("export", first, "--format", form, "--to", out).exit_code == 0
    result = run("import", out, "--to", second, "--json")
    assert (result.exit_code, json.loads(result.stdout)["format"]) == (0, form)
    assert [one.digest for one in load(first).principles] == [one.digest for one in load(second).principles]


def test_import_never_writes_over_a_file_unless_told_to(tmp_path: Path) -> None:
    target = tmp_path / "mine.yaml"
    target.write_text("mine")
    result = run("import", EXAMPLES / "list.txt", "--to", target)
    assert result.exit_code == 2
    assert "is there already" in result.stderr
    assert "--force" in result.stderr
    assert target.read_text() == "mine"
    assert run("import", EXAMPLES / "list.txt", "--to", target, "--force", "--name", "new-name").exit_code == 0
    assert load(target).name == "new-name"
    assert run("export", target, "--format", "list", "--to", target).exit_code == 2


def test_the_new_file_lies_here_unless_told_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("import", EXAMPLES / "markdown.md").exit_code == 0
    assert load(tmp_path / "house-rules.yaml").description == "What our support answers are judged by."
    missing = run("import", EXAMPLES / "markdown.md", "--to", "no/where.yaml")
    assert (missing.exit_code, "mkdir -p no" in missing.stderr) == (2, True)


def test_a_name_that_is_none_is_refused(tmp_path: Path) -> None:
    result = run("import", EXAMPLES / "list.txt", "--to", tmp_path / "a.yaml", "--name", "My Rules")
    assert result.exit_code == 2
    assert "my-rules" in result.stderr
    assert not (tmp_path / "a.yaml").exists()


def test_what_is_wrong_is_told_with_its_line_and_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("comment-id,comment-body\n0,fine\n1\n")
    result = run("import", path, "--to", tmp_path / "a.yaml")
    assert result.exit_code == 2
    assert f"{path}:3: 1 cells where the header names 2 columns" in result.stderr
    assert not (tmp_path / "a.yaml").exists()
    assert run("import", tmp_path / "none.csv").exit_code == 3


def test_export_prints_the_file_and_says_what_is_lost() -> None:
    result = run("export", "honesty", "--format", "salmon")
    assert result.exit_code == 0
    items = json.loads(result.stdout)
    assert [item["definition"] for item in items] == [one.text for one in load("honesty").principles]
    tests = sum(bool(one.tests) for one in load("honesty").principles)
    assert f"tests of {tests}" in result.stderr
    assert "does not hold: the file's name" in result.stderr
    told = json.loads(run("export", "honesty", "--format", "salmon", "--json").stdout)
    assert json.loads(told["text"]) == items
    assert told["lost"]["tests"] == [one.id for one in load("honesty").principles if one.tests]


def test_export_in_a_format_that_is_none() -> None:
    result = run("export", "honesty", "--format", "salomn")
    assert result.exit_code == 2
    assert 'did you mean "salmon"?' in result.stderr


def test_ten_thousand_entries(tmp_path: Path) -> None:
    path = tmp_path / "many.txt"
    path.write_text("".join(f"It is {number}.\n" for number in range(10_000)))
    target = tmp_path / "many.yaml"
    result = run("import", path, "--to", target)
    assert result.exit_code == 0, result.stderr
    assert len(load(target).principles) == 10_000
    written = target.read_bytes()
    path.write_text("".join(f"The response says {number} in words, {'long ' * 10}ones.\n" for number in range(10_000)))
    result = run("import", path, "--to", target, "--force")
    assert result.exit_code == 2
    assert "at most 1,000,000 are read" in result.stderr
    assert target.read_bytes() == written


@pytest.mark.parametrize("command", ["import", "export"])
def test_help_lists_the_formats(command: str) -> None:
    text = run(command, "--help").stdout
    assert f"tenet principles {command}" in text
    assert "  collective-cai         CSV of statements" in text
