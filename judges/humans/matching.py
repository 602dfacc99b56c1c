"""Which labels are about pairs that a run holds: by the ids of two samples of the prompt, else by prompt and texts. Knows no label file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tenet.ids import content_id
from tenet.records import Label, Sample, prompt_id
from tenet.runs import Run

SAMPLES = "samples"


def known_pairs(path: Path) -> Callable[[Label], bool] | None:
    """A test whether the run at `path` holds both responses of a label; None where there is no run, or it has no samples yet."""
    if not (path / "run.json").is_file():
        return None
    held: set[bytes] = set()
    with Run.read(path) as run:
        if SAMPLES not in run.manifest.stages:
            return None
        for sample in run.stage(SAMPLES, Sample).records(ok=None):
            held.add(bytes.fromhex(content_id("sample", sample.id)))
            held.add(bytes.fromhex(content_id("text", sample.prompt_id, sample.text.strip())))

    def there(*parts: str) -> bool:
        return bytes.fromhex(content_id(*parts)) in held

    def known(label: Label) -> bool:
        ids = (label.response_a_id, label.response_b_id)
        if all(name is not None and there("sample", name) for name in ids):
            return True
        prompt = prompt_id(label.prompt)
        return there("text", prompt, label.response_a.strip()) and there("text", prompt, label.response_b.strip())

    return known
