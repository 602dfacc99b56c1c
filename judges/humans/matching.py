"""How labels name the responses of a run: by the ids of samples, else by prompt and text, outer white space apart. Knows no label file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from tenet.ids import content_id
from tenet.records import Label, Sample, prompt_id
from tenet.runs import Run

SAMPLES = "samples"


class Texts:
    """Finds the samples that labels name by their texts; of several samples of a prompt with one text the first stands."""

    def __init__(self, samples: Iterable[Sample] = ()) -> None:
        self._ids: dict[tuple[str, str], str] = {}
        self.add(samples)

    def add(self, samples: Iterable[Sample]) -> None:
        """Know these samples too."""
        for one in samples:
            self._ids.setdefault((one.prompt_id, one.text.strip()), one.id)

    def __call__(self, prompt: str, text: str) -> str | None:
        """The id of a response by its prompt's id and its text; None where there is none."""
        return self._ids.get((prompt, text.strip()))


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
