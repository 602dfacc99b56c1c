"""Requests of one prompt go to one of several servers; nobody idles for it, and no answer depends on it."""

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, replace

import pytest

from engines.http_affinity import Homes, Waiting
from engines.scripted_faults import prompt_hash
from engines.scripted_server import Running, scripted_server
from tests.engines.http_world import engine_on, labels_of, questions, truth

GROUPS, EACH = 40, 12


def grouped(engine, *, named=True):
    """Twelve questions about each of forty prompts."""
    asked = questions(engine.tokenizer, GROUPS * EACH)
    return [replace(one, group=f"prompt {n // EACH}") if named else one for n, one in enumerate(asked)]


def where(requests, servers: list[Running]) -> list[set[int]]:
    """By prompt, the servers that saw a question about it."""
    seen = [set(server.counts()["keys"]) for server in servers]
    found = [set() for _ in range(GROUPS)]
    for n, request in enumerate(requests):
        key = prompt_hash(request.tokens).hex()
        found[n // EACH] |= {place for place, keys in enumerate(seen) if key in keys}
    return found


@pytest.mark.parametrize("group", [1, 10])
@pytest.mark.parametrize("named", [True, False])
def test_questions_about_one_prompt_meet_one_server(group, named):
    with ExitStack() as stack:
        servers = [stack.enter_context(scripted_server(latency=0.02)) for _ in range(3)]
        urls = [server.base_url for server in servers]
        engine = stack.enter_context(engine_on(*urls, prompts_per_request=group, in_flight=12))
        requests = grouped(engine, named=named)
        reads = engine.read_labels(requests, labels_of(engine))
        assert [read.logprobs for read in reads] == [read.logprobs for read in truth(requests)]
        spread = Counter(map(len, where(requests, servers)))
        asked = [server.counts()["prompts"] for server in servers]
    assert sum(asked) == GROUPS * EACH
    assert min(asked) >= GROUPS * EACH / 10, "no server idles"
    if named:
        assert spread[1] >= 0.6 * GROUPS, f"servers by prompt: {spread}"
    elif group == 1:
        assert spread[1] <= 0.2 * GROUPS, f"the test proves nothing: {spread}"


def test_a_slow_server_is_not_waited_for():
    with scripted_server(latency=0.01) as quick, scripted_server(latency=1.0) as slow:
        with engine_on(quick.base_url, slow.base_url, in_flight=8) as engine:
            requests = grouped(engine)
            reads = engine.read_labels(requests, labels_of(engine))
        assert not any(read.error for read in reads)
        assert quick.counts()["prompts"] > 4 * slow.counts()["prompts"]


def test_the_prompts_of_a_server_that_is_gone_are_taken_over():
    with scripted_server() as left, scripted_server() as gone:
        with engine_on(left.base_url, gone.base_url, connect_timeout=1.0, deadline=20.0) as engine:
            requests = grouped(engine)
            gone.stop()
            reads = engine.read_labels(requests, labels_of(engine))
        assert [read.logprobs for read in reads] == [read.logprobs for read in truth(requests)]
        assert left.counts()["prompts"] == GROUPS * EACH


def test_another_server_moves_only_what_it_takes():
    names = [f"prompt {n}" for n in range(900)]
    three, four = (Homes([f"http://h{n}/v1" for n in range(many)]) for many in (3, 4))
    before, after = [three.of(name) for name in names], [four.of(name) for name in names]
    assert all(new in (old, 3) for old, new in zip(before, after, strict=True))
    assert all(150 < count < 300 for count in Counter(after).values())
    assert Homes(["http://h/v1"]).of("x") is None
    assert three.of("") is None


@dataclass(frozen=True)
class Job:
    name: str
    home: int | None = None


def test_a_server_has_its_own_jobs_first_and_takes_over_where_another_is_full():
    waiting = Waiting(servers=2, most=8)  # a share is 5
    for job in (Job("a", 0), Job("b", 0), Job("c", 0), Job("d", 1), Job("e")):
        waiting.put(job)
    free = [(0, 0.5, 4), (1, 0.0, 0)]
    assert waiting.take(free) == (1, Job("d", 1))
    assert waiting.take(free) == (0, Job("a", 0)), "its own, though the other is emptier"
    assert waiting.take([(1, 0.0, 0)]) == (1, Job("e")), "what is anybody's before what is another's"
    assert waiting.take([(1, 0.0, 0)]) == (1, Job("b", 0)), "the other one is full"
    assert waiting.take([(0, 0.9, 5), (1, 0.1, 1)]) == (1, Job("c", 0)), "the other one has its share"
    assert waiting.take(free) is None
    waiting.put(Job("f", 0))
    assert waiting.take([]) is None
