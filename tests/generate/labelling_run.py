"""A small judged run to label, and the labelling page as a process of its own."""

from __future__ import annotations

import atexit
import http.client
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from generate.pipeline import Order, generate
from tenet.config import load_config
from tenet.runconfig import RunConfig
from tests.generate.runs_example import quiet, start, write_principles, write_rows

DEADLINE = 120.0


def make_run(folder: Path, prompts: int, *, extra: str = "") -> Path:
    """Judge two given responses to each of so many prompts; `extra` stands in every prompt and response."""
    folder.mkdir(parents=True, exist_ok=True)
    write_principles(folder / "principles.yaml", ("kind", "tidy"))
    rows = [
        {
            "prompt": f"Question {number}: what should I do about it?\n{extra}",
            "responses": [
                f"Answer {number}: wait.\n{extra}",
                f"Answer {number}: ask somebody who knows, and write down what they say.\n{extra}",
            ],
            "tags": ["harmful"] if number % 4 == 0 else [],
        }
        for number in range(prompts)
    ]
    samples = write_rows(folder / "samples.jsonl", rows)
    (folder / "run.yaml").write_text(
        f"name: run\nprinciples: {folder / 'principles.yaml'}\nsamples: {{path: {samples}}}\ncritique: none\n"
        "judge: {engine: scripted, model: longer, options: {noise: 3.0, batch: 16}}\n"
    )
    config = load_config(folder / "run.yaml", RunConfig)
    with generate(Order(config, folder / "runs" / "run", "tenet generate run.yaml"), quiet()) as run:
        return run.path


@dataclass
class Served:
    """A page of a run, as `tenet labels page` or `tenet view` serves it."""

    process: subprocess.Popen[bytes]
    address: str

    @property
    def port(self) -> int:
        """Its port."""
        port = urlsplit(self.address).port
        assert port is not None
        return port

    @property
    def token(self) -> str:
        """Its token."""
        return self.address.rpartition("token=")[2]

    def request(
        self, method: str, path: str, body: str | None = None, **headers: str
    ) -> tuple[int, str, dict[str, str]]:
        """Ask as a program would; header names are written with _ for -. Status, body and headers of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        data = None if body is None else body.encode()
        if data is not None:
            connection.putheader("Content-Length", str(len(data)))
        connection.endheaders(data)
        answer = connection.getresponse()
        found = answer.status, answer.read().decode(), {name.lower(): value for name, value in answer.getheaders()}
        connection.close()
        return found

    def kill(self) -> None:
        """Kill -9."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ctrl-C; gives the exit code."""
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGINT)
        return self.process.wait(timeout=DEADLINE)


def serve(run: Path, log: Path, *words: str, command: str = "labels page") -> Served:
    """Start a page of a run and wait until it says where it is."""
    before = log.stat().st_size if log.exists() else 0
    process = start([sys.executable, "-m", "tenet", *command.split(), str(run), "--no-open", *words], log)
    atexit.register(process.kill)  # for a test that fails before it stops the page; nothing where it has ended
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        said = log.read_bytes()[before:].decode() if log.exists() else ""
        if found := re.search(r"(?:Labelling page|View): (\S+)\n", said):
            return Served(process, found[1])
        if process.poll() is not None:
            raise AssertionError(f"the page ended with {process.returncode}:\n{said}")
        time.sleep(0.1)
    process.kill()
    raise AssertionError("the page did not start")
