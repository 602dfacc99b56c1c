"""What the pages of the docs presuppose: a project with a judged run, labels of people, trained models. Each is made once a
session, by Tenet's own commands on the bundled pocket models, and copied into the folders of the pages that need it.

`NEEDS` says which page needs what; a page that is not in it begins in an empty folder. Knows nothing of the blocks.
"""

from __future__ import annotations

import csv
import json
import random
import shlex
import shutil
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from pathlib import Path

from constitution.sources import find
from pocket.oracle import decide
from pocket.world import Kind, Split, prompts
from tests.docs.shell import ROOT, Shell

POLICY = "pocket/policy"
SMALL = {"samples: 4": "samples: 3", "max_tokens: 128": "max_tokens: 48", "critique: pairs": "critique: none"}
"""What of a project's run.yaml is put lower, so that a run is soon there."""

NEEDS: Mapping[str, tuple[str, ...]] = {
    "README.md": ("project", "checkout", "edits", "held-out", "labels"),
    "audit.md": ("project",),
    "blending.md": ("project", "checkout", "held-out", "labels"),
    "calibration.md": ("project", "labels"),
    "cards.md": ("labelled project", "labels"),
    "coverage.md": ("labelled project",),
    "editing.md": ("project", "edits"),
    "evaluate.md": ("project", "checkout", "held-out", "trained policy", "reward model"),
    "hub.md": ("project",),
    "judges.md": ("project", "labels"),
    "labelling.md": ("project",),
    "labels.md": ("project", "labels"),
    "launch.md": ("project",),
    "lint.md": ("checkout", "prompts"),
    "pipeline.md": ("checkout", "labels"),
    "principles.md": (),
    "report.md": ("labelled project",),
    "revision.md": ("checkout", "few prompts"),
    "rl.md": ("project", "checkout", "prompts"),
    "scale.md": ("project",),
    "serve-rewards.md": ("project", "checkout", "reward model"),
    "start.md": (),
    "suggest.md": ("project", "edits", "labels that differ"),
    "tests.md": ("project", "checkout", "my principles"),
    "training.md": ("project", "checkout"),
    "training-methods.md": ("project", "checkout", "prompts", "reward model"),
    "view.md": ("project",),
}
"""Page: what lies in its folder when it begins, by the names of `World.THINGS`."""


Taste = Callable[[str, str, str], int]
"""Of a prompt and two responses: 1 where the first is liked better, -1 where the second is, 0 for neither."""


class World:
    """The things that pages begin with, each made when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, thing: str, page: Path) -> None:
        """Put a thing into the folder of a page."""
        THINGS[thing](self, page)

    @cached_property
    def project(self) -> Path:
        """What `tenet init support` writes, with 32 prompts of the pocket world, and its run `support`, judged."""
        shell = Shell(self.folder)
        shell.run("tenet init support")
        place = self.folder / "support"
        write_prompts(place / "prompts.jsonl", 32, "train")
        settings = (place / "run.yaml").read_text(encoding="utf-8")
        for usual, small in SMALL.items():
            assert usual in settings
            settings = settings.replace(usual, small)
        _write(place / "run.yaml", settings)
        shell.run("cd support\ntenet generate run.yaml")
        return place

    @cached_property
    def labels(self) -> Path:
        """Labels of two people who like courtesy, as the run's principles do."""
        return self._labelled_by(partial(decide, "courteous"), "labels.csv")

    @cached_property
    def other_labels(self) -> Path:
        """Labels of two people who like it short, whatever the run's principles say."""
        return self._labelled_by(shorter, "other-labels.csv")

    def _labelled_by(self, taste: Taste, name: str) -> Path:
        """A CSV file in which two people say which response of each pair of the run is the better one."""
        path = self.folder / name
        Shell(self.project).run(f"tenet labels export runs/support --to csv --pairs --out {shlex.quote(str(path))}")
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        draw = random.Random(0)
        labelled = [label(row, who, taste, draw) for row in rows for who in ("ann", "ben")]
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(labelled)
        return path

    @cached_property
    def labelled(self) -> Path:
        """A copy of the project, into whose run the labels were brought."""
        place = self.folder / "labelled"
        shutil.copytree(self.project, place)
        Shell(place).run(f"tenet labels import {shlex.quote(str(self.labels))} --to runs/support")
        return place

    @cached_property
    def reward(self) -> Path:
        """A reward model that learnt from the run for a few steps."""
        return self._trained("reward")

    @cached_property
    def dpo(self) -> Path:
        """A policy that learnt from the run for a few steps."""
        return self._trained("dpo", "--set save_every=1 --set keep_checkpoints=5")

    def _trained(self, method: str, more: str = "") -> Path:
        place = self.folder / "train" / method
        shell = Shell(self.folder)
        link_checkout(self.folder)
        data = self.project / "runs" / "support"
        shell.run(f"tenet train {method} --model {POLICY} --data {data} --out {place} --set max_steps=3 {more}")
        return place


def write_prompts(path: Path, count: int, split: Split) -> None:
    """Prompts of the pocket world, the harmful ones tagged so."""
    rows = [
        {"prompt": one.text, "tags": ["harmful"] if one.kind is Kind.HARMFUL else []}
        for one in prompts(count, seed=1, split=split)
    ]
    _write(path, "".join(json.dumps(row) + "\n" for row in rows))


def shorter(_: str, a: str, b: str) -> int:
    """1 where the first of two responses to a prompt is the shorter one, -1 where the second is."""
    return (len(a) < len(b)) - (len(a) > len(b))


def label(row: Mapping[str, str], who: str, taste: Taste, draw: random.Random) -> dict[str, str]:
    """What somebody says of a pair who goes by a taste and errs in one of ten."""
    side = taste(row["prompt"], row["response_a"], row["response_b"])
    said = ("tie", "a", "b")[side] if draw.random() > 0.1 else draw.choice("ab")
    return {**row, "annotator": who, "preference": said}


def link_checkout(page: Path) -> None:
    """What a checkout of Tenet has and a page names: the shipped principles, the pocket models, the examples."""
    for name in ("principles", "pocket", "examples"):
        if not (page / name).exists():
            (page / name).symlink_to(ROOT / name, target_is_directory=True)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _copied(of: str, to: str) -> Callable[[World, Path], None]:
    def put(world: World, page: Path) -> None:
        source, target = getattr(world, of), page / to
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copy(source, target)

    return put


def _edited(world: World, page: Path) -> None:
    """old.yaml, by which the run was judged, and new.yaml, which has one more principle."""
    old = (world.project / "principles" / "courteous.yaml").read_text(encoding="utf-8")
    _write(page / "old.yaml", old)
    brief = '  - id: brief\n    text: "The response is short: it says what matters in one or two sentences."\n'
    _write(page / "new.yaml", f"{old.rstrip()}\n{brief}")


THINGS: Mapping[str, Callable[[World, Path], None]] = {
    "checkout": lambda _, page: link_checkout(page),
    "prompts": lambda _, page: write_prompts(page / "prompts.jsonl", 12, "train"),
    "few prompts": lambda _, page: write_prompts(page / "prompts.jsonl", 4, "train"),
    "my principles": lambda _, page: _write(page / "my-principles.yaml", find("pocket/courteous").read_text("utf-8")),
    "held-out": lambda _, page: write_prompts(page / "held-out.jsonl", 8, "heldout"),
    "project": _copied("project", "."),
    "labelled project": _copied("labelled", "."),
    "labels": _copied("labels", "labels.csv"),
    "labels that differ": _copied("other_labels", "labels.csv"),
    "edits": _edited,
    "reward model": _copied("reward", "train/reward"),
    "trained policy": _copied("dpo", "train/dpo"),
}
"""Everything that a page can begin with."""
