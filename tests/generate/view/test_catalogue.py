"""What a view finds in a run's index is what a walk over the run's records finds; people, two runs and downloads too."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generate.context import PREFERENCES, Step
from generate.export.source import split_of
from generate.pipeline import generate
from generate.supersede import attic_of
from generate.view.catalogue import Catalogue
from generate.view.compare import EARLIER, compare
from generate.view.download import write_found
from generate.view.index import FOLDER, index_of
from generate.view.opening import opened
from generate.view.query import PAGE_SIZE, People, Query, Sort, State
from generate.view.reading import read_pair
from generate.view.server import View
from judges.humans.labels import with_id
from judges.humans.store import append_label
from judges.probability import log_odds
from tenet import spreadsheet
from tenet.errors import MissingInput, UsageError
from tenet.records import Choice, Judgement, Label, Preference, PreferencePair, Prompt, Sample
from tenet.runs import Row, Run
from tests.generate.labelling_run import make_run
from tests.generate.runs_example import cut_shards, make_order, quiet, write_rows

SIDES = ("chosen", "rejected")
WORDS = ("wait", "ASK", "tidy", "knows", "Question 1", "nobody", "%", "_", "'", "Ü")


@dataclass(frozen=True)
class Plain:
    """A pair as the records have it."""

    ids: frozenset[str]
    state: str
    source: str
    margin: float
    flipped: bool
    principles: tuple[str, ...]
    outcomes: frozenset[str]
    split: str
    tags: tuple[str, ...]
    texts: tuple[str, ...]
    longer: int


def plain_pairs(run: Run) -> list[Plain]:
    """Every judged pair, made from the records one by one."""
    prompts = {one.id: one for one in run.stage(Step.PROMPTS, Prompt).records()}
    samples = {one.id: one for one in run.stage(Step.SAMPLES, Sample).records()}
    taken = {
        frozenset((one.chosen_id, one.rejected_id)): one for one in run.stage(Step.PAIRS, PreferencePair).records()
    }
    said: dict[frozenset[str], set[str]] = {}
    for one in run.stage(Step.JUDGEMENTS, Judgement).records(ok=None):
        said.setdefault(frozenset((one.first_id, one.second_id)), set()).add(str(one.outcome))
    found = []
    for told in run.stage(PREFERENCES, Preference).records():
        ids = frozenset((told.a_id, told.b_id))
        pair, prompt = taken.get(ids), prompts[told.prompt_id]
        chosen = pair.chosen_id if pair else told.b_id if told.p_a < 0.5 else told.a_id
        (other,) = ids - {chosen}
        margin = pair.judge_margin if pair else log_odds(max(told.p_a, 1 - told.p_a))
        texts = (*(turn.content for turn in prompt.messages), samples[chosen].text, samples[other].text)
        found.append(
            Plain(
                ids, "exported" if pair else "judged", pair.source if pair else "", margin, told.flipped, told.principles,
                frozenset(said[ids]), split_of(told.prompt_id), prompt.tags, texts, len(texts[-2]) - len(texts[-1]),
            )
        )  # fmt: skip
    return found


def holds(one: Plain, query: Query) -> bool:
    """Whether a pair is one that a query is about."""
    lists = [(query.principle, one.principles), (query.outcome, one.outcomes), (query.tag, one.tags)]
    same = [(query.source, one.source), (query.split, one.split), (query.state and query.state.value, one.state)]
    return (
        all(not wanted or wanted in held for wanted, held in lists)
        and all(not wanted or wanted == held for wanted, held in same)
        and query.flipped in (None, one.flipped)
        and (query.least is None or one.margin >= query.least)
        and (query.most is None or one.margin <= query.most)
        and all(any(term.lower() in text.lower() for text in one.texts) for term in query.terms)
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three shards with three responses a prompt."""
    folder = tmp_path_factory.mktemp("view")
    rows = [
        {
            "prompt": f"Question {number}: what should I do about it?",
            "responses": [
                f"Wait. {number}",
                f"Ask somebody who knows, 100% {number}",
                f"Übel: don't {number}_" + " tidy" * (number % 5),
            ],
            "tags": ["harmful"] if number % 4 == 0 else [],
        }
        for number in range(30)
    ]
    with pytest.MonkeyPatch.context() as patch:
        cut_shards(patch, 12)
        samples = write_rows(folder / "samples.jsonl", rows)
        judge = {"engine": "scripted", "model": "longer", "options": {"noise": 3.0}}
        order = make_order(folder, "run", {"samples": {"path": samples}, "judge": judge, "critique": "none"})
        with generate(order, quiet()) as made:
            return made.path


@pytest.fixture(scope="module")
def view(run: Path) -> Iterator[View]:
    with opened([run], quiet()) as held:
        yield held


@pytest.fixture(scope="module")
def plain(run: Path) -> list[Plain]:
    with Run.read(run) as read:
        return plain_pairs(read)


def ids_of(view: View, query: Query) -> list[frozenset[str]]:
    """The pairs that a view finds, from all pages."""
    found: list[frozenset[str]] = []
    while True:
        page = view.catalogue.find(replace(query, page=1 + len(found) // PAGE_SIZE))
        cursor = view.catalogue.cursor()
        for row in page.rows:
            ids = cursor.execute(
                "SELECT c.id, r.id FROM r0.pairs q JOIN r0.texts c ON c.no = q.chosen JOIN r0.texts r ON r.no = q.rejected WHERE key = ?",
                [row["key"]],
            ).fetchall()
            found += [frozenset(one) for one in ids]
        if len(found) >= page.total:
            assert len(found) == page.total
            return found


MARGINS = st.none() | st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0])
QUERIES = st.builds(
    Query, text=st.lists(st.sampled_from(WORDS).map(lambda word: f'"{word}"'), max_size=2).map(" ".join),
    principle=st.sampled_from(["", "thorough", "tidy", "x' OR 1=1"]), source=st.sampled_from(["", "ai"]),
    outcome=st.sampled_from(["", "first", "second", "tie"]), split=st.sampled_from(["", "train", "test"]),
    tag=st.sampled_from(["", "harmful"]), state=st.none() | st.sampled_from(State), flipped=st.none() | st.booleans(),
    least=MARGINS, most=MARGINS,
)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=QUERIES)
def test_filters_and_searches_find_what_a_walk_finds(view: View, plain: list[Plain], query: Query) -> None:
    wanted = {one.ids for one in plain if holds(one, query)}
    found = view.catalogue.find(query)
    assert found.total == len(wanted)
    if len(wanted) <= PAGE_SIZE:
        assert set(ids_of(view, query)) == wanted


def test_there_is_something_to_find(view: View, plain: list[Plain]) -> None:
    assert len(plain) == 90
    assert 0 < view.catalogue.find(Query(flipped=True)).total < 90
    assert view.catalogue.find(Query(text="100% knows")).total == 60
    assert view.catalogue.find(Query(text="übel")).total == 60


@pytest.mark.parametrize(
    ("sort", "value"),
    [
        (Sort.SURE, lambda one: -one.margin),
        (Sort.UNSURE, lambda one: one.margin),
        (Sort.LONGER, lambda one: -one.longer),
    ],
)
def test_orders_and_pages_hold_every_pair_once(view: View, plain: list[Plain], sort: Sort, value) -> None:  # type: ignore[no-untyped-def]
    found, by_ids = ids_of(view, Query(sort=sort)), {one.ids: one for one in plain}
    assert len(set(found)) == len(found) == len(plain)
    values = [value(by_ids[one]) for one in found]
    assert values == pytest.approx(sorted(values))


def test_a_pair_is_read_with_all_its_answers(view: View, run: Path) -> None:
    for row in view.catalogue.find(Query(sort=Sort.APART)).rows[:5]:
        told = read_pair(view.catalogue, "run", view.runs["run"], str(row["key"]))
        one, other = told["asked"]  # type: ignore[misc]
        assert {one["shown_first"], other["shown_first"]} == {"chosen", "rejected"}  # type: ignore[index, call-overload]
        shown = {side["shown_first"]: side["p"] for side in (one, other)}  # type: ignore[index, call-overload]
        assert told["shown_first"] == pytest.approx(shown["chosen"])  # type: ignore[index]
        assert told["shown_second"] == pytest.approx(shown["rejected"])  # type: ignore[index]
        assert told["p"] == pytest.approx(sum(shown.values()) / 2)
    with pytest.raises(MissingInput, match="no pair"):
        read_pair(view.catalogue, "run", view.runs["run"], "'")
    with pytest.raises(UsageError, match="no run other"):
        view.catalogue.find(Query(run="other"))


def test_downloads_hold_the_same_rows(view: View, tmp_path: Path) -> None:
    query = Query(state=State.EXPORTED, text="knows", page=2)
    for form in ("jsonl", "csv", "parquet"):
        write_found(view.catalogue, query, form, tmp_path / form)
    rows = [json.loads(line) for line in (tmp_path / "jsonl").read_text().splitlines()]
    assert len(rows) == view.catalogue.find(query).total
    assert "margin" not in rows[0]
    assert pq.read_table(tmp_path / "parquet").to_pylist() == rows
    with (tmp_path / "csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    assert [one["chosen"] for one in read] == [one["chosen"] for one in rows]
    assert [json.loads(one["prompt"]) for one in read] == [one["prompt"] for one in rows]
    with pytest.raises(UsageError, match="no format"):
        write_found(view.catalogue, query, "xls", tmp_path / "x")


def test_no_cell_of_a_table_is_a_formula(tmp_path: Path) -> None:
    texts = ["=1+1", "+1", "-1", "@sum(a1)", "\t=1", "'=1", "''-1", "\uff1d1", "fine; =1", "'quoted'"]
    prompts = [{"prompt": f"Question {n}?", "responses": [one, f"{one} and more"]} for n, one in enumerate(texts)]
    samples = write_rows(tmp_path / "samples.jsonl", prompts)
    values = {"samples": {"path": samples}, "judge": {"engine": "scripted", "model": "longer"}}
    with generate(make_order(tmp_path, "run", values), quiet()) as made, opened([made.path], quiet()) as view:
        for form in ("jsonl", "csv"):
            write_found(view.catalogue, Query(), form, tmp_path / form)
    written = {json.loads(line)["key"]: json.loads(line) for line in (tmp_path / "jsonl").read_text().splitlines()}
    with (tmp_path / "csv").open(newline="") as file:
        read = {row["key"]: row for row in csv.DictReader(file)}
    assert len(read) == len(written) == len(texts)
    for key, row in read.items():
        assert not [
            cell for name, cell in row.items() if cell[:1] in "=+-@\t\r\uff1d" and cell and name != "judge_margin"
        ]
        assert [spreadsheet.plain(row[side]) for side in SIDES] == [written[key][side] for side in SIDES]
        assert float(row["judge_margin"]) == pytest.approx(written[key]["judge_margin"])


LEFT = """
import os, sys
from pathlib import Path
from generate.view.index import _making
with _making(Path(sys.argv[1])) as folder:
    (folder / "index.duckdb").write_bytes(b"half")
    print(folder.name, flush=True)
    sys.stdin.read()
    os._exit(9)
"""


def test_what_a_killed_indexing_left_goes_and_what_others_make_stays(tmp_path: Path) -> None:
    path = make_run(tmp_path, 2)
    keep = path / FOLDER
    keep.mkdir()
    words = [sys.executable, "-c", LEFT, str(keep)]
    with (
        subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other,
        Run.read(path) as run,
    ):
        assert other.stdout is not None
        name = other.stdout.readline().strip()
        index = index_of(run, tmp_path)
        assert (keep / name / "index.duckdb").read_bytes() == b"half"
        other.communicate()
        assert (keep / name).is_dir()
        assert index_of(run, tmp_path) == index
    assert list(keep.iterdir()) == [index]


def test_an_index_is_made_once_for_a_state(run: Path, view: View, tmp_path: Path) -> None:
    with Run.read(run) as read:
        path = index_of(read, tmp_path)
        before = path.stat().st_mtime_ns
        assert path.parent == run / FOLDER
        assert index_of(read, tmp_path).stat().st_mtime_ns == before
    assert [one.name for one in (run / FOLDER).iterdir()] == [path.name]


def test_people_and_their_filters(tmp_path: Path) -> None:
    path = make_run(tmp_path, 4)
    with Run.read(path) as run:
        pairs = list(run.stage(Step.PAIRS, PreferencePair).records())
        samples = {one.id: one.text for one in run.stage(Step.SAMPLES, Sample).records()}
        prompts = {one.id: one.messages for one in run.stage(Step.PROMPTS, Prompt).records()}
    for number, pair in enumerate(pairs[:2]):
        label = Label(
            "",
            prompts[pair.prompt_id],
            samples[pair.rejected_id] + "\n",
            samples[pair.chosen_id],
            Choice.B if number else Choice.A,
            "ann",
        )
        append_label(path / "labels.jsonl", with_id(label))
    with opened([path], quiet()) as view:
        assert view.catalogue.find(Query(people=People.LABELLED)).total == 2
        assert view.catalogue.find(Query(people=People.UNLABELLED)).total == 2
        (against,) = view.catalogue.find(Query(people=People.AGAINST)).rows
        assert against["voted"] == "rejected"
        votes = read_pair(view.catalogue, "run", view.runs["run"], str(against["key"]))["votes"]
        assert [(one["annotator"], one["said"]) for one in votes] == [("ann", "rejected")]  # type: ignore[union-attr, index, call-overload]


def test_two_runs_side_by_side_differ_where_their_records_do(tmp_path: Path, run: Path) -> None:
    judge = {"engine": "scripted", "model": "longer", "options": {"noise": 3.0}}
    samples = {"path": str(run.parents[1] / "samples.jsonl")}
    values = {"samples": samples, "judge": judge, "critique": "none", "seed": 5}
    order = make_order(tmp_path, "other", values)
    (tmp_path / "principles.yaml").write_text(
        (tmp_path / "principles.yaml").read_text().replace("says more", "says far more")
    )
    with generate(order, quiet()) as made:
        other = made.path
    with opened([run, other], quiet()) as view:
        told = compare(view.catalogue, Query(run="run"), "other")
        ps = [_by_texts(view, name) for name in ("run", "other")]
        differ = sum((p - 0.5) * (ps[1][texts] - 0.5) < 0 for texts, p in ps[0].items())
        assert (told.both, told.differ) == (90, differ)
        flags = [bool(row["differs"]) for row in told.rows]
        assert flags == sorted(flags, reverse=True)
        with pytest.raises(UsageError, match="two different sides"):
            compare(view.catalogue, Query(run="run"), "run")


def _by_texts(view: View, name: str) -> dict[tuple[str, str, str], float]:
    run = view.runs[name]
    samples = {one.id: one.text for one in run.stage(Step.SAMPLES, Sample).records()}
    found = {}
    taken = {
        frozenset((one.chosen_id, one.rejected_id)): one for one in run.stage(Step.PAIRS, PreferencePair).records()
    }
    for one in run.stage(PREFERENCES, Preference).records():
        pair = taken.get(frozenset((one.a_id, one.b_id)))
        p = one.p_a if pair is None else pair.p_chosen if pair.chosen_id == one.a_id else 1 - pair.p_chosen
        a, b = samples[one.a_id], samples[one.b_id]
        found[one.prompt_id, min(a, b), max(a, b)] = p if a <= b else 1 - p
    return found


def test_earlier_answers_stand_beside_the_present_ones(tmp_path: Path) -> None:
    path = make_run(tmp_path, 3)
    fresh = Run.read(path)
    with fresh:
        old = [replace(one, id=f"old-{one.id}").flipped() for one in fresh.stage(Step.JUDGEMENTS, Judgement).records()]
        config, fingerprint = fresh.config, fresh.fingerprint
    swapped = [
        replace(one, first_id=one.second_id, second_id=one.first_id) for one in old
    ]  # the opposite verdict of the same order
    with Run.open(path, config, fingerprint, command="tenet generate run.yaml") as run:
        attic = run.stage(attic_of(Step.JUDGEMENTS), Judgement)
        attic.replace(0, [Row(one.id, one, ok=True) for one in swapped])
    with opened([path], quiet()) as view:
        told = compare(view.catalogue, Query(run="run"), f"run{EARLIER}")
        assert told.both == told.differ == 3
        for row in told.rows:
            assert row["other_p"] == pytest.approx(1 - row["p"])  # type: ignore[operator]


def test_an_open_shard_is_read_and_not_kept(tmp_path: Path) -> None:
    path = make_run(tmp_path, 3)
    with Run.read(path) as read:
        config, fingerprint = read.config, read.fingerprint
    with Run.open(path, config, fingerprint, command="tenet generate run.yaml") as run:
        run.stage(Step.JUDGEMENTS, Judgement).reopen(0)
    with opened([path], quiet()) as view:
        assert view.catalogue.find(Query(outcome="first")).total == 3
    assert not (path / FOLDER).exists()


def test_runs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    paths = [make_run(tmp_path / name, 2) for name in ("one", "two")]
    with opened(paths, quiet()) as view:
        assert view.catalogue.names == ("one/runs/run", "two/runs/run")
        assert view.catalogue.find(Query()).total == 4
    with pytest.raises(UsageError, match="named twice"), opened([paths[0], paths[0]], quiet()):
        pass


def test_catalogue_without_runs_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run"):
        Catalogue([], tmp_path).number("x")


def test_a_shard_that_is_gone_is_told_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = make_run(tmp_path, 2)
    shard = path / Step.SAMPLES / "00000.parquet"
    shard.write_bytes(b"PAR1 no more")
    with pytest.raises(MissingInput, match="cannot be read"), opened([path], quiet()):
        pass
    assert list((path / FOLDER).iterdir()) == []
