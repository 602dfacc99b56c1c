"""Judge cards of recorded verdicts: LLMBar's judges in both orders, PandaLM's in one, and PandaLM's three annotators.

    python -m benchmarks.judge_cards --data ../shared/data [--json]

Imports the recorded files into runs as `tenet verdicts import` does, and computes their cards as `tenet card` does. Prints one
object keyed `llmbar/JUDGE/PROMPT`, `pandalm/JUDGE`, `pandalm/humans` and `pandalm/ONE~OTHER`; null where a figure does not apply. No text
of the data is printed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

if not __package__:  # called by its path
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from generate.recorded import assemble, write_run
from judges.card.build import Card, make_card
from judges.card.figures import Figure
from judges.formats.registry import read_file
from tenet.console import Console
from tenet.errors import MissingInput
from tenet.ids import Json

METRICS = ("accuracy", "position_consistency", "first_slot_rate", "cohen_kappa", "krippendorff_alpha", "human_ceiling")
DATA = Path(__file__).resolve().parents[2] / "shared/data"


def imported(files: Sequence[Path], run: Path, replicates: int) -> Card:
    """The card of a run that these files were imported into."""
    found = assemble([read_file(file) for file in files])
    write_run(run, found, [file.name for file in files], command="tenet verdicts import")
    return make_card(run, replicates=replicates)


def cards(data: Path, replicates: int = 1000) -> Iterator[tuple[str, dict[str, Figure]]]:
    """The figures of everybody in both sets, by name.

    Raises:
        MissingInput: the data are not there.
    """
    results = sorted((data / "llmbar").rglob("result.json.gz"))
    verdicts = [data / f"pandalm/{name}-testset-v1.json.gz" for name in ("gpt-3.5-turbo", "pandalm-7b")]
    labels = data / "pandalm/testset-v1.json.gz"
    missing = [file for file in (*verdicts, labels) if not file.is_file()] + ([] if results else [data / "llmbar"])
    if missing:
        raise MissingInput(f"no {missing[0]}", hint="name the folder of the recorded sets with --data")
    with tempfile.TemporaryDirectory() as folder:
        llmbar = imported(results, Path(folder) / "llmbar", replicates)
        pandalm = imported([*verdicts, labels], Path(folder) / "pandalm", replicates)
    for name, card in (("llmbar", llmbar), ("pandalm", pandalm)):
        for judge, found in card.judges.items():
            yield f"{name}/{judge}", dict(found.figures)
    yield "pandalm/humans", dict(pandalm.people)
    for names, figures in pandalm.between.items():
        yield f"pandalm/{names}", dict(figures)


def told(figures: dict[str, Figure]) -> dict[str, Json]:
    """The values of the metrics, None where one does not apply, and the intervals of those that do."""
    known = {name: figures[name] for name in METRICS if name in figures and figures[name].value is not None}
    more = {name: figures[name] for name in ("agreement", "right_where_agreed", "longer_rate") if name in figures}
    values: dict[str, Json] = {name: known[name].value if name in known else None for name in METRICS}
    intervals = {name: [figure.low, figure.high] for name, figure in (known | more).items() if figure.low is not None}
    return {**values, **{name: figure.value for name, figure in more.items()}, "intervals": intervals}


def main() -> None:
    """Print the cards."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found = {name: told(figures) for name, figures in cards(args.data, args.replicates)}
    if args.json:
        sys.stdout.write(json.dumps(found, indent=1) + "\n")
        return
    rows: list[list[Json]] = [
        [name, *(None if values[one] is None else f"{values[one]:.4f}" for one in METRICS)]
        for name, values in found.items()
    ]
    Console().table(("who", *METRICS), rows, right=METRICS)


if __name__ == "__main__":
    main()
