"""How quick `tenet view` is over many pairs: the first page, every filter, every order and searches of all texts, asked over HTTP.

    python -m benchmarks.view_rows --pairs 1000000

Makes a run of four pairs a prompt, each of two responses of its own and judged in both orders, as Parquet shards in the columns of
the stages (responses of 95 words out of 2,000, prompts of 25). Then it starts the command and asks as the page does: each line is the
first request of its kind, so no search is answered from what an earlier one kept. Memory is the most that the server ever held, the
making of the index included. Knows nothing of the page itself, which the browser's test opens.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from generate.shards import PROMPTS_PER_SHARD
from generate.view.index import connect
from tenet.console import Console
from tenet.ids import Json, file_digest
from tenet.records import Judgement, Preference, PreferencePair, Prompt, Sample
from tenet.runs import Counts, Fingerprint, Run, StageEntry
from tenet.runs.manifest import ManifestFile
from tenet.runs.published import ShardEntry

PAIRS_A_PROMPT = 4
BOUND_SECONDS, BOUND_MIB = 1.5, 1000
BOOKS = "true AS _ok, 1::BIGINT AS _attempts, '' AS _reason"
WORDS = [
    f"{a}{b}{c}" for a in "bdfgklmnprst" for b in ("a", "ei", "o", "u") for c in ("ming", "lo", "rest", "n", "tika")
]
WORDS += [f"{one}{end}" for one in WORDS for end in ("", "s", "ed", "er", "ly", "al", "ness")][: 2000 - len(WORDS)]
PRINCIPLES = ["kind", "tidy", "brief", "exact", "calm"]
REQUESTS = {
    "first page": "",
    "last page": "page={last}",
    "run": "run=view-rows",
    "principle": "principle=exact",
    "judge": "judge=org/judge-b",
    "source": "source=blend",
    "state": "state=people",
    "outcome": "outcome=tie",
    "split": "split=test",
    "tag": "tag=safety",
    "flipped": "flipped=yes",
    "people": "people=unlabelled",
    "margin": "least=0.5&most=1",
    "text, a word": "text=ratikaness",
    "text, a part of a word": "text=ika",
    "text, two words and a phrase": 'text="bamings ratika" lo',
    "text, one prompt only": "text=123457?",
    "text, nothing": "text=unheard",
    "four filters": "principle=kind&flipped=no&split=train&least=1",
    "text and filters": "text=ratikaly&principle=kind&flipped=no",
    "order: surest": "sort=sure",
    "order: least sure": "sort=unsure",
    "order: orders apart": "sort=apart",
    "order: longer": "sort=longer",
    "order and filter": "sort=unsure&principle=calm",
}


@dataclass(frozen=True)
class Timed:
    """One request: how many pairs it found, and how long it took."""

    what: str
    found: int
    seconds: float


def make_run(path: Path, prompts: int, spare: Path) -> int:
    """Write the run; gives the bytes of its shards."""
    fingerprint = Fingerprint(identity={})
    judge: dict[str, Json] = {"model": "org/judge-a", "kind": "pairwise"}
    with Run.open(path, {"judge": judge, "principles": "none.yaml"}, fingerprint, command="tenet generate") as run:
        folder = run.path
    stages = {
        "prompts": Prompt, "samples": Sample, "judgements": Judgement, "preferences": Preference, "pairs": PreferencePair,
        "for-people": PreferencePair,
    }  # fmt: skip
    entries: dict[str, dict[int, ShardEntry]] = {name: {} for name in stages}
    database = connect(":memory:", scratch=spare)
    database.execute("CREATE TABLE vocabulary AS SELECT ? AS words", [WORDS])
    database.execute(
        "CREATE MACRO said(n, many) AS (SELECT list_aggregate(list_transform(range(many), "
        f"lambda i: words[1 + (hash(n * 1000 + i) % {len(WORDS)})::INTEGER]), 'string_agg', ' ') FROM vocabulary)"
    )
    for name in stages:
        (folder / name).mkdir()
    for shard in range(-(-prompts // PROMPTS_PER_SHARD)):
        begin, end = shard * PROMPTS_PER_SHARD, min(prompts, (shard + 1) * PROMPTS_PER_SHARD)
        for name, select in _selects(begin, end).items():
            file = folder / name / f"{shard:05d}.parquet"
            rows = database.execute(f"COPY ({select}) TO '{file}' (FORMAT parquet, COMPRESSION zstd)").fetchall()[0][0]
            entries[name][shard] = ShardEntry(file.stat().st_size, file_digest(file), Counts(rows, 0, {}))
    database.close()
    manifest = ManifestFile(folder)
    for name, kind in stages.items():
        manifest.update(
            lambda held, name=name, kind=kind: held.with_stage(
                name, StageEntry(kind.__name__, None, 0, "", entries[name])
            )  # type: ignore[misc]
        )
    return sum(entry.bytes for held in entries.values() for entry in held.values())


def _selects(begin: int, end: int) -> dict[str, str]:
    """The rows of a shard's stages in SQL."""
    prompt = "printf('%024x', n)"
    pairs = (
        f"(SELECT n, k, {prompt} AS prompt_id, printf('%020xaaaa', n * 4 + k) AS a, printf('%020xbbbb', n * 4 + (k + 1) % 4) AS b, "
        "(0.5 + (hash(n * 4 + k) % 1000) / 2010.0)::DOUBLE AS p, hash(n * 7 + k) % 10 < 2 AS flipped, "
        f"{PRINCIPLES}[1 + n % {len(PRINCIPLES)}] AS principle "
        f"FROM range({begin}, {end}) r(n), range({PAIRS_A_PROMPT}) s(k))"
    )
    samples = (
        f"SELECT printf('%s', id) AS _key, {BOOKS}, id, {prompt} AS prompt_id, k::BIGINT AS index, said(n * 8 + k + h * 4, 95) AS text, "
        "'org/policy' AS policy, 'stop' AS finish "
        f"FROM (SELECT n, k, h, printf(['%020xaaaa', '%020xbbbb'][h + 1], n * 4 + k) AS id FROM range({begin}, {end}) r(n), "
        "range(4) s(k), range(2) t(h))"
    )
    taken = (
        f"SELECT a AS _key, {BOOKS}, a || b AS id, prompt_id, a AS chosen_id, b AS rejected_id, p AS p_chosen, 1.0::DOUBLE AS weight, "
        "ln(p / (1 - p)) / 2 AS score_chosen, -ln(p / (1 - p)) / 2 AS score_rejected, "
        "CASE WHEN n % 10 = 0 THEN 'blend' ELSE 'ai' END AS source, [principle] AS principles, flipped, 2::BIGINT AS judgements "
        f"FROM {pairs}"
    )
    return {
        "prompts": f"SELECT printf('%012d', n) AS _key, {BOOKS}, {prompt} AS id, [{{'role': 'user', 'content': "
        "'About ' || n || '? ' || said(n, 25)}] AS messages, CASE WHEN n % 20 = 0 THEN ['safety'] ELSE []::VARCHAR[] END AS tags, "
        f"'' AS source FROM range({begin}, {end}) r(n)",
        "samples": samples,
        "judgements": f"SELECT a || o AS _key, {BOOKS}, a || o AS id, prompt_id, CASE WHEN o = 0 THEN a ELSE b END AS first_id, "
        "CASE WHEN o = 0 THEN b ELSE a END AS second_id, CASE WHEN n % 3 = 0 THEN 'org/judge-b' ELSE 'org/judge-a' END AS judge, "
        "CASE WHEN n % 50 = 7 THEN 'tie' WHEN o = 0 THEN 'first' ELSE 'second' END AS outcome, "
        "CASE WHEN o = 0 THEN p ELSE 1 - p END AS p_first, 0.99::DOUBLE AS label_mass, principle "
        f"FROM {pairs}, range(2) t(o)",
        "preferences": f"SELECT a AS _key, {BOOKS}, prompt_id, least(a, b) AS a_id, greatest(a, b) AS b_id, "
        "CASE WHEN a < b THEN p ELSE 1 - p END AS p_a, CASE WHEN a < b THEN p ELSE 1 - p END AS p_shown_a, "
        "CASE WHEN a < b THEN p ELSE 1 - p END AS p_shown_b, flipped, 2::BIGINT AS judgements, [principle] AS principles "
        f"FROM {pairs}",
        "pairs": f"{taken} WHERE n % 8 <> 3",
        "for-people": f"{taken} WHERE n % 8 = 3",
    }


@contextmanager
def served(run: Path, log: Path) -> Iterator[tuple[int, int, str, float]]:
    """The command at work: its process, port, token, and the seconds until it said its address."""
    words = [sys.executable, "-m", "tenet", "view", str(run), "--no-open"]
    began = time.perf_counter()
    with log.open("wb") as out:
        process = subprocess.Popen(words, stdout=out, stderr=out)
    try:
        while not (found := re.search(r"View: (\S+)\n", log.read_text(encoding="utf-8"))):
            if process.poll() is not None:
                raise RuntimeError(log.read_text(encoding="utf-8"))
            time.sleep(0.05)
        address = urlsplit(found[1])
        yield process.pid, address.port or 0, address.query.partition("=")[2], time.perf_counter() - began
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def ask(port: int, token: str, path: str) -> tuple[dict[str, Json], float]:
    """One request as the page makes it, and its seconds."""
    began = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path, headers={"Cookie": f"tenet_view_{port}={token}"})
    answer = connection.getresponse()
    body = answer.read()
    seconds = time.perf_counter() - began
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status} {body[:300]!r}")
    told: dict[str, Json] = json.loads(body)
    return told, seconds


def measure(port: int, token: str) -> list[Timed]:
    """Every kind of request once."""
    told, seconds = ask(port, token, "/api/start")
    found = [Timed("what can be chosen (at start)", 0, seconds)]
    total, row = 0, ""
    for what, address in REQUESTS.items():
        words = address.format(last=max(1, total // 50)).replace(" ", "%20").replace('"', "%22").replace("?", "%3F")
        told, seconds = ask(port, token, f"/api/pairs?{words}")
        count, rows = told["total"], told["rows"]
        assert isinstance(count, int)
        assert isinstance(rows, list)
        total = total or count
        if rows and isinstance(rows[0], dict):
            row = str(rows[0]["key"])
        found.append(Timed(what, count, seconds))
    _, seconds = ask(port, token, f"/api/pair?run=view-rows&key={row}")
    return [*found, Timed("one pair read", 1, seconds)]


def peak_mib(pid: int) -> float:
    """The most memory that a process has had, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024


def main() -> None:
    """Make, serve, ask, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path, help="A folder for the run, which is used again where it is there.")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    console = Console(json=options.json)
    folder = options.keep or Path(tempfile.mkdtemp(prefix="tenet-view-rows-"))
    run = folder / "view-rows"
    try:
        if not (run / "manifest.json").is_file():
            began = time.perf_counter()
            size = make_run(run, options.pairs // PAIRS_A_PROMPT, folder)
            console.say(f"made in {time.perf_counter() - began:.0f} s: {size / 2**20:,.0f} MiB of shards")
        rounds = []
        for what in ("with the index to make", "with the index there"):
            with served(run, folder / "log") as (pid, port, token, seconds):
                timed = measure(port, token)
                rounds.append((what, seconds, timed, peak_mib(pid)))
    finally:
        if options.keep is None:
            shutil.rmtree(folder)
    (_, indexing, first, memory), (_, starting, again, later) = rounds
    lines = [
        [one.what, f"{one.found:,}", f"{one.seconds:.2f}", f"{two.seconds:.2f}"]
        for one, two in zip(first, again, strict=True)
    ]
    console.table(["request", "pairs found", "s", "s, started again"], lines)
    slowest = max(one.seconds for one in [*first, *again])
    console.say(
        f"ready after {indexing:.1f} s with the index to make, {starting:.1f} s with it there; {os.cpu_count()} cores"
    )
    console.say(
        f"slowest {slowest:.2f} s (bound {BOUND_SECONDS}); peak memory {memory:.0f} and {later:.0f} MiB (bound {BOUND_MIB})"
    )
    if options.json:
        console.data(
            {
                "requests": [{"request": one.what, "found": one.found, "seconds": one.seconds} for one in first],
                "slowest": slowest, "peak_mib": max(memory, later), "index_seconds": indexing, "start_seconds": starting,
            }
        )  # fmt: skip


if __name__ == "__main__":
    main()
