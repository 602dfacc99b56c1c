"""Writes a blend: the dataset, its card, and `blend.json`, which says all that the rows follow from and what became of each pair.

No time and no path of the machine is in these files: the same run, labels and configuration give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from generate.blend.config import BlendConfig
from generate.blend.gather import Material, gather
from generate.blend.rows import Blend
from generate.context import Step
from generate.export import EXPORTERS, ExportReport, ExportSource, export_dataset
from generate.export.card import CARD, write_card
from generate.exporting import provenance, uses_pocket
from generate.report.data import gather as gather_report
from tenet.config import as_json
from tenet.errors import UsageError
from tenet.ids import Json
from tenet.runs import Run, atomic

MANIFEST: Final = "blend.json"
SWEEP: Final = "sweep.json"
BLENDS: Final = "blends"
FORMAT: Final = 1
SHARES: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
"""The shares of people in a sweep."""


@dataclass(frozen=True)
class Blended:
    """What a blend came to: its folder, its rows as they were decided, what was written, and the manifest."""

    folder: Path
    blend: Blend
    reports: tuple[ExportReport, ...]
    manifest: Mapping[str, Json]

    @property
    def warnings(self) -> list[str]:
        """What a person must know before training on it."""
        return list(_warnings(self.blend))


def blend_run(path: Path, config: BlendConfig, out: Path | None = None) -> Blended:
    """Blend the run at `path` with its labels into a folder: `out`, or the run's `blends/NAME`.

    Raises:
        MissingInput: there is no run, it has no pairs yet, or a file is not there.
        UsageError: the strategy needs labels and there are none, it leaves no pair, or the folder holds something that is no blend.
        InvalidInput: a file does not read back.
        StorageFailed: the disk is full or not writable.
    """
    with Run.read(path) as run:
        return _write(gather(run, _file(config)), config, out or run.path / BLENDS / config.called)


def sweep_run(path: Path, config: BlendConfig, out: Path | None = None) -> tuple[Blended, ...]:
    """Blend the run at each of `SHARES` of people, on the same pairs, larger shares holding smaller ones.

    Raises:
        MissingInput, UsageError, InvalidInput, StorageFailed: see `blend_run`.
    """
    found = []
    with Run.read(path) as run:
        material = gather(run, _file(config))
        folder = out or run.path / BLENDS / "sweep"
        for share in SHARES:
            one = replace(config, strategy="fraction", share=share, name=f"human-{round(100 * share):03d}")
            found.append(_write(material, one, folder / one.called))
    rows: list[Json] = [{"share": one.blend.config.share, "folder": one.folder.name, **_result(one)} for one in found]
    _save(folder / SWEEP, {"format": FORMAT, "seed": config.seed, "datasets": rows})
    return tuple(found)


def _file(config: BlendConfig) -> Path | None:
    return None if config.labels is None else Path(config.labels)


def _require_own(folder: Path) -> None:
    """Make sure that nothing of the user's is written over.

    Raises:
        UsageError: the folder holds something that is no blend.
    """
    held = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    foreign = held - {MANIFEST, CARD, *EXPORTERS}
    if held and (foreign or held == {CARD}):
        raise UsageError(f"{folder} holds something else than a blend", hint="name a new folder: --out DIR")


def _write(material: Material, config: BlendConfig, folder: Path) -> Blended:
    _require_own(folder)
    if not material.votes and config.strategy != "human-first":
        raise UsageError(
            f"{config.strategy} needs labels of people, and there is none of a pair of this run",
            hint=f"label pairs: tenet labels page {material.run.path}; or bring labels in: tenet labels import FILE --to "
            f"{material.run.path}",
        )
    blend = Blend(material, config)
    if not any(True for _ in blend.rows()):
        reasons = "; ".join(f"{count:,} {reason}" for reason, count in blend.tally.dropped.items())
        raise UsageError(f"{config.strategy} leaves no pair: {reasons or 'the run has none'}", hint=_cure(config))
    told: dict[str, Json] = {
        **provenance(material.run),
        "blend": {"config": _config(config), "labels": material.labels_digest},
    }
    critiques = material.run.manifest.stages.get(Step.CRITIQUES)
    has_critiques = critiques is not None and any(shard.counts.ok for shard in critiques.shards.values())
    source = ExportSource(pairs=blend.rows, has_critiques=has_critiques, provenance=told)
    reports = export_dataset(source, config.export, folder)
    manifest = _manifest(blend, reports)
    write_card(
        folder, gather_report(material.run.path), reports, told, anchors=_heard(blend), labelling=_words(blend),
        pocket=uses_pocket(material.run.config),
    )  # fmt: skip
    _save(folder / MANIFEST, manifest)
    return Blended(folder, blend, reports, manifest)


def _save(path: Path, value: Mapping[str, Json]) -> None:
    atomic.write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def _config(config: BlendConfig) -> dict[str, Json]:
    """The configuration without places: labels are known by their digest."""
    return {key: value for key, value in as_json(config).items() if key not in ("labels", "name")}


def _manifest(blend: Blend, reports: Sequence[ExportReport]) -> dict[str, Json]:
    material, believed = blend.material, blend.believed
    return {
        "format": FORMAT,
        "config": _config(blend.config),
        "run": provenance(material.run),
        "labels": {
            "digest": material.labels_digest, "read": material.labels, "labelled_pairs": len(material.votes),
            "unused": dict(material.unused),
        },
        "people": believed.people.as_json(),
        "judge": believed.judge.as_json(),
        **blend.tally.as_json(),
        "written": {
            one.name: {
                "splits": dict(one.splits), "left_out": dict(one.left_out),
                "files": [{"name": file.name, "rows": file.rows, "sha256": file.sha256} for file in one.files],
            }
            for one in reports
        },
    }  # fmt: skip


def _result(one: Blended) -> dict[str, Json]:
    return {"rows": one.blend.tally.rows, "sources": one.manifest["sources"], "conflicts": one.blend.tally.conflicts}


def _heard(blend: Blend) -> str:
    """What people did for these rows, for the card; empty where no label was read."""
    votes = blend.material.votes
    if not votes:
        return ""
    people = len(blend.believed.people.reliability)
    return f"**Blended with people's labels:** {len(votes):,} pairs of this run were labelled by {people:,} people."


def _words(blend: Blend) -> str:
    rows = ", ".join(f"{len(ps):,} {name}" for name, ps in sorted(blend.tally.p.items()))
    return (
        f"Strategy `{blend.config.strategy}`. Rows by where `p_chosen` came from (column `source`): {rows}. What was left out, how far "
        f"people and judge were believed, and the seed are in `{MANIFEST}`."
    )


def _cure(config: BlendConfig) -> str:
    if config.strategy == "routed":
        return "label more pairs, or ask for less: --set min_agreement=0.7"
    return "label more pairs of this run: tenet labels page RUN"


def _warnings(blend: Blend) -> list[str]:
    told = []
    if not blend.material.votes:
        told.append("There are no labels of people in this blend: it is the run's own dataset.")
    if blend.config.strategy == "routed":
        rules = [blend.believed.judge.whole, *blend.believed.judge.groups.values()]
        if all(one.rule is None or one.rule.threshold is None for one in rules):
            told.append(
                "Nowhere do the labels show that the judge agrees with people as often as asked for: every row is people's own."
            )
    if blend.config.strategy == "weighted" and blend.believed.judge.whole.fit is None:
        told.append("Too few labels to calibrate the judge: its p is taken as the run exports it.")
    silent = [name for name, one in blend.believed.judge.groups.items() if one.fit is not None and one.fit(0.9) == 0.5]
    if silent:
        told.append(f"People contradict the judge under {', '.join(sorted(silent))}: look at those principles.")
    return told
