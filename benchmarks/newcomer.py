"""Walk the newcomer's path: a fresh clone, a fresh environment, and every command of the first pages as it is printed there.

    python -m benchmarks.newcomer --folder build/newcomer        # clone, make setup, README's first part, the quickstart
    python -m benchmarks.newcomer --folder build/newcomer --setup PATH/TO/.venv --pages docs/quickstart.md    # a quick look

The blocks are taken from the pages of the clone: `sh` blocks run in bash, command by command, with the variables and the folder that
the ones before left; blocks with a title are written; `python` blocks run in the clone's Python. Blocks that the tests of the docs skip
run here too; only `make setup` (it was the first step), `make test` (a job of its own) and what needs a GPU are left out, and said. A
page that is served (`tenet labels page`, `tenet view`) is opened with its token; on the labelling page ten pairs are labelled through
the interface that its buttons use. Each command's seconds and exit code make a row; they hold for this machine and what else it does.
Exits 1 where a command does not end as its page says.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from markdown_it import MarkdownIt

from tenet.console import Console
from tenet.ids import Json

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "docs/quickstart.md")
FIRST_PART = {"README.md": "## "}
"""Pages of which only the part before the first heading like this is walked: the rest speaks of runs that are not there yet."""
LEFT_OUT = (
    (re.compile(r"make test\b"), "has a job of its own"),
    (re.compile(r"(git clone|make setup)\b"), "was the first step"),
)
GPU = re.compile(r'<!--+\s*skip: next "needs a GPU"\s*--+>')
SERVED = re.compile(r"tenet (labels page|view)\b")
ADDRESS = re.compile(r"(http://127\.0\.0\.1:\d+/\?token=\S+)")
PROMISED = re.compile(r"#.*\bexits with (\d+)")
LABELS = 10
LONGEST = 3600
DEADLINE = 180.0


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its language, its title if it is a file, its text and its first line."""

    page: str
    line: int
    language: str
    title: str
    text: str


@dataclass(frozen=True)
class Step:
    """A command that ran: where it stands, what was typed, how long it took, how it ended and how it was to end."""

    where: str
    command: str
    seconds: float
    code: int
    promised: int = 0
    remark: str = ""


@dataclass
class Walk:
    """A newcomer at a terminal: the folder and the variables that the last command left, and the steps so far."""

    folder: Path
    variables: dict[str, str]
    console: Console
    steps: list[Step] = field(default_factory=list)

    def run(self, where: str, command: str, *, promised: int = 0) -> Step:
        """Run one command in bash; what it says goes to `walk.log` beside the clone."""
        began = time.monotonic()
        if SERVED.match(command):
            code, remark = self._serve(command)
        else:
            code, remark = self._bash(command), ""
        step = Step(where, command, round(time.monotonic() - began, 1), code, promised, remark)
        self.steps.append(step)
        self.console.say(
            f"{step.seconds:7.1f} s  exit {step.code}  {step.where}  {shown(step.command)} {remark}".rstrip()
        )
        return step

    def _bash(self, command: str) -> int:
        with tempfile.TemporaryDirectory() as aside:
            state = Path(aside) / "state"
            script = f"{command}\ncode=$?\n(pwd; env -0) > {shlex.quote(str(state))}\nexit $code\n"
            with self.log.open("ab") as log:
                log.write(f"\n$ {command}\n".encode())
                log.flush()
                done = subprocess.run(
                    ["bash", "-c", script], cwd=self.folder, env=self.variables, stdin=subprocess.DEVNULL,
                    stdout=log, stderr=subprocess.STDOUT, timeout=LONGEST, check=False,
                )  # fmt: skip
            if state.is_file():
                where, _, variables = state.read_text(encoding="utf-8").partition("\n")
                self.folder = Path(where)
                self.variables = dict(one.split("=", 1) for one in variables.split("\0") if "=" in one)
        return done.returncode

    def _serve(self, command: str) -> tuple[int, str]:
        """Start a command that serves a page, do there what a person would, and end it by Ctrl-C."""
        said = self.log.with_name("served.log")
        with said.open("wb") as out:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {command}"], cwd=self.folder, env=self.variables, stdin=subprocess.DEVNULL,
                stdout=out, stderr=subprocess.STDOUT,
            )  # fmt: skip
        try:
            address = _address(said, process)
            remark = label(address, LABELS) if "labels" in command else look(address)
            process.send_signal(signal.SIGINT)
            code = process.wait(timeout=DEADLINE)
        finally:
            process.kill()
        with self.log.open("ab") as log:
            log.write(f"\n$ {command}\n".encode() + said.read_bytes())
        return code, remark

    @property
    def log(self) -> Path:
        """Everything that was printed."""
        return Path(self.variables["NEWCOMER_LOG"])


def _address(said: Path, process: subprocess.Popen[bytes]) -> str:
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until and process.poll() is None:
        if found := ADDRESS.search(said.read_text(encoding="utf-8", errors="replace")):
            return found[1]
        time.sleep(0.1)
    raise RuntimeError(f"no page came up:\n{said.read_text(encoding='utf-8', errors='replace')}")


def ask(address: str, path: str, told: Mapping[str, Json] | None = None) -> str:
    """Ask a served page as its own script does: with its token, and JSON where something is told."""
    parts = urlsplit(address)
    token = address.rpartition("token=")[2]
    own = {
        "Cookie": f"tenet_labels_{parts.port}={token}",
        "Origin": f"http://{parts.netloc}",
        "Content-Type": "application/json",
    }
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    connection.request("GET" if told is None else "POST", path, None if told is None else json.dumps(told), own)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    if answer.status >= 400:
        raise RuntimeError(f"{path}: {answer.status} {text}")
    return text


def label(address: str, count: int) -> str:
    """Label so many pairs on the labelling page as somebody who likes short answers; gives what was done."""
    state = json.loads(ask(address, "/api/item?annotator=newcomer"))
    given = 0
    while given < count and state["item"] is not None:
        item = state["item"]
        first, second = map(len, item["responses"])
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        told = {"key": item["key"], "annotator": "newcomer", "choice": "1" if first <= second else "2",
                "first": item["first"], "occasion": item["occasion"], "time": now}  # fmt: skip
        state = json.loads(ask(address, "/api/label", told))
        given += 1
    return f"{given} pairs labelled on the page"


def look(address: str) -> str:
    """Open a served page."""
    parts = urlsplit(address)
    ask(address, f"{parts.path}?{parts.query}")
    return "the page opens"


def blocks(root: Path, page: str) -> Iterator[Block]:
    """The fenced blocks of a page that are run or written, in their order."""
    text = (root / page).read_text(encoding="utf-8")
    if heading := FIRST_PART.get(page):
        text = text.partition(f"\n{heading}")[0]
    skipped = False
    for token in MarkdownIt().parse(text):
        if token.type == "html_block" and GPU.search(token.content):
            skipped = True
        if token.type != "fence" or token.map is None:
            continue
        language, _, rest = token.info.partition(" ")
        title = found[1] if (found := re.search(r'title="([^"]+)"', rest)) else ""
        if not skipped and (title or language in ("sh", "python")):
            yield Block(page, token.map[0] + 1, language, title, token.content)
        skipped = False


def walk_page(walk: Walk, root: Path, page: str) -> None:
    """Do what a page says, from its top to its end, beginning in the clone."""
    walk.folder = root
    for block in blocks(root, page):
        where = f"{page}:{block.line}"
        if block.title:
            path = walk.folder / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            script = walk.log.with_name("block.py")
            script.write_text(block.text, encoding="utf-8")
            walk.run(where, f"python {shlex.quote(str(script))}")
        else:
            for line in re.sub(r"\\\n\s*", "", block.text).splitlines():
                _line(walk, where, line)


def _line(walk: Walk, where: str, line: str) -> None:
    promised = int(found[1]) if (found := PROMISED.search(line)) else 0
    command = re.sub(r"(^|\s+)#.*$", "", line).strip()
    reason = next((why for pattern, why in LEFT_OUT if pattern.match(command)), "")
    if reason:
        walk.console.say(f"   left out          {where}  {command}: {reason}")
    elif command:
        walk.run(where, command, promised=promised)


def shown(command: str) -> str:
    """A command as the table has it: one line, not too long."""
    words = re.sub(r"python \S+/block\.py", "(the page's Python)", command).replace(
        shlex.quote(str(ROOT)), "(this checkout)"
    )
    return words if len(words) <= 100 else words[:97] + "..."


def begin(folder: Path, setup: Path | None, console: Console) -> tuple[Walk, Path]:
    """Clone and install: a checkout with an environment of its own, or with the one that is given."""
    clone = folder / "tenet"
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    variables = {
        **kept,
        "BROWSER": "true",
        "NEWCOMER_LOG": str(folder / "walk.log"),
        "PATH": f"{clone / '.venv/bin'}:{kept['PATH']}",
    }
    walk = Walk(folder, variables, console)
    walk.run("first", f"git clone --quiet {shlex.quote(str(ROOT))} tenet")
    walk.folder = clone
    if setup is None:
        walk.run("first", "make setup")
    else:
        (clone / ".venv").symlink_to(setup.resolve(), target_is_directory=True)
        walk.variables["PYTHONPATH"] = str(clone)
    return walk, clone


def main() -> None:
    """Walk, print the table, and say whether everything went as the pages say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where to clone; must not be there yet")
    parser.add_argument("--setup", type=Path, help="take this environment instead of making one")
    parser.add_argument("--pages", nargs="+", default=list(PAGES), help="which pages to walk")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    console = Console(json=args.json)
    args.folder.mkdir(parents=True)
    walk, clone = begin(args.folder.resolve(), args.setup, console)
    for page in args.pages:
        walk_page(walk, clone, page)
    console.table(
        ["where", "command", "seconds", "exit", "remark"],
        [[one.where, shown(one.command), f"{one.seconds:.1f}", one.code, one.remark] for one in walk.steps],
        right={"seconds"},
        title=f"The newcomer's path: {len(walk.steps)} commands, {sum(one.seconds for one in walk.steps) / 60:.1f} minutes",
    )
    if any(one.code != one.promised for one in walk.steps):
        sys.exit(1)


if __name__ == "__main__":
    main()
