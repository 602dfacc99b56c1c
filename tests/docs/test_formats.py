"""The page about files says what is written: a small run with the pocket models, and all that is made from it, against its tables."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import pocket
from generate.calibrated import PANEL_FILE
from generate.export.source import split_of
from generate.pipeline import generate
from generate.reuse import REUSED
from generate.view.index import FOLDER as VIEW
from generate.weighing import WEIGHTS
from judges.humans.designs import FILE as LABELLING
from judges.kinds.byprompt import LISTINGS, RATINGS
from tenet import records
from tenet.cli import cli
from tenet.reading import columns as reading
from tenet.records import Label, Message, Prompt
from tenet.runs.codec import columns_of
from tenet.runs.run import WORKERS
from tests.docs.labels_of_a_run import labels_of_a_run
from tests.generate.runs_example import make_order, quiet, write_rows
from tests.tenet.pipeline.world import LABELS as PIPELINE
from tests.tenet.pipeline.world import votes

pytest.importorskip("trl")

PAGE: Final = (Path(__file__).parents[2] / "docs/formats.md").read_text(encoding="utf-8")
QUESTION: Final = "What should I do about a fault in my {}?"
BOOKS: Final = "Stages"
ANSWERS: Final = "Every answer of a model"
TYPES: Final[Mapping[str, str]] = {
    "text": "string",
    "integer": "int64",
    "number": "double",
    "true or false": "bool",
    "list of texts": "list<string>",
    "list of numbers": "list<double>",
    "list of messages": "list<struct<role: string, content: string>>",
}
ALSO: Final = {"panel.json": PANEL_FILE, "weights.json": WEIGHTS, "reused.json": REUSED, "labelling.json": LABELLING}
"""Files that this run has no use for, and where their names are written down."""
NOT_HERE: Final = {*ALSO, "STAGE/NNNNN.db", f"{WORKERS}/", "diffs/", f"{VIEW}/"}
Table = list[list[str]]


def tables(section: str) -> Iterator[Table]:
    """The rows of each table under a heading, without their heads; cells as written."""
    text = re.split(r"^#+ .*$", PAGE.partition(f" {section}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in block.splitlines()]
        yield rows[2:]


def table(section: str) -> Table:
    return next(tables(section))


def names(cell: str) -> list[str]:
    """What stands in a cell as code."""
    return re.findall(r"`([^`]+)`", cell)


def typed(rows: Table) -> dict[str, str]:
    """The columns of a table with their types."""
    return {name: row[1] for row in rows for name in names(row[0])}


def record_columns(name: str) -> dict[str, str]:
    """What the page says of a type of record."""
    own = typed(table(name))
    if name in ("Prompt", "Preference", "PreferencePair"):
        return own
    shared = typed(table(ANSWERS))
    if name == "Sample":
        del shared["principle_digest"]
    return {**shared, **own}


def plain(kind: Any) -> str:
    """An Arrow type without the name of a list's items."""
    return re.sub(r"<(item|element): ", "<", str(kind))


def columns(schema: pa.Schema) -> dict[str, str]:
    return {field.name: plain(field.type) for field in schema}


def generalised(path: Path) -> str:
    """A file's path with the names that depend on the run replaced by what the page calls them."""
    name = path.as_posix()
    if name.startswith("audits/"):
        return "audits/"
    name = re.sub(r"^principles/[0-9a-f]{16}\.yaml$", "principles/DIGEST.yaml", name)
    name = re.sub(r"^blends/[^/]+/", "blends/NAME/", name)
    name = re.sub(r"(dataset|blends/NAME)/[^/]+/(train|test)-\d{5}\.parquet", r"\1/FORMAT/\2-NNNNN.parquet", name)
    return re.sub(r"^[^/]+/\d{5}\.parquet$", "STAGE/NNNNN.parquet", name)


def given(*words: str) -> None:
    done = CliRunner().invoke(cli, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that was revised, labelled, calibrated, audited, blended and learnt from."""
    folder = tmp_path_factory.mktemp("world")
    things = ("piano", "kite", "boat", "lamp", *one_for_testing())
    rows = [{"prompt": QUESTION.format(thing)} for thing in things]
    prompts = write_rows(folder / "prompts.jsonl", rows)
    order = make_order(
        folder,
        "r",
        {
            "principles": "pocket/courteous",
            "prompts": {"path": prompts},
            "policy": {"model": str(pocket.POLICY_PATH), "samples": 4, "max_tokens": 48},
            "judge": {"model": str(pocket.JUDGE_PATH)},
            "revise": {"rounds": 1, "max_tokens": 64},
            "pairs": {"keep_ties": True},
            "export": ["trl-preference", "trl-unpaired", "reward", "sft", "nemo-rl"],
        },
    )
    run = str(generate(order, quiet()).path)
    given("labels", "import", str(labels_of_a_run(Path(run), folder / "labels.jsonl")), "--to", run)
    given("calibrate", run)
    given("card", run)
    given("audit", run, "--only", "null-response", "--sample", "2")
    given("blend", run, "--set", "strategy=human-first")
    given("report", run)
    trained = str(folder / "dpo")
    given("train", "dpo", "--model", str(pocket.POLICY_PATH), "--data", run, "--out", trained, "--set", "max_steps=1")
    given(
        "evaluate",
        str(pocket.POLICY_PATH),
        trained,
        "--prompts",
        prompts,
        "--oracle",
        "pocket",
        "--set",
        "max_tokens=8",
    )
    return folder


def one_for_testing() -> Iterator[str]:
    """One word whose question falls to the test split."""
    for number in range(200):
        if split_of(Prompt.of([Message("user", QUESTION.format(f"lamp {number}"))]).id) == "test":
            yield f"lamp {number}"
            return


def files_of(folder: Path) -> set[str]:
    return {generalised(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_every_file_of_a_run_stands_on_the_page_and_the_other_way_round(world: Path) -> None:
    told = {name for row in table("The run folder") for name in names(row[0])}
    assert told - NOT_HERE == files_of(world / "runs/r")
    assert not NOT_HERE - told
    assert all(name == ALSO[name] for name in ALSO)


def test_stages_keep_the_records_that_the_page_names(world: Path) -> None:
    told: dict[str, str] = {}
    for row in list(tables(BOOKS))[1]:
        kinds = names(row[1])
        stages = [name.replace("-N", "-1") for name in names(row[0])]
        told |= dict(zip(stages, kinds * (len(stages) // len(kinds) or 1), strict=False)) if kinds else {}
    made = json.loads((world / "runs/r/manifest.json").read_text())["stages"]
    assert {name: stage["record"] for name, stage in made.items()}.items() <= told.items()
    assert {RATINGS, LISTINGS, "for-people", "revisions-1", "samples"} <= told.keys()


@pytest.mark.parametrize(
    "name",
    ["Prompt", "Sample", "Judgement", "Rating", "Listing", "Critique", "Revision", "Preference", "PreferencePair"],
)
def test_a_record_has_the_columns_of_its_table(name: str) -> None:
    kept = {
        one.name: plain(one.arrow()) + (", or null" if one.optional else "")
        for one in columns_of(getattr(records, name))
    }
    said = {}
    for column, kind in record_columns(name).items():
        bare, comma, null = kind.partition(", or null")
        said[column] = TYPES[bare] + comma + null
    assert said == kept


def test_shards_have_the_books_and_the_columns_of_their_record(world: Path) -> None:
    books = {column: TYPES[kind] for column, kind in typed(table(BOOKS)).items()}
    shards = [path for path in (world / "runs/r").glob("*/00000.parquet") if path.parent.name != "dataset"]
    assert len(shards) >= 9
    for shard in shards:
        schema = pq.read_schema(shard)
        record = schema.metadata[b"tenet.record"].decode()
        said = {column: TYPES[kind.partition(",")[0]] for column, kind in record_columns(record).items()}
        assert columns(schema) == {**books, **said}, shard
        assert [field.name for field in schema if not field.nullable] == list(books)


@pytest.mark.parametrize("name", ["trl-preference", "reward", "nemo-rl", "trl-unpaired", "sft"])
def test_datasets_have_the_columns_of_their_format(world: Path, name: str) -> None:
    own, shared = tables("Datasets")
    words = next(row[1] for row in own if row[0] == f"`{name}`")
    said = {"split": "string"}
    for part in words.split("; "):
        listed, _, kind = part.partition(": ")
        said |= dict.fromkeys(names(listed), TYPES.get(kind, TYPES["list of messages"]))
    if name in ("trl-preference", "reward", "nemo-rl"):
        said |= {column: TYPES[kind] for column, kind in typed(shared).items()}
    if name == "nemo-rl":
        assert words.endswith("list of `rank` and `completion`")
        said = {column: kind for column, kind in said.items() if not column.startswith("critique_")} | {
            "completions": "list<struct<rank: int64, completion: list<struct<role: string, content: string>>>>"
        }
    (one,) = {json.dumps(columns(pq.read_schema(path))) for path in (world / "runs/r/dataset" / name).glob("*.parquet")}
    assert json.loads(one) == said


def test_datasets_open_by_the_name_of_their_format(world: Path, tmp_path: Path) -> None:
    from datasets import load_dataset

    found = load_dataset(str(world / "runs/r/dataset"), "sft", cache_dir=str(tmp_path))
    assert sum(part.num_rows for part in found.values()) > 0


def test_labels_have_the_columns_of_the_page(world: Path) -> None:
    said = typed(table("labels.jsonl"))
    known = dict.fromkeys(("response_a_id", "response_b_id", "comment", "ranking"), "text")
    assert known.items() <= said.items()
    assert set(said) == {field.name for field in fields(Label)}
    rows = [json.loads(line) for line in (world / "runs/r/labels.jsonl").read_text().splitlines()]
    kinds = {"text": str, "number": float, "list of messages": list}
    for row in rows:
        assert set(row) == said.keys() - known.keys()
        for column, value in row.items():
            bare, _, null = said[column].partition(", or ")
            assert isinstance(value, kinds[bare]) or (null == "null" and value is None), column


def test_json_files_have_the_keys_and_the_format_of_the_page(world: Path) -> None:
    run = world / "runs/r"
    for row in table("The run folder"):
        if number := re.search(r"`(format|schema_version)` (\d+)", row[-1]):
            for name in names(row[0]):
                path = run / name.replace("NAME", "human-first")
                if path.is_file():
                    assert json.loads(path.read_text())[number[1]] == int(number[2]), name
    told = names(PAGE.partition("\n`run.json` has ")[2].partition("The fingerprint")[0])
    record = json.loads((run / "run.json").read_text())
    assert set(record) == set(told) - {"time", "changes"}
    assert set(record["history"][0]) == {"command", "time", "changes"}
    assert set(record["fingerprint"]) == {"identity", "growth", "informational"}
    manifest = json.loads((run / "manifest.json").read_text())
    assert set(manifest) == {"format", "stages"}
    for stage in manifest["stages"].values():
        assert set(stage) == {"record", "planned", "strays", "settled", "shards"}
        for shard in stage["shards"].values():
            assert set(shard) == {"bytes", "sha256", "counts"}
            assert set(shard["counts"]) == {"ok", "failed", "outcomes"}
    assert set(json.loads((run / "anchors.json").read_text())) == {"salt", "test_share"}


def test_a_trainings_folder_is_that_of_the_page(world: Path) -> None:
    rows = table("A training's folder")
    told = {name for row in rows for name in names(row[0])}
    made = {path.name for path in (world / "dpo").iterdir()} - {"evaluation.json", "evaluation-responses.jsonl"}
    assert made == told - {"adapter/", "checkpoints/", "cache/"}
    keys = set(names(next(row[1] for row in rows if row[0] == "`train.json`"))) - {"running"}
    record = json.loads((world / "dpo/train.json").read_text())
    assert set(record) == keys - {"finished"} | {"finished"}
    first = json.loads((world / "dpo/metrics.jsonl").read_text().splitlines()[0])
    assert {"step", "epoch", "seconds"} <= set(first)


def test_evaluations_and_pipelines_are_those_of_the_page(
    world: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rows = {name: row for row in table("Evaluations and pipelines") for name in names(row[0])}
    assert json.loads((world / "dpo/evaluation.json").read_text())["format"] == 1
    assert len((world / "dpo/evaluation-responses.jsonl").read_text().splitlines()) == 5
    root = Path(__file__).parents[2]
    for name, module in {
        "comparison.json": "train/compare.py",
        "curve.json": "train/measures/curve.py",
        "reward-evaluation.json": "train/measures/reward_model.py",
    }.items():
        source = (root / module).read_text(encoding="utf-8")
        assert [f'"{key}"' for key in names(rows[name][2]) if f'"{key}"' not in source] == []
    monkeypatch.chdir(tmp_path)
    votes(tmp_path / "votes.csv")
    (tmp_path / "pipeline.yaml").write_text(
        PIPELINE.partition("  - name: table")[0] + "  - name: labels" + PIPELINE.partition("  - name: labels")[2]
    )
    given("pipeline", "pipeline.yaml")
    record = json.loads((tmp_path / "work/pipeline.json").read_text())
    assert {"format", "stages"} == set(record)
    (stage,) = record["stages"].values()
    assert set(names(rows["pipeline.json"][2])) == {"format", "stages", *stage}


def test_the_columns_that_prompts_are_looked_for_in_are_those_of_the_code() -> None:
    said = PAGE.partition("Of columns the first of ")[2]
    assert tuple(names(said.partition("is taken")[0])) == reading.PROMPT
    beside = names(said.partition("names another. ")[2].partition("are read")[0])
    assert tuple(beside) == (*reading.SYSTEM, *reading.TAGS, *reading.IDS)
