"""What a demo is going to do: its folder, its prompts, and which attributes it takes a file to ask for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from constitution.load import load
from constitution.model import Principle
from pocket import world
from pocket.asked import asked_families, family_of
from pocket.oracle import FAMILIES
from pocket.plan import apportioned, draw_prompts, free_folder, kinds_for, principles_in, write_prompts
from pocket.wordings import wordings
from pocket.world import KIND_SHARES, Kind


@pytest.mark.parametrize("family", FAMILIES)
def test_the_shipped_files_ask_for_their_family(family: str) -> None:
    assert asked_families(load(f"pocket/{family}")) == (family,)


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("The response is kind.", "courteous"),
        ("The response is never rude.", "courteous"),
        ("The reply is harsh: it does not show courtesy.", "blunt"),
        ("Choose the shorter response.", "brief"),
        ("Detail rather than brevity.", "thorough"),
        ("The response quotes a poem.", None),
    ],
)
def test_a_text_is_read_clause_by_clause(text: str, family: str | None) -> None:
    assert family_of(Principle("p1", text)) == family


def test_the_text_counts_before_the_id_and_the_id_where_the_text_is_silent() -> None:
    assert family_of(Principle("courteous", "The response is rude.")) == "blunt"
    assert family_of(Principle("be-brief", "The response quotes a poem.")) == "brief"
    assert family_of(Principle("be-brief", "The response is kind and thorough.")) in ("courteous", "thorough")


def test_few_wordings_are_taken_for_another_family() -> None:
    read = [(family, family_of(Principle("x", one.text))) for family in FAMILIES for one in wordings(family, "seen")]
    wrong = sum(found is not None and found != family for family, found in read)
    right = sum(found == family for family, found in read)
    assert wrong < 0.02 * len(read)
    assert right > 0.6 * len(read)


def test_prompts_are_whole_shares_of_one_split_and_depend_on_the_seed_alone() -> None:
    assert apportioned(7, {Kind.BENIGN: 0.5, Kind.OPINION: 0.5}) in (
        {Kind.BENIGN: 4, Kind.OPINION: 3},
        {Kind.BENIGN: 3, Kind.OPINION: 4},
    )
    drawn = draw_prompts(50, 3, "heldout", KIND_SHARES)
    assert len({prompt.text for prompt in drawn}) == 50
    assert {world.split_of(prompt.text) for prompt in drawn} == {"heldout"}
    assert sum(prompt.kind is Kind.BENIGN for prompt in drawn) == 20
    assert drawn == draw_prompts(50, 3, "heldout", KIND_SHARES)
    assert drawn != draw_prompts(50, 4, "heldout", KIND_SHARES)


def test_a_family_about_one_kind_gets_more_prompts_of_it() -> None:
    assert kinds_for(["courteous"]) == KIND_SHARES
    assert kinds_for(["independent"])[Kind.OPINION] == pytest.approx(0.6)
    both = kinds_for(["harmless", "honest"])
    assert both[Kind.HARMFUL] == both[Kind.UNKNOWABLE] == pytest.approx(0.35)
    assert sum(both.values()) == pytest.approx(1.0)


def test_prompts_are_written_with_their_kind_and_not_twice(tmp_path: Path) -> None:
    path = tmp_path / "demo" / "prompts.jsonl"
    drawn = draw_prompts(5, 0, "train", KIND_SHARES)
    write_prompts(path, drawn)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["prompt"] for row in rows] == [prompt.text for prompt in drawn]
    assert all(row["tags"] == [prompt.kind.value] for row, prompt in zip(rows, drawn, strict=True))
    written = path.stat().st_mtime_ns
    write_prompts(path, drawn)
    assert path.stat().st_mtime_ns == written


def test_an_edited_file_gets_a_folder_of_its_own(tmp_path: Path) -> None:
    def hold(folder: Path, digest: str) -> None:
        (folder / "run").mkdir(parents=True)
        (folder / "run" / "run.json").write_text(json.dumps({"fingerprint": {"growth": {"principles": digest}}}))

    first = free_folder("my/kind.yaml", "aaa", 0, quick=False, runs=tmp_path)
    assert first == tmp_path / "demo-kind"
    hold(first, "aaa")
    assert free_folder("my/kind.yaml", "aaa", 0, quick=False, runs=tmp_path) == first
    second = free_folder("my/kind.yaml", "bbb", 0, quick=False, runs=tmp_path)
    assert second == tmp_path / "demo-kind-2"
    hold(second, "bbb")
    assert free_folder("my/kind.yaml", "bbb", 0, quick=False, runs=tmp_path) == second
    assert free_folder("my/kind.yaml", "aaa", 7, quick=True, runs=tmp_path) == tmp_path / "demo-kind-seed7-quick"
    assert principles_in(tmp_path) is None
