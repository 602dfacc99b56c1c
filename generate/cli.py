"""The commands that make and look at datasets: generate, its steps alone, export and report. Knows click; the work is elsewhere."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeVar

import click

from tenet.console import Console
from tenet.errors import MissingInput, UsageError
from tenet.ids import Json

F = TypeVar("F", bound=Callable[..., Any])

RUNS = Path("runs")


def run_options(command: F) -> F:
    """The arguments that all steps of a run share."""
    options = [
        click.argument("config", required=False, type=click.Path(path_type=Path)),
        click.option(
            "--set",
            "overrides",
            multiple=True,
            metavar="KEY=VALUE",
            help="Override a key, as in --set judge.principles=each",
        ),
        click.option("--principles", metavar="FILE", help="Principles file, or the name of a shipped one."),
        click.option("--prompts", metavar="FILE", help="Prompts: jsonl, csv, parquet, txt, or HH transcripts."),
        click.option("--policy", metavar="MODEL", help="Model that answers the prompts: a folder or a hub id."),
        click.option("--judge", metavar="MODEL", help="Model that judges the answers."),
        click.option(
            "--engine",
            type=click.Choice(["transformers", "vllm"]),
            help="Host of both models. Default: transformers.",
        ),
        click.option("--name", metavar="NAME", help="Folder of the run under --runs."),
        click.option(
            "--runs", type=click.Path(path_type=Path), default=RUNS, show_default=True, help="Where run folders are."
        ),
        click.option(
            "--workers", metavar="KIND[:N]", help="local, or ray: ask from N workers on a Ray cluster, as in ray:8."
        ),
        click.option(
            "--reuse",
            multiple=True,
            metavar="RUN",
            help="Take answers to the same questions from another run's folder; may be repeated.",
        ),
        click.option("--limit", type=click.IntRange(1), metavar="N", help="Take the first N prompts."),
        click.option(
            "--relabel", is_flag=True, help="Judge anew what an edited principles file touches, and nothing else."
        ),
        click.option(
            "--max-failures",
            type=click.FloatRange(0, 1),
            metavar="SHARE",
            help="Stop (exit 4) when more than this share of a step fails. Default: 0.02.",
        ),
        click.option(
            "--max-tokens",
            type=click.IntRange(1),
            metavar="N",
            help="Stop before the run has spent more tokens than N in all, prompt and completion together.",
        ),
        click.option(
            "--max-cost",
            type=click.FloatRange(0, min_open=True),
            metavar="X",
            help="Stop before the run has cost more than X in all, by the prices in run.yaml.",
        ),
        click.option("--retry-failed", is_flag=True, help="Ask once more for what was given up."),
        click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@run_options
@click.option("--dry-run", is_flag=True, help="Print calls, tokens, time and price, and ask nothing.")
@click.option(
    "--probe",
    type=click.IntRange(2),
    metavar="N",
    help="With --dry-run: draw the samples of N prompts first, so that the plan has real lengths. They are kept.",
)
def generate(dry_run: bool, probe: int | None, as_json: bool, **given: Any) -> None:
    """Sample, judge and pair: from prompts to a preference dataset.

    Goes on where the run of that name stands; nothing recorded is asked twice. Stop it with Ctrl-C.

    \b
    Examples:
      tenet generate run.yaml --dry-run --probe 200
      tenet generate run.yaml --max-cost 20
      tenet generate run.yaml --limit 200 --set pairs.min_margin=0.5
      tenet generate --principles helpfulness --prompts prompts.jsonl --policy MODEL --judge MODEL
    """
    from generate.pipeline import ALL
    from generate.pipeline import dry_run as count
    from generate.pipeline import probe as draw_some
    from generate.show_plan import show_plan

    console = Console(json=as_json)
    if probe is not None and not dry_run:
        raise UsageError("--probe is for a plan", hint="add --dry-run, or leave --probe out")
    if dry_run:
        order = _order(given, ALL)
        if probe is not None:
            draw_some(order, probe, console)
        show_plan(count(order), console, probed=probe or 0)
        return
    _carry_out(_order(given, ALL), console)


def _step(name: str, steps: Collection[str], text: str) -> click.Command:
    """A command that carries out some of the steps."""

    @run_options
    def command(as_json: bool, **given: Any) -> None:
        from generate.context import Step

        _carry_out(_order(given, frozenset(Step(step) for step in steps)), Console(json=as_json))

    return click.command(name, help=text)(command)


sample = _step("sample", ["samples"], """Draw the policy's responses, and stop there.

\b
Example:
  tenet sample run.yaml --limit 100""")  # fmt: skip
judge = _step("judge", ["judgements"], """Judge the recorded responses, and stop there.

\b
Example:
  tenet judge run.yaml --relabel""")  # fmt: skip
pairs = _step("pairs", ["pairs", "critiques", "dataset"], """Choose pairs anew from what is judged, and write the dataset.

Loads a model only where critiques are owed.

\b
Example:
  tenet pairs run.yaml --set pairs.select=all --set pairs.min_margin=0.5""")  # fmt: skip


@click.command()
@run_options
@click.option(
    "--show",
    type=click.IntRange(0),
    metavar="N",
    help="Ask nothing: print what the rounds did, and N responses step by step. Takes a run instead of run.yaml.",
)
def revise(show: int | None, as_json: bool, **given: Any) -> None:
    """Rewrite responses by critique, and write them as SFT data.

    Each round holds a response against one principle that it was not held against before, and rewrites it where the
    critique says no. The judge then compares what came of it with the original.

    \b
    Examples:
      tenet revise run.yaml --set revise.rounds=2 --set export=[sft]
      tenet revise runs/support --show 3
    """
    from generate.context import Step

    console = Console(json=as_json)
    if show is not None:
        from generate.show_revisions import show_revisions

        if given["config"] is None:
            raise UsageError("--show needs a run", hint="tenet revise runs/NAME --show 3")
        show_revisions(_folder(given["config"]), show, console)
        return
    order = _order(given, frozenset({Step.REVISIONS, Step.EXPORT}))
    if order.config.revise is None:
        raise UsageError(
            f"{order.config.name} does not say how often to revise",
            hint="add --set revise.rounds=2, or revise: {rounds: 2}",
        )
    _carry_out(order, console)


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "formats",
    multiple=True,
    metavar="FORMAT",
    help="trl-preference, trl-unpaired, reward, sft or nemo-rl; may be repeated.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write to. Default: dataset/ in the run.")
@click.option("--push", metavar="ORG/NAME", help="Then upload it to the Hugging Face Hub, as a private data set.")
@click.option("--public", is_flag=True, help="With --push: let everybody read it.")
@click.option(
    "--dry-run", is_flag=True, help="With --push: write it, print what would be uploaded, and upload nothing."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def export(
    run: Path,
    formats: tuple[str, ...],
    out: Path | None,
    push: str | None,
    *,
    public: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Write a run's dataset as Parquet, with its card, and put it on the Hugging Face Hub if you like.

    A format is also what a plug-in brings (tenet plugins list). With --push the network, the token (hf auth login, or
    HF_TOKEN) and the name are checked before anything is written. A data set that is there gets the new files in one commit.

    \b
    Examples:
      tenet export runs/support --to trl-unpaired --to sft --out kto-data
      tenet export runs/support --push ORG/NAME --dry-run
    """
    from generate.exporting import DATASET, export_run
    from tenet.runs import Run

    console = Console(json=as_json)
    target = _target(push, public=public, dry_run=dry_run)
    with Run.read(_folder(run)) as found:
        configured = found.config.get("export")
        names = list(formats) or [
            str(name) for name in (configured if isinstance(configured, list | tuple) else ["trl-preference"])
        ]
        folder = out or found.path / DATASET
        reports = export_run(found, names, folder)
    if target is not None:
        from generate.show_push import push_and_show

        push_and_show(target, folder, reports, found.config.get("name"), console, dry_run=dry_run)
        return
    rows: list[list[Json]] = [
        [report.name, report.rows, *(report.splits.get(split, 0) for split in ("train", "test"))] for report in reports
    ]
    console.table(["format", "rows", "train", "test"], rows)
    console.say(f"Written to {folder}")


def _target(push: str | None, *, public: bool, dry_run: bool) -> Any:
    """Where --push leads, checked; None without it.

    Raises:
        UsageError, MissingInput: nothing could be uploaded there.
    """
    from generate.publish import Target

    if push is None:
        if public or dry_run:
            raise UsageError(f"{'--public' if public else '--dry-run'} is for an upload", hint="add --push ORG/NAME")
        return None
    target = Target(push, public)
    if dry_run:
        target.require_id()
    else:
        target.check()
    return target


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--samples",
    type=click.IntRange(2, 64),
    metavar="N",
    help="Simulate N responses to a prompt. Default: as the run has them.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def schedule(run: Path, samples: int | None, as_json: bool) -> None:
    """Simulate schedules on a run's own statistics, and recommend one.

    Measures how noisy and how biased the judge's recorded answers are, plays each schedule on simulated
    prompts of that kind, and names the cheapest that loses next to nothing against judging every pair in both
    orders. Asks no model; what is truly better here is so by the judge's own consistent view, not by people's.

    \b
    Example:
      tenet generate run.yaml --limit 200
      tenet schedule runs/support --samples 8
    """
    from generate.advise import advise, show_advice

    show_advice(advise(_folder(run), samples), Console(json=as_json))


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="File to write. Default: report.html in the run.")
@click.option(
    "--evaluation",
    "measured",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    metavar="PLACE",
    help="What tenet evaluate, evaluate-curve or evaluate-reward wrote: a file, or its folder. Default: what lies in the run and "
    "in the folders of trainings on it.",
)
def report(run: Path, out: Path | None, measured: tuple[Path, ...]) -> None:
    """Write one self-contained page about a run: whether to trust it, why, and what to do next; see docs/report.md.

    Trainings on the run or on a blend of it are shown where they lie in train/: the run's own, this folder's, or the one beside
    runs/. A folder that is no run and holds trainings, as a pipeline's, gives a page about these and their evaluations.

    \b
    Example:
      tenet report runs/support
      tenet report runs/support --evaluation train/dpo
    """
    from generate.report import write_report
    from generate.report.trained import training_folders, write_trained_report

    trained = not (run / "run.json").exists() and run.is_dir() and training_folders(run)
    path = write_trained_report(run, out, measured) if trained else write_report(_folder(run), out, measured=measured)
    Console().say(f"Written to {path}")


def _carry_out(order: Any, console: Console) -> None:
    from generate.pipeline import generate as carry_out
    from generate.show import show_result

    show_result(carry_out(order, console), order.steps, console)


def _order(given: dict[str, Any], steps: Collection[Any]) -> Any:
    """The order that a command line gives.

    Raises:
        UsageError: neither a run.yaml nor all of the short form.
    """
    from generate.pipeline import Order
    from tenet.config import load_config, make_config
    from tenet.runconfig import RunConfig

    words = [*_short(given), *given["overrides"]]
    file = given["config"]
    if file is not None:
        config = load_config(file, RunConfig, words)
    else:
        missing = [f"--{name}" for name in ("principles", "prompts", "policy", "judge") if not given[name]]
        if missing:
            raise UsageError(
                f"no run.yaml, and without one {', '.join(missing)} must be given", hint="tenet generate --help"
            )
        config = make_config({}, RunConfig, words)
    return Order(
        config, given["runs"] / config.name, _command(), steps, given["relabel"], given["retry_failed"],
        given["max_tokens"], given["max_cost"],
    )  # fmt: skip


def _short(given: dict[str, Any]) -> list[str]:
    """The short form as overrides of run.yaml's keys."""
    words = {
        "principles": given["principles"], "prompts.path": given["prompts"], "policy.model": given["policy"],
        "judge.model": given["judge"], "name": given["name"], "prompts.limit": given["limit"],
        "max_failures": given["max_failures"],
    }  # fmt: skip
    if given["config"] is None and not given["name"]:
        words["name"] = Path(given["principles"] or "run").stem
    if given["engine"]:
        words |= {"policy.engine": given["engine"], "judge.engine": given["engine"]}
    return [*(f"{key}={value}" for key, value in words.items() if value is not None), *_beyond(given)]


def _beyond(given: dict[str, Any]) -> list[str]:
    """Workers elsewhere, and other runs, as overrides."""
    words = [f"reuse=[{', '.join(json.dumps(str(Path(run))) for run in given['reuse'])}]"] if given["reuse"] else []
    kind, _, size = (given["workers"] or "").partition(":")
    return words + ([f"workers.kind={kind}"] if kind else []) + ([f"workers.size={size}"] if size else [])


def _folder(run: Path) -> Path:
    """A run by its folder, or by its name under runs/.

    Raises:
        MissingInput: there is no such folder.
    """
    for folder in (run, RUNS / run):
        if (folder / "run.json").exists():
            return folder
    raise MissingInput(
        f"{run} is no run folder (it has no run.json)",
        hint="make one with: tenet generate run.yaml",
    )


def _command() -> str:
    """The command as it was given, to be given again; without the flags that are for once."""
    once = {"--relabel", "--retry-failed", "--dry-run"}
    words = sys.argv[1:]
    probes = {place + n for place, word in enumerate(words) if word == "--probe" for n in (0, 1)}
    kept = [word for place, word in enumerate(words) if place not in probes and not word.startswith("--probe=")]
    return shlex.join(["tenet", *(word for word in kept if word not in once)])
