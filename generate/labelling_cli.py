"""The command `tenet labels page`: draws a queue, serves the page on this machine, and says where it is."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

import click

from judges.humans.queue import RANDOM, Queue
from tenet.console import Console
from tenet.runs import find_run

_TAGS: Final = "safety, unsafe, harm, harmful, danger, risky"


@click.command(
    epilog="Queues: random; uncertain (the judge's calibrated p nearest one half); disagreement (orders or judges of a panel apart); "
    "safety (prompts with a tag of safety first); stratified (principles or tags alike).\n\n"
    "Example: tenet labels page support --queue uncertain --budget 100"
)
@click.argument("run")
@click.option(
    "--annotator", default="", metavar="NAME", help="The name to begin with; the page asks where none is given."
)
@click.option(
    "--queue",
    "kind",
    type=click.Choice([one.value for one in Queue]),
    default="random",
    show_default=True,
    help=f"Which pairs to show; at least {RANDOM:.0%} are a random sample in any.",
)
@click.option("--budget", type=click.IntRange(1), default=200, show_default=True, help="How many pairs.")
@click.option(
    "--pairs",
    type=click.Choice(["exported", "judged"]),
    default="exported",
    show_default=True,
    help="Pairs that are exported or left to people, or all that were judged.",
)
@click.option(
    "--safety-tag",
    "tags",
    multiple=True,
    metavar="TAG",
    help=f"A prompt's tag of safety; may be repeated.  [default: {_TAGS}]",
)
@click.option(
    "--overlap", type=click.FloatRange(0, 1), default=0.2, show_default=True, help="Share of pairs shown to two people."
)
@click.option(
    "--repeat",
    type=click.FloatRange(0, 0.5),
    default=0.1,
    show_default=True,
    help="Share of pairs shown to a person again.",
)
@click.option("--seed", type=int, help="Another draw of the queue.  [default: the run's seed]")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The port on 127.0.0.1.  [default: a free one]")
@click.option("--no-open", is_flag=True, help="Do not open the page in a browser.")
def page(
    run: str, annotator: str, kind: str, budget: int, pairs: str, tags: tuple[str, ...], overlap: float, repeat: float,
    seed: int | None, port: int, no_open: bool,
) -> None:  # fmt: skip
    """Label pairs of RUN on a web page of this machine.

    The page answers on 127.0.0.1 only, to whoever opens the address that is printed. Each label is in the run's labels.jsonl once the page
    says so, with the probability with which its pair was drawn. Stop with Ctrl-C; the same command goes on with the same queue.
    """
    import webbrowser

    from generate.labelling import SAFETY_TAGS, Wanted, prepare
    from judges.calibration.fitting import LEAST_ANCHORS
    from judges.humans.designs import labelled_pairs
    from judges.humans.page.server import Page, serve
    from judges.humans.page.session import Session, checked_name
    from judges.humans.store import store_path

    path = find_run(run)
    name = checked_name(annotator) if annotator else ""
    own = _seed(path) if seed is None else seed
    drawn = prepare(path, Wanted(Queue(kind), budget, own, pairs == "exported", tags or SAFETY_TAGS))
    session = Session(
        store_path(path), drawn.items, seed=own, overlap=overlap, repeat=repeat, designs=drawn.designs, number=drawn.number
    )  # fmt: skip
    console, plan = Console(), drawn.plan
    random = sum(one.random for one in plan.chosen)
    source = "The same queue as before" if drawn.kept else "A queue" if not drawn.number else "Another queue"
    console.say(
        f"{source} ({kind}): {len(drawn.items):,} of {plan.pool:,} pairs, {random:,} of them a random sample of all, "
        f"{session.tally().done:,} labelled already."
    )
    console.say(
        f"Expected per label: {plan.mended:.3f} of the judge's verdicts mended, if its p is right (the mean of min(p, 1 - p))."
    )

    def ready(address: str) -> None:
        console.say(f"Labelling page: {address}\nStop with Ctrl-C; labels are kept as they are given.")
        if not no_open:
            webbrowser.open(address)

    with suppress(KeyboardInterrupt):  # the way to stop it
        serve(session, Page(path.name, kind, name), port=port, ready=ready)
    tally = session.tally()
    console.say(f"{tally.done:,} of {tally.pairs:,} pairs are labelled, in {store_path(path)}")
    if tally.done:
        console.say(f"Measure the judge by them: tenet card {path}")
        missing = LEAST_ANCHORS - labelled_pairs(path)
        console.say(
            f"Fit it on them: tenet calibrate {path}"
            if missing <= 0
            else f"To fit it on them, label {missing} more: {LEAST_ANCHORS} pairs are the least that tenet calibrate takes."
        )


def _seed(path: Path) -> int:
    from tenet.runs import Run

    with Run.read(path) as run:
        seed = run.config.get("seed")
    return seed if isinstance(seed, int) else 0
