"""Turns a run's configuration, manifest and counts into rows of words for the page. Knows no records and no HTML.

Reads the resolved configuration as plain JSON, so that a run made by a newer version still gets its report.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final

from generate.report.model import FunnelStep, Loss, StageRow
from generate.report.walk import Walked
from generate.report.words import number
from tenet.bundled import is_bundled
from tenet.console import plural
from tenet.ids import Json
from tenet.records import Finish, Outcome
from tenet.runs import Run

Facts = tuple[tuple[str, str], ...]

OUTCOMES: Final = {
    "rated": "a rating",
    "first": "the response shown first",
    "second": "the response shown second",
    "tie": "tie",
    "low_mass": "too little on A and B",
    "unparsed": "unreadable answer",
    "refused": "refused",
    "error": "error",
}
FATES: Final = {
    "duplicate": "duplicates",
    "empty": "empty",
    "unreadable": "without a readable prompt",
    "malformed": "malformed rows",
}
MODES: Final = {
    "sampled": "one principle drawn for each prompt",
    "each": "every principle that applies, one by one",
    "whole": "the whole file at once",
}


READS: Final = {
    "rating": "the probability of every score of a scale, each response rated alone",
    "propositions": "the probability of yes to each principle, each response asked about alone",
    "listwise": "a ranking of all responses as JSON, shown in several orders, as votes on pairs without a probability",
}
"""What is read of a judge that is not asked about pairs, by its kind."""

WRITES: Final = {"critique-first": " after a written comparison", "reasoning": " after thinking"}
"""What a judge of pairs does before its letter is read, by its kind."""


def judge_facts(judge: Mapping[str, Json], panel: Mapping[str, Json] = MappingProxyType({})) -> Facts:
    """Who judged, and how; `panel` is what `panel.json` holds, where a panel did."""
    members = judge.get("members")
    if isinstance(members, Sequence) and not isinstance(members, str) and members:
        return _panel_facts(judge, members, panel)
    rows = [("Model", model_name(judge.get("model"))), ("Engine", judge.get("engine"))]
    options = judge.get("options")
    written = isinstance(options, Mapping) and options.get("verdicts") == "text"
    what = "the letter that it writes, as a vote without a probability" if written else "the letter's probability"
    before = WRITES.get(str(judge.get("kind")), "")
    rows.append(("Reads", READS.get(str(judge.get("kind")), f"{what}{before}, both orders averaged")))
    rows.append(("Asked about", MODES.get(str(judge.get("principles")), judge.get("principles"))))
    return _present(rows)


def _panel_facts(judge: Mapping[str, Json], members: Sequence[Json], panel: Mapping[str, Json]) -> Facts:
    models = [model_name(one.get("model")) for one in members if isinstance(one, Mapping)]
    rows: list[tuple[str, Json]] = [("Judge", f"A panel of {len(members)} judges: {', '.join(models)}")]
    accuracies, anchors, slope = (panel.get(name) for name in ("accuracies", "anchors", "slope"))
    if isinstance(accuracies, Mapping):
        known = [(model_name(name), one) for name, one in accuracies.items() if isinstance(one, int | float)]
        rows.append(("Right in one order", ", ".join(f"{name} {one:.3f}" for name, one in known)))
    if panel.get("learnt_from") == "anchors" and isinstance(anchors, int | float):
        rows.append(("Weighed by", f"these accuracies, counted on {anchors:,.0f} pairs that people labelled"))
    elif panel and isinstance(slope, int | float):
        rows.append(
            ("Weighed by", "these accuracies, estimated from the members' votes alone (no person has confirmed them); log-odds "
             f"times {slope:.3f}, so that the panel claims no more than its two orders allow")
        )  # fmt: skip
    rows.append(("Asked about", MODES.get(str(judge.get("principles")), judge.get("principles"))))
    return _present(rows)


def judge_name(judge: Mapping[str, Json]) -> str:
    """The judge's model, or all of a panel's."""
    members = judge.get("members")
    told = members if isinstance(members, Sequence) and not isinstance(members, str) and members else [judge]
    return ", ".join(dict.fromkeys(model_name(one.get("model")) for one in told if isinstance(one, Mapping)))


def policy_facts(policies: Json) -> Facts:
    """Who wrote the responses, and how they were drawn."""
    listed = policies if isinstance(policies, Sequence) and not isinstance(policies, str) else [policies]
    rows: list[tuple[str, Json]] = []
    for policy in listed:
        if not isinstance(policy, Mapping):
            continue
        drawn = [f"{policy.get('samples')} a prompt", f"temperature {_plain(policy.get('temperature'))}"]
        rows += [("Model", model_name(policy.get("model"))), ("Engine", policy.get("engine"))]
        rows.append(("Drawn", ", ".join(drawn)))
    return _present(rows)


def funnel(found: Walked, read: Sequence[Loss], left_out: Sequence[Loss]) -> tuple[FunnelStep, ...]:
    """The steps from prompts to pairs: `read` is what reading left out, `left_out` why a pair was not made."""
    verdicts = found.verdicts
    lost = Loss("failed or empty", found.unusable), Loss("same text as another response", found.identical)
    opinions = sum(verdicts.outcomes[name.value] for name in Outcome if name.is_opinion)
    voted = f"Text votes: {verdicts.votes:,} of {opinions:,} opinions have no probability." if verdicts.votes else ""
    cut = found.finishes.get(Finish.LENGTH.value, 0)
    note = f"Of these {cut:,} reached the token limit and are judged as they stand." if cut else ""
    comparable = found.samples - found.unusable - found.identical
    unheard = (
        Loss("without an opinion in either order", max(0, verdicts.compared - verdicts.pairs)),
        Loss(
            "not asked: left out by the schedule, no principle applies, or not yet",
            max(0, found.comparable - verdicts.compared),
        ),
    )
    steps = [
        FunnelStep("Prompts taken on", found.prompts, "prompts", _some(read)),
        FunnelStep("Responses to compare", comparable, "responses", _some(lost), note),
        FunnelStep(
            "Pairs with an opinion", verdicts.pairs, "pairs",
            _some(unheard), voted,
        ),
        FunnelStep(
            "Preference pairs exported", found.pairs, "pairs",
            _some(left_out),
            f"From {plural(found.paired, 'prompt')}." if found.pairs else "",
        ),
    ]  # fmt: skip
    return tuple(steps) if found.prompts or found.samples else ()


def reading_losses(counts: Mapping[str, Json]) -> list[Loss]:
    """What the reading of the input left out, as its counts (`tenet.reading.tally`) have it."""
    rows = counts.get("rows")
    held = rows if isinstance(rows, Mapping) else counts
    found = [(words, held.get(name)) for name, words in FATES.items()]
    return [Loss(words, count) for words, count in found if isinstance(count, int) and count > 0]


def outcomes(counted: Mapping[str, int]) -> dict[str, int]:
    """Outcomes of judge calls in words, opinions first, kinds that never happened left out."""
    return {words: counted[name] for name, words in OUTCOMES.items() if counted.get(name)}


def stage_rows(run: Run) -> tuple[StageRow, ...]:
    """Every published stage of the run."""
    rows = []
    for name, entry in run.manifest.stages.items():
        counts = [shard.counts for shard in entry.shards.values()]
        ok, failed = sum(c.ok for c in counts), sum(c.failed for c in counts)
        if counts:
            rows.append(StageRow(name, ok + failed, failed, len(counts)))
    return tuple(rows)


def file_rows(run: Run) -> Facts:
    """Published files with their checksums: shards as the manifest has them, dataset files as they are."""
    from tenet.ids import file_digest

    shards = [
        (f"{name}/{shard:05d}.parquet", entry.sha256)
        for name, stage in run.manifest.stages.items()
        for shard, entry in sorted(stage.shards.items())
    ]
    dataset = [path for path in sorted((run.path / "dataset").rglob("*")) if path.is_file()]
    return (*shards, *((path.relative_to(run.path).as_posix(), file_digest(path)) for path in dataset))


def made_with(run: Run) -> Facts:
    """How a run was made and when: what it takes to make it again beside its files."""
    versions = [f"{name} {value}" for name, value in run.fingerprint.informational.items() if value]
    ended = when_made(run.finished) if run.finished else "not yet: work is left, or the last command was stopped"
    commands = dict.fromkeys(str(one.get("command", "")) for one in run.history)
    rows = [
        ("Begun", when_made(run.created)), ("Finished", ended), ("Seed", run.config.get("seed")),
        ("Commands", without_places("; ".join(commands), run.path)), ("Versions", ", ".join(versions)),
    ]  # fmt: skip
    return _present(rows)


def pretty(value: Json) -> str:
    """JSON to read."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def text_of(path: Path) -> str:
    """A text file, empty where there is none."""
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def without_places(text: str, run: Path) -> str:
    """A configuration or a command for others to read: paths from the working folder or the run's project, else from `~`."""
    for folder, name in ((Path.cwd(), ""), (run.absolute().parent.parent, ""), (Path.home(), "~/")):
        if len(folder.parts) > 1:
            text = re.sub(rf"(?<![\w./-]){re.escape(str(folder) + os.sep)}", name, text)
    return text


def model_name(value: Json) -> str:
    """A model as people call it: a hub id as it stands, a bundled one by its name, an absolute path by its last three parts."""
    path = Path(str(value or ""))
    if path.is_absolute() and is_bundled(str(path)):
        return f"pocket/{path.name}"
    return "/".join(path.parts[-3:]) if path.is_absolute() else str(value or "")


def _some(losses: Sequence[Loss]) -> tuple[Loss, ...]:
    return tuple(loss for loss in losses if loss.count)


def _plain(value: Json) -> str:
    return number(float(value), 2).rstrip("0").rstrip(".") if isinstance(value, int | float) else str(value)


def _present(rows: Sequence[tuple[str, Json]]) -> Facts:
    return tuple((name, str(value)) for name, value in rows if value not in (None, ""))


def when_made(created: str) -> str:
    """A time stamp as people write it; as it stands where it is none."""
    try:
        when = datetime.strptime(created, "%Y-%m-%dT%H:%M:%S%z")
    except ValueError:
        return created
    return f"{when.day} {when:%B %Y, %H:%M} {when.tzname()}"
