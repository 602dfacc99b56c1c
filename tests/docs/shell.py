"""Runs the shell commands of a page as somebody would who types them one after the other in one terminal.

`cd` and `export` hold for what follows. A plain `tenet ...` runs in this process through click, since torch is then
imported once and not once a command; what goes on until it is stopped (a served page, a watch) is waited for and
stopped as Ctrl-C stops it; the rest goes to bash. Knows nothing of pages and of Markdown.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from threading import Event, Lock, Thread, main_thread
from unittest import mock

from click.testing import CliRunner

from tenet.cli import cli

ROOT = Path(__file__).parents[2]
LONGEST = 1200  # seconds; a command of the docs that takes longer is stuck (the machine may be busy with much else)
INTERRUPTED = 130
EXIT_CODE = re.compile(r"\bexits with (\d+)( where| if)?")
OPERATORS = frozenset("|&;()")
SHELL_ONLY = re.compile(r"[|&;<>$`*?(){}\[\]~!]")
STAYING = (("view",), ("labels", "page"), ("principles", "watch"), ("serve", "rewards"), ("serve", "judge"))
"""Commands that go on until they are stopped."""
READY = re.compile(r"http://127\.0\.0\.1:(?P<port>\d+)|Ctrl-C")


class CommandFailed(AssertionError):
    """A command of a page did not end as the page says."""


@dataclass(frozen=True)
class Command:
    """One command: its text without its comment, and the exit codes that the page promises."""

    text: str
    codes: tuple[int, ...] = (0,)

    @property
    def words(self) -> list[str]:
        """Its words."""
        return shlex.split(self.text)

    @property
    def is_plain(self) -> bool:
        """Whether it is a program with its words and nothing that only a shell understands."""
        bare = re.sub(r"'[^']*'", "", self.text)
        return not SHELL_ONLY.search(bare) and "=" not in self.words[0]

    @property
    def stays(self) -> bool:
        """Whether it is a command of Tenet's that goes on until it is stopped."""
        words = self.words
        asks = {"--help", "-h"} & set(words)
        return words[0] == "tenet" and not asks and any(tuple(words[1 : 1 + len(one)]) == one for one in STAYING)


def commands(block: str) -> list[Command]:
    """The commands of a block, one a line (or several with && between); a line that ends in a backslash goes on in the next one."""
    found = []
    for line in re.sub(r"\\\n\s*", "", block).splitlines():
        text, comment = _parted(line)
        if text:
            *first, last = [text] if {"'", '"'} & set(text) else re.split(r"\s+&&\s+", text)
            found += [*map(Command, first), Command(last, _codes(comment))]
    return found


def tenet_words(command: Command) -> list[list[str]]:
    """The words after `tenet` of each call of Tenet in a command, wherever it stands in a pipe or behind variables."""
    lexer = shlex.shlex(re.sub(r"\b\d>", ">", command.text), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    calls: list[list[str]] = [[]]
    for word in lexer:
        if set(word) <= OPERATORS:
            calls.append([])
        else:
            calls[-1].append(word)
    return [call[1:] for call in map(_without_redirections, calls) if call[:1] == ["tenet"]]


def _without_redirections(words: list[str]) -> list[str]:
    """A simple command without the variables before it and the files that it reads from or writes to."""
    kept: list[str] = []
    aside = False
    for word in words:
        if aside:
            aside = False
        elif word[0] in "<>":
            aside = True
        elif kept or not re.fullmatch(r"\w+=.*", word, re.DOTALL):
            kept.append(word)
    return kept


def _codes(comment: str) -> tuple[int, ...]:
    """The exit codes that a comment promises: "exits with 1", or "exits with 1 where ...", which may as well be 0."""
    told = EXIT_CODE.search(comment)
    if told is None:
        return (0,)
    return (0, int(told[1])) if told[2] else (int(told[1]),)


def _parted(line: str) -> tuple[str, str]:
    """A line's command and its comment; a # within quotes or within a word is neither."""
    quote = ""
    for place, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter == "#" and (place == 0 or line[place - 1].isspace()):
            return line[:place].strip(), line[place:]
    return line.strip(), ""


@dataclass
class Shell:
    """A terminal: the folder that it is in, and its variables."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.variables = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("TENET_", "PYTEST_"))},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "160",
            "NO_COLOR": "1",
            "HF_HUB_OFFLINE": "1",
            **self.variables,
        }

    def run(self, block: str) -> str:
        """Run the commands of a block; gives all that they printed.

        Raises:
            CommandFailed: a command ended with another exit code than the block says; the message has its output.
        """
        said = []
        for command in commands(block):
            code, output = self._run(command)
            said.append(f"$ {command.text}\n{output}")
            if code not in command.codes:
                shown = "\n".join(said)[-8000:]
                wanted = " or ".join(map(str, command.codes))
                raise CommandFailed(f"exit code {code}, not {wanted}: {command.text}\n\n{shown}")
        return "\n".join(said)

    def _run(self, command: Command) -> tuple[int, str]:
        if command.is_plain:
            program, *words = command.words
            match program:
                case "cd":
                    return self._change_folder(words)
                case "export":
                    self.variables.update(word.split("=", 1) for word in words)  # type: ignore[arg-type]
                    return 0, ""
                case "tenet":
                    return self._stay(words) if command.stays else self.tenet(words)
        if command.text.split()[0] in ("cd", "export"):
            return 1, "cd and export hold for what follows only with plain words, without $ and wildcards"
        return self._bash(command.text)

    def tenet(self, words: list[str]) -> tuple[int, str]:
        """Run one of Tenet's commands in this process; gives its exit code and what it printed."""
        with self._here(words):
            result = CliRunner().invoke(cli, words, prog_name="tenet")
        return result.exit_code, result.output

    def _change_folder(self, words: list[str]) -> tuple[int, str]:
        there = self.folder.joinpath(*words)
        if not there.is_dir():
            return 1, f"cd: {words[0]}: there is no such folder"
        self.folder = there.resolve()
        return 0, ""

    def _bash(self, text: str) -> tuple[int, str]:
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", text],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LONGEST,
            check=False,
        )
        return done.returncode, done.stdout.decode("utf-8", "replace")

    def _stay(self, words: list[str]) -> tuple[int, str]:
        """Run a command of Tenet's in this process until it says that it is there, ask it for a page if it has an address,
        and stop it as Ctrl-C does.
        """
        if "serve" in words and "--port" not in words:
            words = [*words, "--port", "0"]  # the usual one may be taken
        said = StringIO()
        stopper = Stopper(said)
        code: object = 0
        with (
            self._here(words),
            mock.patch("webbrowser.open"),
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
            stopper,
        ):
            try:
                cli.main(words, prog_name="tenet")
            except SystemExit as ended:
                code = ended.code
        if stopper.failure:
            return 1, f"{said.getvalue()}\n{stopper.failure}"
        return (0 if code == INTERRUPTED else int(str(code or 0))), said.getvalue()

    @contextlib.contextmanager
    def _here(self, words: list[str]) -> Iterator[None]:
        """Have this process in the terminal's folder, with its variables and a command's words."""
        with (
            contextlib.chdir(self.folder),
            mock.patch.dict(os.environ, self.variables, clear=True),
            mock.patch.object(sys, "argv", ["tenet", *words]),
            _at_most(LONGEST, shlex.join(words)),
        ):
            yield


class Stopper(Thread):
    """Waits until a command of this process says that it is there, asks it for a page if it has an address, and sends Ctrl-C."""

    def __init__(self, said: StringIO) -> None:
        super().__init__(daemon=True)
        self.failure = ""
        self._said = said
        self._ended = Event()
        self._turn = Lock()

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(KeyboardInterrupt), self._turn:  # no Ctrl-C once the command has ended
            self._ended.set()
        self.join()

    def run(self) -> None:
        """The thread."""
        while not (found := READY.search(self._said.getvalue())):
            if self._ended.wait(0.05):
                return
        try:
            if found["port"]:
                _ask(int(found["port"]))
        except (OSError, AssertionError) as error:
            self.failure = f"it did not answer: {error!r}"
        with self._turn:
            if not self._ended.is_set():
                signal.pthread_kill(main_thread().ident or 0, signal.SIGINT)


def _ask(port: int) -> None:
    """Ask what is served at a port of this machine for its first page; any answer will do, since it may want a token."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONGEST)
    connection.request("GET", "/")
    assert connection.getresponse().status < 500
    connection.close()


@contextlib.contextmanager
def _at_most(seconds: int, what: str) -> Iterator[None]:
    """Have a TimeoutError after so many seconds."""

    def late(*_: object) -> None:
        raise TimeoutError(f"{what} took more than {seconds} seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
