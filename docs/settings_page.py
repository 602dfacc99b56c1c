"""Write `docs/settings.md` from the dataclasses that hold the settings, or check that it still is what they say.

    python -m docs.settings_page           # write
    python -m docs.settings_page --check   # exit 1 and name the command that mends it, if the page is stale

Knows which files of settings there are and which class each is read into; the keys and their words are the product's own (`docs.keys`).
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from docs.keys import Key, as_paragraphs, keys_of, words_beside_keys, words_of_flags
from docs.pages import linked, settle
from engines.registry import ENGINES
from generate.blend.config import BlendConfig
from generate.project.write import Project, contents
from tenet.pipeline.config import PipelineConfig
from tenet.runconfig import RunConfig
from train.cli import evaluate
from train.config import (
    DpoConfig,
    KtoConfig,
    OnlineDpoConfig,
    PpoConfig,
    RewardConfig,
    RlConfig,
    RlooConfig,
    SftConfig,
    TrainConfig,
)
from train.measures.cli import evaluate_curve
from train.measures.curve import CurveConfig
from train.measures.model import EvaluateConfig

PAGE = Path(__file__).parent / "settings.md"
HEAD = """# Settings

Written by `make docs` from the code that reads the settings; edit that, not this page.

Every key of every file of settings, with what it takes and what it is where you leave it out. `tenet init` writes the first
three files with a comment beside the usual keys; `examples/` has blends and pipelines. Any key can be given on the command line:

```sh
tenet init support
cd support
tenet generate run.yaml --dry-run --set judge.principles=each --set policy.temperature=0.8
```

All that is wrong with a file is told at once, with its lines. A single value may stand for a list of one. A *path* is a file or
folder that has to be there: in a file of settings it is meant from that file's folder, on the command line from the current one.
Where *path or name* stands, the name of a shipped principles file will do, or of a model or data set on the Hugging Face hub. A
dash among the defaults is "none".
"""
RUN_FILE = words_beside_keys(contents(Project(Path("support"), engine="http"))["run.yaml"])
TRAIN_FILE = words_beside_keys(contents(Project(Path("support")))["train.yaml"])
BLEND_FILE = words_beside_keys(contents(Project(Path("support")))["blend.yaml"])


@dataclass(frozen=True)
class File:
    """A file of settings, or what a command takes by `--set`: the class that holds it, and words for keys by table ("" is the top)."""

    name: str
    holds: type
    about: str
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


FILES = (
    File("run.yaml", RunConfig, "What `tenet generate run.yaml` does.", RUN_FILE),
    File(
        "train.yaml",
        TrainConfig,
        "What a training does, as in `tenet train dpo train.yaml`.",
        TRAIN_FILE,
    ),
    File("blend.yaml", BlendConfig, "What `tenet blend RUN --config blend.yaml` does: docs/blending.md.", BLEND_FILE),
    File("pipeline.yaml", PipelineConfig, "What `tenet pipeline pipeline.yaml` does: docs/pipeline.md."),
    File(
        "tenet evaluate",
        EvaluateConfig,
        "There is no file: flags and `--set` say it all (docs/evaluate.md).",
        {"": words_of_flags(evaluate)},
    ),
    File(
        "tenet evaluate-curve",
        CurveConfig,
        "There is no file: flags and `--set` say it all (docs/evaluate.md).",
        {"": words_of_flags(evaluate_curve)},
    ),
)
METHODS: tuple[tuple[str, type[TrainConfig], type[TrainConfig]], ...] = (
    ("sft", SftConfig, TrainConfig),
    ("reward", RewardConfig, TrainConfig),
    ("dpo", DpoConfig, TrainConfig),
    ("kto", KtoConfig, TrainConfig),
    ("online-dpo", OnlineDpoConfig, TrainConfig),
    ("ppo and rloo", RlConfig, TrainConfig),
    ("ppo", PpoConfig, RlConfig),
    ("rloo", RlooConfig, RlConfig),
)
"""Every method with its class, and the class whose keys have been shown by then."""


def page() -> str:
    """The whole page as it should be.

    Raises:
        LookupError: a key that nobody says what it is for.
    """
    parts = [HEAD]
    for file in FILES:
        parts += [f"## {file.name}\n", f"{linked(file.about)}\n", *_tables(file)]
        if file.holds is TrainConfig:
            parts += [part for method in METHODS for part in _method(*method)]
    return "\n".join([*parts, *_engines()])


def _engines() -> Iterator[str]:
    """Yield what the engines' own docstrings say of their options; read, not imported, for engines import torch."""
    yield "## Options of the engines\n"
    yield "What `options` of a policy or a judge may hold, by `engine`. What a plug-in's engine takes, it says itself.\n"
    for name, address in ENGINES.items():
        module, _, cls = address.partition(":")
        source = Path(__file__).parents[1] / f"{module.replace('.', '/')}.py"
        (made,) = [
            one
            for one in ast.parse(source.read_text("utf-8")).body
            if isinstance(one, ast.ClassDef) and one.name == cls
        ]
        about, *more = as_paragraphs(ast.get_docstring(made) or "")
        options = [one for one in more if one.startswith("Options")]
        if options:
            yield "\n".join([f"### Options of {name}\n", f"{about}\n", *(f"{one}\n" for one in options)])


def _tables(file: File) -> Iterator[str]:
    """Yield a file's own keys, and then a section for each table in it."""
    yield from _prose(file.holds)
    keys = keys_of(file.holds, file.words.get("", {}))
    yield _rows(keys)
    yield from _inner(keys, file)


def _method(name: str, cls: type[TrainConfig], shown: type[TrainConfig]) -> Iterator[str]:
    """Yield the keys that a method has beyond those shown, and its other defaults."""
    yield f"### train.yaml for {name}\n"
    yield from _prose(cls)
    before = {key.name: key for key in keys_of(shown, TRAIN_FILE[""])}
    keys = keys_of(cls, TRAIN_FILE[""])
    changed = [
        f"`{key.name}: {key.default}`" for key in keys if key.name in before and key.default != before[key.name].default
    ]
    if changed:
        yield f"By default {', '.join(changed)}.\n"
    own = [key for key in keys if key.name not in before]
    if own:
        file = File(f"train.yaml for {name}", cls, "")
        yield _rows(own)
        yield from _inner(own, file)


def _inner(keys: list[Key], file: File) -> Iterator[str]:
    """Yield a section for each class of tables below these keys, once, under all the keys that take it."""
    places: dict[type, list[str]] = {}
    waiting = [(key.name, key) for key in keys]
    while waiting:
        path, key = waiting.pop(0)
        if key.holds is None:
            continue
        if key.holds not in places:
            below = keys_of(key.holds, file.words.get(path, {}))
            waiting += [(f"{path}.{one.name}", one) for one in below if one.holds is not key.holds]
        places.setdefault(key.holds, []).append(path)
    for cls, paths in places.items():
        yield f"### {_title(paths, file.name)}\n"
        yield from _prose(cls)
        yield _rows(keys_of(cls, file.words.get(paths[0], {})), cls)


def _title(paths: list[str], name: str) -> str:
    return f"{' and '.join(f'`{path}`' for path in paths)} in {name}"


def _prose(cls: type) -> Iterator[str]:
    for paragraph in as_paragraphs(inspect.cleandoc(cls.__doc__ or "")):
        yield f"{linked(paragraph)}\n"


def _rows(keys: list[Key], cls: type | None = None) -> str:
    """A table of keys, those of `cls` where one of them takes tables of that class again."""
    lines = ["| key | takes | default | what it is for |", "|---|---|---|---|"]
    for key in keys:
        kind = (
            key.kind
            if key.holds is None
            else f"{key.kind}, these keys again"
            if key.holds is cls
            else f"{key.kind}, below"
        )
        default = "*required*" if key.required else f"`{key.default}`" if key.default else "-"
        lines.append(f"| `{key.name}` | {kind} | {default} | {_cell(key.words)} |")
    return "\n".join(lines) + "\n"


def _cell(words: str) -> str:
    """Words as they stand in a table: a sentence's beginning, and no stop at its end."""
    words = linked(words).removesuffix(".").replace("|", "\\|")
    return words if re.match(r"\W", words) else words[0].upper() + words[1:]


def main(arguments: list[str]) -> int:
    """Write the page, or with `--check` compare it; returns the exit code."""
    return settle(PAGE, page(), "the settings", arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
