"""The files of a new project: settings with a comment beside every key, principles and prompts to edit, and the next commands.

Writes text from templates and asks no model. Knows the names of keys only as the templates have them; that the product takes what is
written is for its tests to hold.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from constitution import shape
from constitution.sources import shipped
from tenet import bundled
from tenet.errors import MissingInput, UsageError
from tenet.runs.atomic import make_folder, storage
from tenet.yamlfile import suggest

Engine = Literal["pocket", "transformers", "vllm", "vllm-server", "http"]
ENGINES: Final[tuple[str, ...]] = get_args(Engine)
TEMPLATES: Final = Path(__file__).resolve().parent / "templates"
SCHEMA: Final = "principles.schema.json"
POLICY, JUDGE = "Qwen/Qwen3-1.7B", "Qwen/Qwen3-8B"
SERVER: Final = "http://127.0.0.1:8000/v1"
_SLOT: Final = re.compile(r"@([A-Z_]+)@")
_SCHEMA_LINE: Final = re.compile(r"# yaml-language-server: .*\n")
_ABOUT_POCKET: Final = """It uses Tenet's two bundled pocket models: every command below works offline, in seconds to minutes on a
laptop. They know a tiny help desk and nothing else, and are no judges of real text: to work on your own prompts, put real models
into `run.yaml` and `train.yaml` (their `engine` and `model` lines) and your prompts into `prompts.jsonl`."""
_ABOUT_REAL: Final = """The first command that uses a model downloads it from the Hugging Face hub, unless `model` is a folder, or a server
has it already. `--limit 20` tries a run on a few prompts first."""


@dataclass(frozen=True)
class Project:
    """What a project is made of. `policy` and `judge` are models; empty ones stand for the engine's own choice."""

    folder: Path
    engine: Engine = "pocket"
    principles: str = ""
    policy: str = ""
    judge: str = ""

    @property
    def name(self) -> str:
        """The run's name: that of the folder, in letters that a run may have."""
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", self.folder.resolve().name).strip("-._")
        return name[:100] or "run"

    @property
    def source(self) -> str:
        """The shipped principles file that is copied."""
        return self.principles or ("pocket/courteous" if self.engine == "pocket" else "helpfulness")

    @property
    def copy(self) -> str:
        """Where the copy lies in the project."""
        return f"principles/{self.source.rpartition('/')[2]}.yaml"

    @property
    def models(self) -> tuple[str, str]:
        """The policy and the judge."""
        if self.engine == "pocket":
            return _model(self.policy or bundled.POLICY), _model(self.judge or bundled.JUDGE)
        return _model(self.policy or POLICY), _model(self.judge or JUDGE)


def write_project(project: Project) -> list[Path]:
    """Write a project's files and give their paths; a file that is there already is never touched.

    Raises:
        MissingInput: no shipped principles file has this name.
        UsageError: the folder is a file, or holds a file of these names already; nothing is written then.
        StorageFailed: the disk is full or not writable.
    """
    found = {project.folder / name: text for name, text in contents(project).items()}
    if project.folder.exists() and not project.folder.is_dir():
        raise UsageError(f"{project.folder} is a file; a project needs a folder.", hint="Choose another name.")
    taken = [str(path) for path in found if path.exists() or path.is_symlink()]
    if taken:
        hint = "Choose another folder, or move them away; nothing was written."
        raise UsageError(f"There already: {', '.join(taken)}.", hint=hint)
    for path, text in found.items():
        with storage(path):
            make_folder(path.parent)
            with path.open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
    return list(found)


def contents(project: Project) -> dict[str, str]:
    """What a project's files hold, by their names in it.

    Raises:
        MissingInput: no shipped principles file has this name.
    """
    slots = _slots(project)
    prompts = "prompts-pocket.jsonl" if project.engine == "pocket" else "prompts.jsonl"
    return {
        "README.md": _filled("README.md", slots),
        "run.yaml": _filled("run.yaml", slots),
        project.copy: _principles(project.source),
        f"principles/{SCHEMA}": json.dumps(shape.schema(), indent=2, ensure_ascii=False) + "\n",
        "prompts.jsonl": _filled(prompts, {}),
        "train.yaml": _filled("train.yaml", slots),
        "blend.yaml": _filled("blend.yaml", slots),
        ".gitignore": _filled("gitignore", {}),
    }


def _model(name: str) -> str:
    """A model as the project's files name it: folders in full, for they are meant from here and not from the project's folder."""
    folder = Path(name).expanduser()
    return str(folder.resolve()) if folder.is_dir() else name


def _slots(project: Project) -> dict[str, str]:
    pocket = project.engine == "pocket"
    policy, judge = project.models
    thinks = "qwen3" in (policy + judge).lower()
    thinking = "chat_template_kwargs: {enable_thinking: false}  # for the chat template; models that think must not\n"
    note = "bundled with Tenet; they know a tiny help desk only" if pocket else "a folder, or a hub id"
    address = f"  base_url: {SERVER}  # the server's address; several are a list\n"
    return {
        "NAME": project.name,
        "TITLE": project.folder.resolve().name or project.name,
        "PRINCIPLES": project.copy,
        "ENGINE": "transformers" if pocket else project.engine,
        "POLICY": _quoted(policy),
        "JUDGE": _quoted(judge),
        "POLICY_WORD": shlex.quote(policy),
        "JUDGE_WORD": shlex.quote(judge),
        "MODEL_NOTE": note,
        "LEARNING_RATE": "learning_rate: 5e-4  # for models this tiny; otherwise"
        if pocket
        else "# learning_rate: 1e-6  #",
        "BASE_URL": address if project.engine == "http" else "",
        "MAX_TOKENS": "128" if pocket else "512",
        "THINKING": f"  {'' if thinks else '# '}{thinking}",
        "ABOUT": _ABOUT_POCKET if pocket else _ABOUT_REAL,
    }


def _filled(template: str, slots: dict[str, str]) -> str:
    """A template with its slots filled in one pass, so that no value is read as a template."""
    text = (TEMPLATES / template).read_text(encoding="utf-8")
    return _SLOT.sub(lambda slot: slots[slot[1]], text)


def _quoted(value: str) -> str:
    """A text as YAML takes it anywhere."""
    return json.dumps(value, ensure_ascii=False)


def _principles(name: str) -> str:
    """A shipped file, to be edited.

    Raises:
        MissingInput: none has this name.
    """
    library = shipped()
    if name not in library:
        hint = suggest(name, library) or f"shipped files: {', '.join(library)}"
        raise MissingInput(f"no shipped principles file {name}", hint=hint)
    head = f"# yaml-language-server: $schema={SCHEMA}\n# A copy of Tenet's {name}, for you to edit.\n"
    return head + _SCHEMA_LINE.sub("", library[name].read_text(encoding="utf-8"), count=1)
